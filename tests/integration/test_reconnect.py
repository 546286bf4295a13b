"""An execution service that was away for longer than orders are sent again: it is asked what became of them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.paper.journal import OrderLine
from sengine.proto import execution_pb2 as pb
from sengine.service.verification import verify
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until
from tests.integration.killable_parts import Parts
from tests.integration.process_host import ProcessHost
from tests.integration.service_record import Record

NewEngine = Callable[..., EngineProcess]
Start = Callable[..., Any]
MAKER = flipper(away=1.0) | {"id": "rest"}


class Wire:
    """Between engine and execution service. While it ``is_silent``, what the service says gets lost."""

    def __init__(self, service: Path) -> None:
        self.is_silent = False
        self.address = ""
        self._service = service
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        try:
            yield
        finally:
            server.close()
            await asyncio.gather(*self._connections)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._pass_on(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            from_service, to_service = await asyncio.open_unix_connection(str(self._service))
        except OSError:
            writer.close()
            return
        there = asyncio.create_task(self._copy(reader, to_service))
        back = asyncio.create_task(self._copy(from_service, writer, can_be_silent=True))
        await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        for each in (writer, to_service):
            each.close()
        await asyncio.gather(there, back, return_exceptions=True)

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, can_be_silent: bool = False
    ) -> None:
        while data := await reader.read(65536):
            if not (can_be_silent and self.is_silent):
                writer.write(data)
                await writer.drain()


@pytest.fixture
async def start(
    new_engine: NewEngine, broker: EmbeddedBroker, host: ProcessHost, tmp_path: Path
) -> AsyncIterator[Start]:
    """``await start(strategies, on_mismatch, *paper options)``: the parts, and the wire between them."""
    wire = Wire(tmp_path / "data" / "paper.sock")
    started: list[Parts] = []
    async with wire.listening():

        async def begin(strategies: Sequence[Any], on_mismatch: str = "halt", *paper: str) -> tuple[Parts, Wire]:
            engine = new_engine(
                {
                    "strategies": list(strategies),
                    "nats": {"url": broker.url},
                    # An order without an answer is too old to be sent again.
                    "execution": {"target": wire.address, "retry_for_ms": 200, "deadline_ms": 300},
                    "recovery": {"on_mismatch": on_mismatch},
                }
            )
            parts = Parts(engine, host, broker.url, *paper)
            started.append(parts)
            await parts.start("paper", "engine")
            return parts, wire

        yield begin
        for parts in started:
            parts.kill("engine", "paper")


def unknown(engine: EngineProcess) -> float:
    return engine.metric("sengine_order_outcomes_total{outcome=unknown}")


async def test_order_that_it_had_received_is_booked_once_it_is_back(start: Start, broker: EmbeddedBroker) -> None:
    # Its fills go astray too: what is heard of them is heard by asking.
    parts, wire = await start([flipper()], "halt", "--set", "nats.topics.fills=astray")
    engine = parts.engine
    async with publisher(broker.url) as (_, publish):
        wire.is_silent = True
        await publish([book(1)])
        await until(lambda: unknown(engine) == 1 and Record(engine).fills, what="an unknown order that was filled")
        assert engine.positions() == []
        parts.kill("paper")
        wire.is_silent = False
        await parts.start("paper")
        await until(lambda: engine.metric("sengine_orders_open") == 0, what="news of the order")
    assert [each["quantity"] for each in engine.positions()] == [1.0]
    (told,) = engine.said("orders are reconciled")
    assert (told["fills_taken_over"], told["never_arrived"], told["mismatches"]) == (1, 0, 0)
    Record(engine).check_orders()
    assert len(Record(engine).requests) == 1
    parts.kill("engine")
    (check,) = verify(engine.folder / "data" / "journal")
    assert check.is_equal, check
    assert check.fills == 1


async def test_order_that_it_never_got_is_closed_once_it_is_back(start: Start, broker: EmbeddedBroker) -> None:
    parts, _ = await start([flipper()])
    engine = parts.engine
    async with publisher(broker.url) as (_, publish):
        os.kill(parts.paper_pid, signal.SIGSTOP)
        await publish([book(1)])
        await until(lambda: unknown(engine) == 1, what="an unknown order")
        parts.kill("paper")
        assert engine.metric("sengine_orders_open") == 1
        await parts.start("paper")
        await until(lambda: engine.metric("sengine_orders_open") == 0, what="news of the order")
        assert engine.positions() == []
        (told,) = engine.said("orders are reconciled")
        assert (told["fills_taken_over"], told["never_arrived"], told["mismatches"]) == (0, 1, 0)
        # It trades on: the flipper sells next.
        await publish([book(2)])
        await until(engine.positions, what="the next order's fill")
    assert [each["quantity"] for each in engine.positions()] == [-1.0]
    record = Record(engine)
    record.check_orders()
    assert len(record.orders) == 2
    assert len(record.requests) == 1
    parts.kill("engine")
    (check,) = verify(engine.folder / "data" / "journal")
    assert check.is_equal, check


@pytest.mark.parametrize("on_mismatch", ["halt", "adopt"])
async def test_what_does_not_fit_once_it_is_back_is_told(
    start: Start, broker: EmbeddedBroker, on_mismatch: str
) -> None:
    parts, _ = await start([MAKER], on_mismatch)
    engine = parts.engine
    async with publisher(broker.url) as (_, publish):
        await publish([book(1)])
        await until(lambda: len(Record(engine).requests) == 1, what="a resting order")
        parts.kill("paper")
        request = pb.OrderRequest(
            client_order_id="nobodys", symbol="BTCUSDT", side=pb.SIDE_BUY, type=pb.ORDER_TYPE_LIMIT, quantity=7.0,
            limit_price=1.0, timestamp_ns=1,
        )  # fmt: skip
        reply = pb.OrderReply(client_order_id="nobodys", status=pb.ORDER_STATUS_ACCEPTED, timestamp_ns=1)
        with (engine.folder / "data" / "paper.journal").open("ab") as file:
            file.write(msgspec.json.encode(OrderLine(request.SerializeToString(), reply.SerializeToString())) + b"\n")
        await parts.start("paper")
        told = "the execution service has an open order nobodys, which is not on record here: buy 7 BTCUSDT"
        await until(lambda: engine.said(told), what="the mismatch in the log")
        if on_mismatch == "halt":
            await until(lambda: told in engine.get("/ready").get("reasons", ()), what="the mismatch at /ready")
            await until(lambda: engine.metric("sengine_orders_open") == 0, what="the cancelled order")
            assert (engine.folder / "data" / "KILL").read_text().startswith("reconciliation: ")
        else:
            assert engine.get("/ready")["status"] == "ready"
            assert engine.metric("sengine_orders_open") == 1
    parts.kill("engine")
    (check,) = verify(engine.folder / "data" / "journal")
    assert check.is_equal, check
