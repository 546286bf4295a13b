"""From a tick's publication on NATS until its order reaches the execution service: the engine against a bare
subscriber that calls gRPC, in one run, by turns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from time import perf_counter, time_ns
from typing import Any

import grpc.aio
import msgspec
import nats
import uvloop
from nats.aio.client import Client

from replay.synthetic import generate_quotes
from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.nats.wire_encoding import encode_book, encode_fill
from sengine.domain.events import BookEvent
from sengine.domain.order import Fill, Side
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionServicer, add_OrderExecutionServicer_to_server
from tests.benchmarks.live_parts import HERE, frozen_heap, percentile, running, said

SECONDS = 30
"""Of each of the two, in phases of ``PHASE_S``."""
PHASE_S = 2
TICKS_PER_S = 2_000
ORDER_EVERY = 10
ENGINE, BARE = "market_data.BTCUSDT.orderbook", "bare.BTCUSDT.orderbook"

ALTERNATING = f"""
from sengine.strategy import BaseStrategy, MarketData, Plugin, Signal

plugin = Plugin("alternating", "1.0.0", "An order on every tenth tick")


class Alternating(BaseStrategy):
    ticks = 0

    def on_tick(self, data: MarketData) -> Signal | None:
        self.ticks += 1
        if self.ticks % {ORDER_EVERY} != 1:
            return None
        direction = "LONG" if self.ticks % {2 * ORDER_EVERY} == 1 else "SHORT"
        return Signal(symbol=data.symbol, direction=direction, confidence=1.0, size=1.0)


def create_strategy() -> BaseStrategy:
    return Alternating("alternating")
"""


def _config(folder: Path, broker_url: str, execution: str) -> Path:
    """Five strategies: one sends orders, the votes of the others are refused, so that both sides send as many."""
    (folder / "alternating.py").write_text(ALTERNATING)
    strategies: list[dict[str, object]] = [{"id": "alternating", "plugin": "alternating", "route": "direct"}]
    strategies += [
        {"id": f"{plugin}_{number}", "plugin": plugin, "config": config}
        for plugin, config in (("momentum", {"long_window": 60}), ("rsi", {"period": 14}))
        for number in (1, 2)
    ]
    config = {
        "service": {"port": 0, "data_directory": str(folder / "data")},
        "nats": {"url": broker_url},
        "plugins": {"directory": str(folder)},
        "strategies": strategies,
        "risk": {
            "filters": [
                {"type": "confidence", "min_confidence": 1.0},
                {"type": "position_limit", "max_position": 10.0},
                {"type": "drawdown", "max_drawdown": 0.9},
            ]
        },
        "execution": {"target": execution},
    }
    file = folder / "engine.yaml"
    file.write_bytes(msgspec.yaml.encode(config))
    return file


class _Execution(OrderExecutionServicer):
    """Notes when each order came, accepts it, and publishes its fill."""

    def __init__(self, connection: Client) -> None:
        self.arrived_ns: dict[int, int] = {}
        """First order of each tick: the tick's time of publication to its own arrival."""
        self.orders = 0
        self._connection = connection

    async def Orders(self, _: Any, context: Any) -> None:  # noqa: N802
        while (command := await context.read()) is not grpc.aio.EOF:
            now_ns, order = time_ns(), command.submit
            self.arrived_ns.setdefault(order.timestamp_ns, now_ns)
            self.orders += 1
            await context.write(
                pb.OrderReport(
                    client_order_id=order.client_order_id,
                    status=pb.ORDER_STATUS_ACCEPTED,
                    cause=pb.REPORT_CAUSE_SUBMIT,
                )
            )
            side = Side.BUY if order.side == pb.SIDE_BUY else Side.SELL
            name = order.client_order_id
            fill = Fill(name, "", order.symbol, side, 60_000.0, order.quantity, 0.0, order.timestamp_ns, f"fill-{name}")
            # The engine must not be bothered with fills of orders that are not its own.
            subject = "bare.fills" if name.startswith("bare-") else "fills"
            await self._connection.publish(subject, encode_fill(fill))


class _Market:
    """Publishes ticks at a steady rate; uvloop's timers have a millisecond, so they go out two by two."""

    def __init__(self, connection: Client) -> None:
        self._publish = connection.publish
        self._books = cycle(islice(generate_quotes(None, ["BTCUSDT"], 1), 50_000))

    async def run(self, subject: str, seconds: float) -> list[int]:
        """Publish, and return the times of those ticks that are to bring an order."""
        ticks, sent, began_s = int(seconds * TICKS_PER_S), 0, perf_counter()
        asked_ns: list[int] = []
        while sent < ticks:
            due = min(ticks, int((perf_counter() - began_s) * TICKS_PER_S) + 1)
            for _ in range(due - sent):
                book = next(self._books)
                published_ns = time_ns()
                await self._publish(subject, encode_book(BookEvent(book.symbol, published_ns, book.book)))
                if sent % ORDER_EVERY == 0:
                    asked_ns.append(published_ns)
                sent += 1
            await asyncio.sleep(0.001)
        return asked_ns


async def _measure(folder: Path) -> dict[str, list[list[float]]]:
    """Milliseconds from publication to order, phase by phase, of each subject."""
    broker = EmbeddedBroker(folder / "broker")
    await broker.start()
    connection = await nats.connect(broker.url)
    execution = _Execution(connection)
    server = grpc.aio.server()
    add_OrderExecutionServicer_to_server(execution, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    await server.start()
    config = _config(folder, broker.url, address)
    engine_log, bare_log = folder / "engine.log", folder / "bare.log"
    latencies_ms: dict[str, list[list[float]]] = {ENGINE: [], BARE: []}
    try:
        async with (
            running("-m", "sengine", "run", "--no-tui", "-c", str(config), log=engine_log),
            running(str(HERE / "live_bare_trader.py"), broker.url, address, BARE, log=bare_log),
        ):
            await said(engine_log, "connected to NATS", "connected to the execution service")
            await said(bare_log, "ready")
            market = _Market(connection)
            for subject in (BARE, ENGINE):  # windows fill, connections warm up
                await market.run(subject, 1.0)
            with frozen_heap():
                for _ in range(SECONDS // PHASE_S):
                    for subject in (BARE, ENGINE):
                        asked_ns = await market.run(subject, PHASE_S)
                        await asyncio.sleep(0.3)
                        lost = [tick for tick in asked_ns if tick not in execution.arrived_ns]
                        assert not lost, f"{subject}: {len(lost)} of {len(asked_ns)} orders did not arrive"
                        latencies_ms[subject].append([(execution.arrived_ns[tick] - tick) / 1e6 for tick in asked_ns])
                        execution.arrived_ns.clear()
    finally:
        await server.stop(0)
        await connection.close()
        await broker.stop()
    return latencies_ms


def test_an_order_reaches_the_execution_service_within_a_millisecond_of_a_bare_call(
    tmp_path: Path, figure: Callable[..., None]
) -> None:
    latencies_ms = uvloop.run(_measure(tmp_path))
    p99 = {}
    for subject, name in ((BARE, "bare nats-py and grpc.aio"), (ENGINE, "engine, 5 strategies")):
        samples = [latency for phase in latencies_ms[subject] for latency in phase]
        p99[subject] = percentile(samples, 0.99)
        figure(f"publish to order, {name}, p50", median(samples), "ms")
        figure(f"publish to order, {name}, p99", p99[subject], "ms")
    figure("publish to order, p99 of the engine - p99 of bare, of all", p99[ENGINE] - p99[BARE], "ms")
    pairs = zip(latencies_ms[ENGINE], latencies_ms[BARE], strict=True)
    figure(
        "publish to order, p99 of the engine - p99 of bare, by turns",
        median(percentile(engine, 0.99) - percentile(bare, 0.99) for engine, bare in pairs),
        "ms",
        at_most=1.0,
        note=f"{TICKS_PER_S} ticks/s for {SECONDS} s each, median of {SECONDS // PHASE_S} pairs",
    )
