"""Hosts that are not ours: absent, late, against the protocol, and behind TLS."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from sengine.adapters.remote.host_server import HostSecurity, StrategyServer
from sengine.assembly import host_spec
from sengine.errors import ConfigError, SengineError
from sengine.plugins.loader import load_plugin
from sengine.proto import strategy_pb2 as pb
from sengine.proto.strategy_pb2_grpc import StrategyServiceServicer, add_StrategyServiceServicer_to_server
from tests.adapters.remote_parts import book, rig, write_echo
from tests.patience import PATIENCE_S

Reply = Callable[[pb.TickBatch], pb.HostMessage]


class Odd(StrategyServiceServicer):
    """A host that answers batches as it is told to."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply

    async def Initialize(self, request: Any, context: Any) -> pb.InitializeResponse:  # noqa: N802
        return pb.InitializeResponse(success=True, version="odd", route="direct")

    async def GetState(self, request: Any, context: Any) -> pb.GetStateResponse:  # noqa: N802
        return pb.GetStateResponse(state_json="[not an object")

    async def Run(self, requests: Any, context: Any) -> Any:  # noqa: N802
        async for request in requests:
            if request.ticks.ticks:  # and not a fill
                yield self.reply(request.ticks)


@asynccontextmanager
async def odd_host(folder: Path, reply: Reply) -> AsyncIterator[str]:
    server = grpc.aio.server(options=(("grpc.max_send_message_length", -1),))
    add_StrategyServiceServicer_to_server(Odd(reply), server)
    address = f"unix:{folder}/odd.sock"
    server.add_insecure_port(address)
    await server.start()
    try:
        yield address
    finally:
        await server.stop(0)


def answers(through: int, *each: pb.Answer) -> pb.HostMessage:
    return pb.HostMessage(answers=pb.AnswerBatch(through=through, answers=each))


def long(**rest: Any) -> pb.Signal:
    return pb.Signal(direction="LONG", confidence=1.0, **rest)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (lambda ticks: answers(99_999), "answered up to tick 99999, which it was not asked about"),
        (lambda ticks: answers(1, pb.Answer(tick=77, signals=[long()])), "answered tick 77 out of turn"),
        (
            lambda ticks: answers(1, pb.Answer(tick=1, signals=[long(metadata_json="x" * 5_000_000)])),
            "resource_exhausted",
        ),
    ],
    ids=["unasked", "out_of_turn", "oversize"],
)
async def test_an_answer_against_the_protocol_ends_the_connection_with_a_reason(
    tmp_path: Path, reply: Reply, reason: str
) -> None:
    async with odd_host(tmp_path, reply) as address, rig(tmp_path) as r:
        link = r.load("far", address=address)
        await r.until(lambda: link.is_connected)
        r.live.process(book(1))
        await r.until(lambda: r.runtime("far").errors)
        fault = r.runtime("far").last_fault
        assert fault is not None
        assert fault.kind == "disconnected"
        assert reason in fault.message
        assert r.live.engine.signals_generated == 0
        await r.until(lambda: link.is_connected)


async def test_signals_that_are_none_are_errors_of_the_strategy_and_the_rest_goes_on(tmp_path: Path) -> None:
    def reply(ticks: pb.TickBatch) -> pb.HostMessage:
        number = ticks.ticks[-1].number
        bad = [pb.Signal(direction="UP", confidence=1.0), pb.Signal(direction="LONG"), long(size=float("nan"))]
        return answers(number, pb.Answer(tick=number, signals=[*bad, long(metadata_json="no json")]))

    async with odd_host(tmp_path, reply) as address, rig(tmp_path) as r:
        link = r.load("far", address=address)
        await r.until(lambda: link.is_connected)
        r.live.process(book(1))
        await r.signals(1)
        assert r.runtime("far").errors == {"invalid_signal": 3}
        assert r.live.engine.dispositions == {"passed": 1}


async def test_an_answer_with_too_many_signals_is_one_error(tmp_path: Path) -> None:
    def reply(ticks: pb.TickBatch) -> pb.HostMessage:
        number = ticks.ticks[-1].number
        return answers(number, pb.Answer(tick=number, signals=[long()] * 300))

    async with odd_host(tmp_path, reply) as address, rig(tmp_path) as r:
        link = r.load("far", address=address)
        await r.until(lambda: link.is_connected)
        r.live.process(book(1))
        await r.until(lambda: r.runtime("far").errors)
        assert r.runtime("far").errors == {"bad_return": 1}
        assert "at most 256 signals" in r.runtime("far").last_fault.message  # type: ignore[union-attr]


async def test_a_host_that_comes_later_is_found(tmp_path: Path) -> None:
    path = write_echo(tmp_path)
    address = f"unix:{tmp_path}/late.sock"
    async with rig(tmp_path) as r:
        link = r.load("far", address=address)
        await r.until(lambda: link.describe()["process"] == "disconnected")
        assert r.runtime("far").is_active
        r.live.process(book(1))
        assert link.missed_ticks == 1
        loaded = load_plugin(path)
        server = StrategyServer(lambda *request: host_spec(loaded, *request), address)
        await server.start()
        try:
            await r.until(lambda: link.is_connected)
            r.live.process(book(2))
            await r.signals(1)
            assert r.runtime("far").errors == {}
        finally:
            await server.stop()


async def test_a_host_beyond_loopback_needs_a_token_and_tls_and_asks_for_the_token(tmp_path: Path) -> None:
    loaded = load_plugin(write_echo(tmp_path))

    def spec_of(*request: Any) -> Any:
        return host_spec(loaded, *request)

    with pytest.raises(ConfigError, match="reachable from other machines; set STRATEGY_HOST_TOKEN"):
        StrategyServer(spec_of, "0.0.0.0:0", HostSecurity(token="t"))
    server = StrategyServer(spec_of, "127.0.0.1:0", HostSecurity(token="secret"))
    address = await server.start()
    try:
        async with rig(tmp_path) as r:
            stranger = r.load("stranger", address=address)
            friend = r.load("friend", address=address, token="secret")
            await r.until(lambda: friend.is_connected)
            await r.until(lambda: "unauthenticated" in stranger.describe().get("reason", ""))
    finally:
        await server.stop()


async def test_tls_with_certificates_of_both_sides_is_what_it_says(tmp_path: Path, certificates: Path) -> None:
    loaded = load_plugin(write_echo(tmp_path))
    names = ("ca.pem", "engine.pem", "engine.key", "client.pem", "client.key")
    file = {name: str(certificates / name) for name in names}
    security = HostSecurity("secret", file["engine.pem"], file["engine.key"], file["ca.pem"])
    server = StrategyServer(lambda *request: host_spec(loaded, *request), "127.0.0.1:0", security)
    address = await server.start()
    own = {"tls_cert": file["client.pem"], "tls_key": file["client.key"]}
    try:
        async with rig(tmp_path) as r:
            plain = r.load("plain", address=address, token="secret")
            nameless = r.load("nameless", address=address, token="secret", tls_ca=file["ca.pem"])
            doubtful = r.load("doubtful", address=address, token="secret", tls_ca=file["client.pem"], **own)
            known = r.load("known", address=address, token="secret", tls_ca=file["ca.pem"], **own)
            await r.until(lambda: known.is_connected)
            r.live.process(book(1))
            await r.signals(1)
            for link in (plain, nameless, doubtful):
                await r.until(lambda link=link: link.describe().get("reason"))
                assert not link.is_connected
    finally:
        await server.stop()


def test_the_command_says_where_it_is_and_answers_health_checks(tmp_path: Path) -> None:
    path = write_echo(tmp_path)
    command = [sys.executable, "-m", "sengine", "strategy-host", str(path), "--listen", f"unix:{tmp_path}/h.sock"]
    environment = {name: value for name, value in os.environ.items() if name != "STRATEGY_HOST_TOKEN"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("strategy echo 1.0.0+")
            assert line.endswith(f" at unix:{tmp_path}/h.sock\n")
            assert (tmp_path / "h.sock").stat().st_mode & 0o777 == 0o600
            with grpc.insecure_channel(f"unix:{tmp_path}/h.sock") as channel:
                request = health_pb2.HealthCheckRequest(service="sengine.strategy.v1.StrategyService")
                reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=PATIENCE_S)
            assert reply.status == health_pb2.HealthCheckResponse.SERVING
        finally:
            process.terminate()
        assert process.wait(PATIENCE_S) == 0


async def test_a_socket_that_somebody_holds_is_left_alone_and_says_what_to_give(tmp_path: Path) -> None:
    loaded = load_plugin(write_echo(tmp_path))
    address = f"unix:{tmp_path}/held.sock"
    first = StrategyServer(lambda *request: host_spec(loaded, *request), address)
    await first.start()
    try:
        with pytest.raises(SengineError, match=rf"another process \(pid {os.getpid()}\) answers.*--listen a free"):
            await StrategyServer(lambda *request: host_spec(loaded, *request), address).start()
        assert (tmp_path / "held.sock").is_socket()
    finally:
        await first.stop()
    (tmp_path / "held.sock").write_text("no socket")
    with pytest.raises(ConfigError, match="is in the way of this command's socket and is no socket"):
        await StrategyServer(lambda *request: host_spec(loaded, *request), address).start()
