from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path
from typing import Any

import grpc
import msgspec
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from sengine.adapters.control.client import ControlClient
from sengine.adapters.control.errors import RefusedError, UnreachableError
from sengine.adapters.control.pnl_history import POINTS, PnlHistory
from sengine.adapters.control.price_history import POINTS as POINTS_OF_A_PRICE
from sengine.adapters.control.price_history import PriceHistory
from sengine.adapters.control.server import ControlServer
from sengine.adapters.control.streams import MOST_IN_BATCH, MOST_STREAMS, batches
from sengine.adapters.transport.connections import MOST_CONNECTIONS
from sengine.clock import NS_PER_S
from sengine.config.schema import ApiConfig
from sengine.domain.events import Flatten
from sengine.domain.order import Order, OrderStatus, OrderUpdate
from sengine.engine.state.markets import Market
from sengine.errors import ConfigError, SengineError
from sengine.proto import engine_pb2 as pb
from sengine.proto.engine_pb2_grpc import EngineControlStub
from sengine.runtime.live_engine import LogRecord, Stream
from tests.adapters.served_engine import (
    Service,
    live_engine,
    served,
    within,
)
from tests.engine.conftest import Actor, fill, long, quote, short, trade
from tests.patience import PATIENCE_S
from tui.consequences import of_flatten

FREE = "127.0.0.1:0"


async def status_of(call: Any) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


# The private socket.


async def test_the_socket_and_its_new_directory_are_their_owners_alone(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "data"
    async with served(live_engine(), directory):
        assert stat.S_IMODE((directory / "engine.sock").stat().st_mode) == 0o600
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert not (directory / "engine.sock").exists()


async def test_an_open_data_directory_is_closed_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    async with served(live_engine(), tmp_path):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


async def test_a_directory_that_is_not_the_engines_own_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    async with served(live_engine(), tmp_path, ApiConfig(listen=f"unix:{tmp_path}/x.sock")):
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
        assert stat.S_IMODE((tmp_path / "x.sock").stat().st_mode) == 0o600


async def test_the_second_engine_on_a_socket_names_the_first_and_the_first_goes_on(tmp_path: Path) -> None:
    live = live_engine()
    async with served(live, tmp_path) as (client, _):
        second = ControlServer(live, Service(live), ApiConfig(), tmp_path)
        with pytest.raises(SengineError, match=rf"another engine \(pid {os.getpid()}\) answers on unix:{tmp_path}/"):
            await second.start()
        assert (await client.snapshot()).service.pid == os.getpid()


async def test_the_socket_of_a_killed_engine_is_taken_over(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nimport socket\n"
        "from sengine.adapters.transport.private_socket import PrivateSocket\n"
        "path = Path(sys.argv[1])\nheld = PrivateSocket(path, own_directory=True)\n"
        "listener = socket.socket(socket.AF_UNIX); listener.bind(str(path)); listener.listen()\n"
        "print('held', flush=True); time.sleep(60)\n"
    )
    path = tmp_path / "engine.sock"
    engine = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert engine.stdout is not None
        assert engine.stdout.readline() == "held\n"
        live = live_engine()
        with pytest.raises(SengineError, match=f"pid {engine.pid}"):
            await ControlServer(live, Service(live), ApiConfig(), tmp_path).start()
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.communicate()
    assert path.exists()
    async with served(live_engine(), tmp_path) as (client, _):
        assert (await client.snapshot()).service.name == "test-engine"


async def test_a_file_in_the_sockets_place_is_not_removed(tmp_path: Path) -> None:
    (tmp_path / "engine.sock").write_text("mine")
    live = live_engine()
    with pytest.raises(ConfigError, match="is in the way of the API's socket and is no socket"):
        await ControlServer(live, Service(live), ApiConfig(), tmp_path).start()
    assert (tmp_path / "engine.sock").read_text() == "mine"


async def test_a_listener_without_the_lock_is_not_pushed_aside(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "engine.sock"))
        listener.listen()
        live = live_engine()
        with pytest.raises(SengineError, match="another engine"):
            await ControlServer(live, Service(live), ApiConfig(), tmp_path).start()


async def test_a_path_too_long_for_a_socket_says_what_to_set(tmp_path: Path) -> None:
    live = live_engine()
    with pytest.raises(ConfigError, match=r"set api\.listen to a shorter"):
        await ControlServer(live, Service(live), ApiConfig(), tmp_path / ("x" * 120)).start()


# TCP.


def test_tcp_without_a_token_refuses_before_listening(tmp_path: Path) -> None:
    live = live_engine()
    with pytest.raises(ConfigError, match=r"api\.token: 127\.0\.0\.1:0 .* a token is required"):
        ControlServer(live, Service(live), ApiConfig(listen=FREE), tmp_path)


@pytest.mark.parametrize(
    ("api", "sentence"),
    [
        ({"listen": "nonsense"}, 'api.listen: expected unix:/path or host:port, got "nonsense"'),
        ({"listen": "localhost:70000"}, "api.listen: expected unix:/path or host:port"),
        ({"listen": FREE, "token": "t", "tls_cert": "c.pem"}, "api.tls_key: TLS needs"),
        ({"listen": FREE, "token": "t", "tls_ca": "ca.pem"}, "api.tls_cert: TLS needs"),
        ({"listen": FREE, "token": "t", "tls_cert": "c.pem", "tls_key": "k.pem"}, 'api.tls_cert: cannot read "c.pem"'),
        ({"tls_cert": "c.pem", "tls_key": "k.pem"}, "api.tls_cert: TLS is for host:port"),
    ],
)
def test_an_unsafe_or_wrong_listener_is_refused_with_its_key(
    tmp_path: Path, api: dict[str, str], sentence: str
) -> None:
    live = live_engine()
    with pytest.raises(ConfigError) as caught:
        ControlServer(live, Service(live), ApiConfig(**api), tmp_path)
    assert sentence in str(caught.value)


async def test_tcp_lets_only_the_right_token_in(tmp_path: Path) -> None:
    api = ApiConfig(listen=FREE, token="s3cret")
    async with served(live_engine(), tmp_path, api, "s3cret") as (client, _):
        assert (await client.snapshot()).service.address == str(client.address)
        for wrong, sentence in ((None, "it is missing"), ("s3cre", "it was refused"), ("s3cret2", "it was refused")):
            async with ControlClient(client.address, wrong) as stranger:
                with pytest.raises(RefusedError, match=f"wants a token, and {sentence}"):
                    await stranger.snapshot()
                with pytest.raises(RefusedError, match="wants a token"):
                    await anext(stranger.log())
        async with grpc.aio.insecure_channel(str(client.address)) as channel:
            stub = reflection_pb2_grpc.ServerReflectionStub(channel)
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            code, _details = await status_of(anext(aiter(stub.ServerReflectionInfo(iter([request])))))
            assert code is grpc.StatusCode.UNAUTHENTICATED


async def test_a_taken_port_says_so(tmp_path: Path) -> None:
    api = ApiConfig(listen=FREE, token="t")
    live = live_engine()
    async with served(live, tmp_path, api, "t") as (client, _):
        second = ControlServer(live, Service(live), ApiConfig(listen=str(client.address), token="t"), tmp_path)
        with pytest.raises(SengineError, match=f"cannot listen on {client.address}"):
            await second.start()


# Standard services and bounds.


async def test_reflection_lists_the_services(tmp_path: Path) -> None:
    async with (
        served(live_engine(), tmp_path) as (client, _),
        grpc.aio.insecure_channel(str(client.address)) as channel,
    ):
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = stub.ServerReflectionInfo(iter([request]))
        answer = await anext(aiter(call))
        call.cancel()
        names = {service.name for service in answer.list_services_response.service}
    assert names == {
        "sengine.engine.v1.EngineControl",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_the_health_service_serves(tmp_path: Path) -> None:
    async with (
        served(live_engine(), tmp_path) as (client, _),
        grpc.aio.insecure_channel(str(client.address)) as channel,
    ):
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "sengine.engine.v1.EngineControl"):
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_oversized_messages_and_metadata_are_refused(tmp_path: Path) -> None:
    async with (
        served(live_engine(), tmp_path) as (client, _),
        grpc.aio.insecure_channel(str(client.address)) as channel,
    ):
        stub: Any = EngineControlStub(channel)
        code, _details = await status_of(stub.Pause(pb.PauseRequest(strategy_id="x" * 300_000)))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        code, _details = await status_of(stub.GetSnapshot(pb.GetSnapshotRequest(), metadata=[("flood", "x" * 20_000)]))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_one_stream_too_many_is_refused_and_a_closed_one_makes_room(tmp_path: Path) -> None:
    async with served(live_engine(), tmp_path) as (client, _):
        streams = [client.log() for _ in range(MOST_STREAMS)]
        for stream in streams:
            await within(5, anext(stream))
        with pytest.raises(RefusedError, match=f"{MOST_STREAMS} streams are open"):
            await within(5, anext(client.log()))
        for stream in streams:
            await stream.aclose()

        async def until_there_is_room() -> None:
            while True:
                try:
                    async with aclosing(client.log()) as stream:
                        await anext(stream)
                        return
                except RefusedError:
                    continue

        await within(5, until_there_is_room())


# Questions.


async def test_the_snapshot_holds_the_whole_engine(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(), short(0.1)), Actor("b"))
    async with served(live, tmp_path) as (client, service):
        service.facts.failed = (("c", "c.py: no such file"),)
        live.process(quote(1.0))
        live.process(quote(2.0, 109.0, 111.0, sequence=5))
        live.process(quote(1.5))
        view = await client.snapshot()
    assert view.service.name == "test-engine"
    assert view.service.address == f"unix:{tmp_path}/engine.sock"
    assert (view.ticks, view.signals, view.orders_sent) == (2, 2, 1)
    assert view.now_ns == 2_000_000_000
    assert view.is_ready
    assert view.kill_reason == ""
    assert {each.strategy_id: each.state for each in view.strategies} == {"a": "ACTIVE", "b": "ACTIVE"}
    assert view.strategies[0].on_tick.count == 2
    assert sum(view.strategies[0].on_tick.octave_counts) == 2
    assert view.failed[0].reason == "c.py: no such file"
    (position,) = view.positions
    assert (position.strategy_id, position.quantity, position.average_price) == ("a", 1.0, 101.0)
    assert (position.mark_price, position.unrealized_pnl) == (110.0, 9.0)
    assert (view.realized_pnl, view.unrealized_pnl) == (0.0, 9.0)
    assert view.symbols[0].bid == 109.0
    assert view.dispositions == {"passed": 1, "filtered": 1}
    assert view.rejected == {"time_backwards": 1}
    checks = {check.name: check for check in view.risk}
    assert list(checks) == ["confidence", "position_limit", "drawdown"]
    assert checks["confidence"].limit == 0.6
    assert checks["confidence"].used is None
    assert checks["confidence"].refusals_by_reason == {"below_min_confidence": 1}
    assert (checks["position_limit"].used, checks["position_limit"].used_by) == (1.0, "a BTC")
    assert view.feed.state == "none"
    assert view.tick.count == 2


async def test_open_orders_are_in_the_snapshot_with_what_is_in_flight(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(limit_price=98.0), route="direct"), fills=False)
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        view = await client.snapshot()
    (order,) = view.orders
    assert (order.side, order.quantity, order.filled, order.limit_price) == ("buy", 1.0, 0.0, 98.0)
    assert order.strategy_ids == ("a",)


async def test_a_strategy_in_full_shows_parameters_errors_and_signals(tmp_path: Path) -> None:
    actor = Actor("a", long(), ValueError("no \ud800 such thing"), config={"window": 5})
    live = live_engine(actor, Actor("b", long()))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        live.process(quote(2.0))
        view = await client.strategy("a")
        listed = await client.strategies()
        with pytest.raises(RefusedError, match='there is no strategy "nobody"; loaded: a, b'):
            await client.strategy("nobody")
    assert view.config == {"window": 5}
    assert view.state.errors_by_type == {"exception": 1}
    assert view.state.last_error.startswith("ValueError: no ")
    assert "Traceback" in view.last_traceback
    assert [signal.direction for signal in view.signals] == ["LONG"]
    assert view.positions[0].symbol == "BTC"
    assert "BTC" in view.own_state
    assert [each.strategy_id for each in listed.strategies] == ["a", "b"]


async def test_positions_can_be_asked_for_one_strategy(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(), short()), Actor("b", long(size=2.0)))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        live.process(quote(2.0))
        every = await client.positions()
        one = await client.positions("b")
        with pytest.raises(RefusedError, match='there is no strategy "z"'):
            await client.positions("z")
    assert {(each.strategy_id, each.quantity) for each in every.positions} >= {("b", 2.0)}
    assert [each.strategy_id for each in one.positions] == ["b"]
    assert one.unrealized_pnl == -2.0


async def test_a_market_in_full_shows_ladder_trades_and_bar(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        assert (await client.market("BTC")).bar is None
        live.process(trade(2.0, 100.5, 3.0))
        view = await client.market("BTC")
        with pytest.raises(RefusedError, match='no market data of "ETH"; symbols: BTC'):
            await client.market("ETH")
    assert (view.bids[0].price, view.asks[0].price) == (99.0, 101.0)
    assert [(each.price, each.quantity, each.side) for each in view.trades] == [(100.5, 3.0, "buy")]
    assert view.bar is not None
    assert view.bar.volume == 3.0


# Commands.


async def test_pause_and_resume_change_the_state_and_refuse_what_it_does_not_allow(tmp_path: Path) -> None:
    actor = Actor("a")
    live = live_engine(actor)
    async with served(live, tmp_path) as (client, _), grpc.aio.insecure_channel(str(client.address)) as channel:
        assert (await client.pause("a", "lunch")).message == "strategy a is paused: lunch"
        live.process(quote(1.0))
        assert actor.seen == []
        state = (await client.strategy("a")).state
        assert (state.state, state.pause_reason) == ("PAUSED", "lunch")
        with pytest.raises(RefusedError, match="strategy a is PAUSED and cannot become PAUSED"):
            await client.pause("a")
        assert (await client.resume("a")).message == "strategy a is active"
        live.process(quote(2.0))
        assert len(actor.seen) == 1
        stub: Any = EngineControlStub(channel)
        code, _details = await status_of(stub.Resume(pb.ResumeRequest(strategy_id="a")))
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        code, _details = await status_of(stub.Pause(pb.PauseRequest(strategy_id="z")))
        assert code is grpc.StatusCode.NOT_FOUND
        code, _details = await status_of(stub.Load(pb.LoadRequest(plugin="absent", strategy_id="z")))
        assert code is grpc.StatusCode.INVALID_ARGUMENT


async def test_while_the_journal_is_taken_up_there_are_answers_but_no_commands_except_kill(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    live.is_recovering = True
    async with served(live, tmp_path) as (client, _):
        assert (await client.snapshot()).service.name == "test-engine"
        for command in (client.pause("a"), client.rearm(), client.flatten()):
            with pytest.raises(RefusedError, match="is taking up its journal and takes no commands yet"):
                await command
        assert "kill switch pulled" in (await client.kill("now")).message
        live.recovered()
        assert live.engine.kill_reason == "now"
        assert (await client.pause("a")).message.startswith("strategy a is paused")


async def test_a_number_that_no_message_can_carry_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with served(live_engine(Actor("a")), tmp_path) as (client, _):
        for ask in (client.check_parameters, client.set_parameters):
            with pytest.raises(
                RefusedError, match="cannot be sent: Integer exceeds 64-bit range; numbers have at most 64"
            ):
                await ask("a", {"size": 10**20})


async def test_parameters_are_checked_applied_and_counted(tmp_path: Path) -> None:
    def prepare(config: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if config.get("window") == 0:
            raise ConfigError(["strategies.a.config.window: expected an integer >= 1, got 0"])
        return None, {"window": 5, **config}

    live = live_engine(Actor("a", config={"window": 5}, prepare=prepare))
    async with served(live, tmp_path) as (client, service):
        assert (await client.check_parameters("a", {"x": 1})).config == {"window": 5, "x": 1}
        assert (await client.strategy("a")).config == {"window": 5}
        assert (await client.set_parameters("a", {"window": 7})).config == {"window": 7}
        with pytest.raises(RefusedError, match=r"keeps its old parameters: .*window: expected an integer >= 1, got 0"):
            await client.set_parameters("a", {"window": 0})
        with pytest.raises(RefusedError, match="window: expected an integer >= 1"):
            await client.check_parameters("a", {"window": 0})
        state = await client.strategy("a")
        assert state.config == {"window": 7}
        assert state.state.last_reload_ns > 0
        assert state.state.state == "ACTIVE"
        assert service.facts.reloads.counts == {("a", True): 1, ("a", False): 1}


async def test_config_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, _), grpc.aio.insecure_channel(str(client.address)) as channel:
        stub: Any = EngineControlStub(channel)
        for text in ("[1]", "{", ""):
            code, details = await status_of(stub.Reload(pb.ReloadRequest(strategy_id="a", config_json=text)))
            assert code is grpc.StatusCode.INVALID_ARGUMENT
            assert details.startswith("config_json: expected a JSON object")


async def test_reload_and_load_are_the_services_to_do(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, service):
        assert (await client.reload("a")).message == "strategy a was read again"
        service.reload_failure = ConfigError(["strategies[0].config.window: expected an integer"])
        with pytest.raises(RefusedError, match="expected an integer"):
            await client.reload("a")
        with pytest.raises(RefusedError, match='there is no strategy "z"'):
            await client.reload("z")
        assert (await client.load("rsi", "r1", ["BTC"], {"period": 7})).message == "strategy r1 is loaded"
        assert service.loaded == [("rsi", "r1", ("BTC",), {"period": 7})]
        with pytest.raises(RefusedError, match='no strategy "absent"'):
            await client.load("absent", "x")
        with pytest.raises(RefusedError, match="Load needs plugin"):
            await client.load("rsi", "")


async def test_unload_takes_the_strategy_out(tmp_path: Path) -> None:
    live = live_engine(Actor("a"), Actor("b"))
    async with served(live, tmp_path) as (client, _):
        assert "strategy a is unloaded" in (await client.unload("a")).message
        assert [each.strategy_id for each in (await client.strategies()).strategies] == ["b"]


async def test_kill_cancels_open_orders_and_rearm_lets_them_out_again(tmp_path: Path) -> None:
    actor = Actor("a", long(limit_price=98.0), long(), route="direct")
    live = live_engine(actor, fills=False)
    async with served(live, tmp_path) as (client, _):
        with pytest.raises(RefusedError, match="the kill switch is not pulled"):
            await client.rearm()
        live.process(quote(1.0))
        reply = await client.kill("fat finger")
        assert reply.orders_to_cancel == 1
        assert reply.message.startswith("kill switch pulled: fat finger")
        live.process(quote(2.0))
        view = await client.snapshot()
        assert view.kill_reason == "fat finger"
        assert view.orders_sent == 1
        killed = next(check for check in view.risk if check.name == "kill_switch")
        assert (killed.limit, killed.refusals) == (None, 1)
        await client.rearm()
        assert (await client.snapshot()).kill_reason == ""


async def test_shutdown_answers_and_then_stops_the_service(tmp_path: Path) -> None:
    async with served(live_engine(), tmp_path) as (client, service):
        assert (await client.shutdown()).message == "the engine is stopping"
        await within(5, service.was_stopped.wait())


async def test_what_an_operator_did_is_in_the_log(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, _):
        await client.pause("a", "lunch")
        async with aclosing(client.log()) as stream:
            batch = await within(5, anext(stream))
    assert [(line.event, line.fields) for line in batch.lines] == [("strategy a is paused: lunch", {"by": "operator"})]


# Streams.


async def test_snapshots_come_at_once_and_then_at_the_interval(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    clock = asyncio.get_running_loop().time
    async with served(live, tmp_path) as (client, _), aclosing(client.snapshots(100)) as stream:
        assert (await within(5, anext(stream))).ticks == 0
        live.process(quote(1.0))
        started = clock()
        assert (await within(5, anext(stream))).ticks == 1
        await within(5, anext(stream))
        assert clock() - started > 0.1


async def test_more_than_ten_snapshots_a_second_are_refused(tmp_path: Path) -> None:
    async with served(live_engine(), tmp_path) as (client, _):
        with pytest.raises(RefusedError, match="interval_ms: expected 100 or more, got 99"):
            await anext(client.snapshots(99))


async def test_signals_come_with_history_first_and_then_live(tmp_path: Path) -> None:
    actor = Actor("a", long(), short(0.1))
    live = live_engine(actor)
    async with served(live, tmp_path) as (client, _), aclosing(client.signals()) as stream:
        live.process(quote(1.0))
        first = await within(5, anext(stream))
        live.process(quote(2.0))
        second = await within(5, anext(stream)) if len(first.signals) == 1 else first
    assert first.signals[0].disposition == "passed"
    last = second.signals[-1]
    assert (last.direction, last.disposition, last.check) == ("SHORT", "filtered", "confidence")
    assert "below min_confidence" in last.reason


async def test_signals_are_filtered_and_history_is_limited_as_asked(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(0.8), short(0.1), short(0.2)), Actor("b", short(0.1)))
    async with served(live, tmp_path) as (client, _):
        for second in range(3):
            live.process(quote(float(second)))
        async with aclosing(client.signals(1, "a", "filtered")) as stream:
            batch = await within(5, anext(stream))
        async with aclosing(client.signals(0)) as stream:
            none = await within(5, anext(stream))
    assert [signal.confidence for signal in batch.signals] == [0.2]
    assert none.signals == ()


async def test_a_slow_reader_of_a_stream_loses_the_oldest_and_is_told_how_many() -> None:
    stream: Stream[LogRecord] = Stream()

    def line(number: int) -> LogRecord:
        return LogRecord(number, "info", "", {})

    stream.publish(line(0))
    async with aclosing(batches(stream, 10, lambda _: True, limit=5)) as reader:
        items, dropped = await within(5, anext(reader))
        assert ([item.time_ns for item in items], dropped) == ([0], 0)
        for number in range(1, 21):
            stream.publish(line(number))
        items, dropped = await within(5, anext(reader))
        assert ([item.time_ns for item in items], dropped) == ([16, 17, 18, 19, 20], 15)
    assert stream.subscriptions == set()


async def test_a_long_history_comes_in_bounded_batches() -> None:
    stream: Stream[LogRecord] = Stream()
    for number in range(1000):
        stream.publish(LogRecord(number, "info", "", {}))
    async with aclosing(batches(stream, 700, lambda _: True)) as reader:
        sizes = [len((await within(5, anext(reader)))[0]) for _ in range(2)]
    assert sizes == [MOST_IN_BATCH, 200]


async def test_a_flood_of_signals_is_bounded_and_its_losses_are_counted(tmp_path: Path) -> None:
    actor = Actor("a")
    live = live_engine(actor)
    async with served(live, tmp_path) as (client, _), aclosing(client.signals()) as stream:
        await within(5, anext(stream))
        actor.says(*[short(0.1)] * 5000)
        for number in range(5000):
            live.process(quote(float(number)))
        received = dropped = 0
        while received + dropped < 5000:
            batch = await within(5, anext(stream))
            received += len(batch.signals)
            dropped = batch.dropped
    assert received == 1000
    assert dropped == 4000


async def test_a_reader_that_left_is_forgotten(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, _):
        async with aclosing(client.log()) as stream:
            await within(5, anext(stream))
            assert len(live.logs.subscriptions) == 1

        async def until_gone() -> None:
            while live.logs.subscriptions:
                await client.strategies()

        await within(5, until_gone())


async def test_stopping_the_server_ends_its_streams(tmp_path: Path) -> None:
    live = live_engine()
    server = ControlServer(live, Service(live), ApiConfig(), tmp_path)
    async with ControlClient(await server.start()) as client, aclosing(client.log()) as stream:
        await within(5, anext(stream))
        await within(5, server.stop(0))
        with pytest.raises(UnreachableError):
            await within(5, anext(stream))


# Flatten.


async def test_flatten_previews_and_trades_and_the_orders_go_out_to_the_gateway(tmp_path: Path) -> None:
    live = live_engine(Actor("a", [long(size=2.0), long(limit_price=90.0)], route="direct"), fills=False)
    live.gateway = gateway = Gateway()
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        live.process(fill("1", 2.0))
        preview = await client.check_flatten()
        assert gateway.cancelled == []
        done = await client.flatten(reason="drill")
        assert done.message == f"{preview.message}; waits for the end of 1 order and fills or the next book of BTC"
        assert (done.cancels, done.trades) == (preview.cancels, preview.trades)
        assert (gateway.cancelled, [order.quantity for order in gateway.sent][2:]) == (["2"], [2.0])
        assert [order.is_cancelling for order in (await client.snapshot()).orders] == [True, False]
        assert "flatten of everything (drill): cancels 1 order, sells 2 BTC" in [
            line.event for line in live.logs.history
        ]
        with pytest.raises(RefusedError, match='there is no strategy "z"'):
            await client.flatten("z")


async def test_a_flatten_says_beforehand_what_it_crosses_inside(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(size=3.0), route="direct"), Actor("b", short(), route="direct"))
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        preview = await client.check_flatten()
        assert (preview.message, preview.is_empty) == ("crosses 1 BTC inside at the mid, sells 2 BTC", False)
        assert [(each.seller, each.buyer, each.quantity) for each in preview.crosses] == [("a", "b", 1.0)]
        assert of_flatten(preview, None) == (
            "This crosses 1 BTC inside at the mid, sells 2 BTC, at market.\n  a hands 1 BTC to b"
        )
        assert "at market" not in of_flatten(msgspec.structs.replace(preview, trades=()), None)
        assert (await client.flatten()).crosses == preview.crosses
        assert (await client.check_flatten()).is_empty


async def test_a_failed_flatten_is_told_however_many_orders_were_refused_before(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long()), fills=False)
    live.process(quote(1.0))
    live.process(fill("1", 1.0))
    live.order_updates[OrderStatus.REJECTED] = 1_000
    live.process(Flatten())
    live.process(OrderUpdate("2", OrderStatus.REJECTED, 0))
    assert "flatten of a BTC is not done" in live.logs.history[-1].event


async def test_an_order_is_cancelled_once(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(limit_price=90.0), route="direct"), fills=False)
    live.gateway = gateway = Gateway()
    async with served(live, tmp_path) as (client, _):
        live.process(quote(1.0))
        assert (await client.cancel_order("1")).orders_to_cancel == 1
        assert (await client.cancel_order("1")).message == "order 1 was already being cancelled"
        assert gateway.cancelled == ["1"]


class Gateway:
    """Remembers what it was given."""

    def __init__(self) -> None:
        self.sent: list[Order] = []
        self.cancelled: list[str] = []

    def send(self, order: Order, received_ns: int = 0) -> None:
        self.sent.append(order)

    def cancel(self, order_id: str) -> None:
        self.cancelled.append(order_id)


# The past.


async def test_what_an_earlier_session_came_to_on_the_way_is_no_pnl_of_this_one(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(size=2.0), short(size=2.0)))
    live.is_recovering = True
    async with served(live, tmp_path) as (client, _):
        assert list((await client.pnl_history()).pnl) == []
        live.engine.process(quote(1.0))
        live.recovered()
        history = await client.pnl_history()
        while not history.pnl:
            history = await within(5, client.pnl_history())
        assert list(history.pnl) == [-2.0]


async def test_a_late_client_gets_the_pnl_since_the_start_and_the_fills(tmp_path: Path) -> None:
    live = live_engine(Actor("a", long(size=2.0), short(size=2.0)))
    async with served(live, tmp_path) as (client, _):
        assert list((await client.pnl_history()).pnl) == [0.0]
        live.process(quote(1.0))
        live.process(quote(10.0, 109.0, 111.0))
        fills = (await client.strategy("a")).fills
        assert [(each.side, each.price, each.realized_pnl) for each in fills] == [
            ("buy", 101.0, None),
            ("sell", 109.0, 16.0),
        ]
        history = await client.pnl_history()
        while history.pnl[-1] != 16.0:
            history = await within(5, client.pnl_history())
        assert history.pnl[0] == 0.0
        assert list(history.times_ns) == sorted(history.times_ns)


async def test_a_symbol_is_shown_with_the_prices_it_comes_from(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    live.process(quote(1.0, 99.0, 101.0))
    async with served(live, tmp_path) as (client, _):
        view = await client.market("BTC")
        while len(view.mids) < 2:
            view = await within(5, client.market("BTC"))
        assert set(view.mids) == {100.0}
        assert list(view.mid_times_ns) == sorted(view.mid_times_ns)


def test_prices_of_the_last_minutes_are_kept_for_each_symbol_that_has_one() -> None:
    markets = {"A": Market("A"), "B": Market("B")}
    history = PriceHistory(markets)
    for second in range(POINTS_OF_A_PRICE + 5):
        markets["A"].mid = float(second)
        history.sample(second * NS_PER_S)
    times_ns, mids = history.of("A")
    assert list(mids) == [float(second) for second in range(5, POINTS_OF_A_PRICE + 5)]
    assert [int(mid) * NS_PER_S for mid in mids] == list(times_ns)
    assert [list(each) for each in history.of("B")] == [[], []]


def test_a_long_history_keeps_its_first_and_last_moments_and_stays_small() -> None:
    now = [0]
    history = PnlHistory(lambda: (now[0] * 1_000_000_000, float(now[0])))
    for now[0] in range(20_000):
        history.sample()
    assert len(history.pnl) <= POINTS
    assert history.pnl[0] == 0.0
    assert history.pnl[-1] > 19_980


async def test_connections_that_say_nothing_are_bounded(tmp_path: Path) -> None:
    live = live_engine()
    server = ControlServer(live, Service(live), ApiConfig(listen=FREE, token="t"), tmp_path)
    port = int((await server.start()).rpartition(":")[2])
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2 * MOST_CONNECTIONS)]
    try:
        waiting = {asyncio.ensure_future(reader.read()) for reader, _ in held}
        ended = 0
        async with asyncio.timeout(PATIENCE_S):
            while ended < MOST_CONNECTIONS:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                ended += len(done)
                await asyncio.gather(*done, return_exceptions=True)
    finally:
        for each in waiting:
            each.cancel()
        for _, writer in held:
            writer.close()
        await server.stop(0)


async def test_an_operators_reason_is_bounded_wherever_it_is_kept(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, _):
        await client.kill("x" * 100_000)
        await client.pause("a", "y" * 100_000)
        await client.rearm()
    assert live.engine.registry.get("a").pause_reason == "y" * 500
    assert max(len(line.event) for line in live.logs.history) < 700
