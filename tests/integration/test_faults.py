"""What the outside can do to a running engine, with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.nats.wire_encoding import encode_book
from tests.adapters.slow_execution import SlowExecution
from tests.integration.engine_process import T0, EngineProcess, book, flipper, is_running, publisher, until
from tests.patience import PATIENCE_S

Running = Callable[..., Awaitable[EngineProcess]]
NewEngine = Callable[..., EngineProcess]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def held(engine: EngineProcess) -> float:
    return sum(position["quantity"] for position in engine.positions())


async def test_killed_broker_comes_back_and_trading_goes_on(running: Running) -> None:
    engine = await running(strategies=[flipper()])
    url = engine.listeners["nats broker"]
    async with publisher(url) as (_, publish):
        await publish([book(1)])
    await until(lambda: held(engine) == 1.0)
    broker = engine.child("nats-server")
    os.kill(broker, signal.SIGKILL)
    await until(lambda: not is_running(broker))
    await until(lambda: engine.metric("sengine_feed_reconnects_total") == 1)
    await until(lambda: engine.get("/ready")["status"] == "ready")
    assert engine.child("nats-server") != broker
    async with publisher(url) as (_, publish):
        step = 1
        # The paper service connects again on its own; its fill shows that it has.
        while held(engine) == 1.0 and step < 200:
            step += 1
            await publish([book(step)])
            await asyncio.sleep(0.05)
        await until(lambda: engine.metric("sengine_orders_open") == 0)
    assert engine.metric("sengine_orders_sent_total") == step
    assert held(engine) == step % 2


async def test_absent_broker_is_waited_for(new_engine: NewEngine, tmp_path: Path) -> None:
    port = free_port()
    engine = new_engine({"strategies": [flipper()], "nats": {"url": f"nats://127.0.0.1:{port}"}})
    engine.start()
    await engine.listening()
    assert engine.get("/health")["status"] == "ok"
    assert engine.get("/ready")["reasons"] == ["the broker is not connected: reconnecting"]
    broker = EmbeddedBroker(tmp_path / "broker", port)
    await broker.start()
    try:
        await engine.ready()
        async with publisher(broker.url) as (_, publish):
            await publish([book(1)])
            await until(lambda: engine.ticks() == 1)
        assert await engine.terminate() == 0
        assert broker.running
    finally:
        await broker.stop()


async def test_killed_paper_service_comes_back_and_orders_fill_again(running: Running) -> None:
    engine = await running(strategies=[flipper()])
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        await until(lambda: held(engine) == 1.0)
        paper = engine.child("sengine paper")
        os.kill(paper, signal.SIGKILL)
        await until(lambda: engine.child("sengine paper") not in (0, paper))
        await until(lambda: engine.said("the paper execution service runs again"))
        await until(lambda: engine.metric("sengine_gateway_connected") == 1)
        await publish([book(2)])
        await until(lambda: held(engine) == 0.0)
    assert engine.metric("sengine_orders_open") == 0


async def test_slow_execution_service_holds_up_nothing_and_gets_each_order_once(running: Running) -> None:
    service = SlowExecution(delay_s=2.0)
    address = await service.start()
    try:
        engine = await running(strategies=[flipper()], execution={"target": address, "deadline_ms": 300})
        async with publisher(engine.listeners["nats broker"]) as (connection, publish):
            await publish(book(step) for step in range(1, 51))
            await until(lambda: engine.ticks() == 50)
            await until(lambda: engine.metric("sengine_order_outcomes_total{outcome=unknown}") == 50)
            # Unknown is not rejected: all of it is still in flight, and the late answer is taken.
            assert engine.metric("sengine_orders_open") == 50
            await until(lambda: engine.metric("sengine_order_outcomes_total{outcome=accepted}") == 50)
            assert len(service.submitted()) == len(set(service.submitted())) == 50
            for order_id in service.submitted()[:1]:
                await connection.publish("fills", fill(order_id))
            await until(lambda: held(engine) == 1.0)
    finally:
        await service.stop()


async def test_flood_of_rubbish_is_counted_and_trading_goes_on(running: Running) -> None:
    engine = await running(strategies=[flipper()])
    url = engine.listeners["nats broker"]
    async with publisher(url) as (connection, publish):
        subject = "market_data.BTCUSDT.orderbook"
        rubbish = [b"", b"{", b"\xff\xfe\x00" * 100, b"[]", b'{"symbol":1}', b"null", os.urandom(1000)]
        for turn in range(500):
            for payload in rubbish:
                await connection.publish(subject, payload)
            await connection.publish(subject, b"\x08\x01", headers={"Content-Type": "application/x-protobuf"})
            await connection.publish("fills", rubbish[turn % len(rubbish)])
            if not turn % 100:
                await connection.publish(subject, b" " * 300_000)
                await connection.publish(subject, b"{}", headers={"X": "y" * 8000})
                await connection.flush()
        await connection.flush()
        send_raw(url, b"PUB market_data.\xff\xfe\x80.orderbook 2\r\n{}\r\nPUB fills 1\r\n\xff\r\n")
        await publish([book(1)])
        await until(lambda: held(engine) == 1.0)
    metrics = engine.metrics()
    rejected = {name: value for name, value in metrics.items() if name.startswith("sengine_market_data_rejected_total")}
    assert sum(rejected.values()) >= 8 * 500 + 10
    assert rejected["sengine_market_data_rejected_total{reason=oversized,stage=feed}"] == 10
    assert metrics["sengine_ticks_total"] == 1
    # Sampled into the log, not poured.
    assert len(engine.log()) < 100


async def test_fills_that_repeat_come_early_or_are_nobodys_count_once_or_not_at_all(running: Running) -> None:
    service = SlowExecution(delay_s=0.5)
    address = await service.start()
    try:
        engine = await running(strategies=[flipper(size=2.0)], execution={"target": address})
        async with publisher(engine.listeners["nats broker"]) as (connection, publish):
            await publish([book(1), book(2)])
            await until(lambda: len(service.submitted()) == 2)
            bought, sold = service.submitted()
            await connection.publish("fills", fill("nobodys"))
            # The later order's fill first, the second part before the first, and all before any answer.
            await connection.publish("fills", fill(sold, "sell", 0.5))
            for part in (2, 1, 2, 1):
                await connection.publish("fills", fill(bought, "buy", 1.0, part))
            await connection.flush()
            anomaly = "sengine_anomalies_total{kind=%s}"
            await until(lambda: engine.metric(anomaly % "duplicate_fill") == 2)
            assert engine.metric(anomaly % "unknown_order_fill") == 1
            assert held(engine) == 1.5
            await until(lambda: engine.metric("sengine_order_outcomes_total{outcome=accepted}") == 2)
            assert held(engine) == 1.5
            assert engine.metric("sengine_orders_open") == 1
    finally:
        await service.stop()


async def test_burst_of_100_000_messages_arrives_whole(running: Running) -> None:
    strategy = {"id": "momentum", "plugin": "momentum", "symbols": ["*"]}
    engine = await running(strategies=[strategy], execution={"target": "simulated"})
    count = 100_000
    async with publisher(engine.listeners["nats broker"]) as (connection, _):
        for step in range(1, count + 1):
            payload = encode_book(book(step, 100.0 + step % 7))
            await connection.publish("market_data.BTCUSDT.orderbook", b'%b,"seq":%d}' % (payload[:-1], step))
        await connection.flush()
        await until(lambda: engine.ticks() == count)
    metrics = engine.metrics()
    assert metrics["sengine_feed_dropped_total"] == 0
    assert not any(value for name, value in metrics.items() if name.startswith("sengine_feed_gaps_total"))


def fill(order_id: str, side: str = "buy", quantity: float = 1.0, number: int = 1) -> bytes:
    return orjson.dumps(
        {
            "fill_id": f"{order_id}-{number}",
            "order_id": order_id,
            "symbol": "BTCUSDT",
            "side": side,
            "price": 101.0,
            "quantity": quantity,
            "commission": 0.0,
            "timestamp": T0,
        }
    )


def send_raw(url: str, commands: bytes) -> None:
    """To the broker, past every client's checks."""
    server = urlsplit(url)
    hello = orjson.dumps({"verbose": False, "user": server.username or "", "pass": server.password or ""})
    with socket.create_connection((server.hostname, server.port), timeout=PATIENCE_S) as connection:
        connection.recv(4096)
        connection.sendall(b"CONNECT " + hello + b"\r\n" + commands + b"PING\r\n")
        said = b""
        while b"PONG" not in said:
            received = connection.recv(4096)
            assert received, said
            said += received
