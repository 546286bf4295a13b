"""Fills through JetStream, with a broker that outlives the engine: none is lost, and none counts twice."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerInfo

from sengine.adapters.nats.broker import EmbeddedBroker, Login
from sengine.adapters.nats.durable_fills import STREAM
from tests.adapters.slow_execution import SlowExecution
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until
from tests.integration.test_faults import fill, held
from tests.patience import PATIENCE_S

NewEngine = Callable[..., EngineProcess]
DURABLE = "desk"
UNKNOWN = "sengine_anomalies_total{kind=unknown_order_fill}"
DUPLICATE = "sengine_anomalies_total{kind=duplicate_fill}"


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "broker", login=Login.random())
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def connection(broker: EmbeddedBroker) -> AsyncIterator[Client]:
    connection = await nats.connect(broker.url)
    yield connection
    await connection.close()


@pytest.fixture
async def service() -> AsyncIterator[SlowExecution]:
    service = SlowExecution()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
async def engine(new_engine: NewEngine, broker: EmbeddedBroker, service: SlowExecution) -> EngineProcess:
    engine = new_engine(
        {
            "strategies": [flipper()],
            "nats": {"url": broker.url, "fills": {"durable": DURABLE}},
            "execution": {"target": service.address},
        }
    )
    engine.start()
    await engine.ready()
    return engine


async def consumer(connection: Client) -> ConsumerInfo:
    return await connection.jetstream().consumer_info(STREAM, DURABLE)


async def until_consumer(
    connection: Client, condition: Callable[[ConsumerInfo], bool], timeout_s: float = PATIENCE_S
) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition(await consumer(connection)):
            await asyncio.sleep(0.02)


def is_settled(info: ConsumerInfo) -> bool:
    """Everything delivered, and everything acknowledged."""
    return info.num_pending == 0 and info.num_ack_pending == 0


async def bought(engine: EngineProcess, service: SlowExecution, broker: EmbeddedBroker) -> str:
    """The id of an order that the engine has sent and nobody has filled."""
    async with publisher(broker.url) as (_, publish):
        await publish([book(1)])
        await until(lambda: len(service.submitted()) == 1)
    return service.submitted()[0]


async def test_fills_of_the_time_without_an_engine_arrive_once_it_is_back(
    engine: EngineProcess, connection: Client
) -> None:
    assert await engine.terminate() == 0
    for number in (1, 2, 3):
        await connection.publish("fills", fill("elsewhere", number=number))
    await connection.flush()
    await until_consumer(connection, lambda info: info.num_pending == 3)

    engine.stderr.write_bytes(b"")
    engine.start()
    await engine.ready()

    # Nobody's orders, so they are counted and not booked; they did arrive, and are acknowledged.
    await until(lambda: engine.metric(UNKNOWN) == 3)
    await until_consumer(connection, is_settled)


async def test_a_fill_is_acknowledged_only_after_it_is_applied(
    engine: EngineProcess, service: SlowExecution, broker: EmbeddedBroker, connection: Client
) -> None:
    order_id = await bought(engine, service, broker)
    os.kill(engine.pid, signal.SIGSTOP)
    await connection.publish("fills", fill(order_id))
    await until_consumer(connection, lambda info: info.num_ack_pending == 1)

    os.kill(engine.pid, signal.SIGCONT)

    await until(lambda: held(engine) == 1.0)
    await until_consumer(connection, is_settled)


async def test_a_fill_that_comes_twice_counts_once(
    engine: EngineProcess, service: SlowExecution, broker: EmbeddedBroker, connection: Client
) -> None:
    order_id = await bought(engine, service, broker)
    jetstream = connection.jetstream()
    # The first pair is told apart by JetStream, as both carry an id; the plain repetition by the engine.
    for _ in range(2):
        await jetstream.publish("fills", fill(order_id), headers={"Nats-Msg-Id": "f"})
    await connection.publish("fills", fill(order_id))
    await until(lambda: engine.metric(DUPLICATE) == 1)
    await until_consumer(connection, is_settled)

    assert held(engine) == 1.0
    assert (await jetstream.stream_info(STREAM)).state.messages == 2


async def test_a_fill_that_a_killed_engine_had_not_acknowledged_is_delivered_again(
    engine: EngineProcess, connection: Client
) -> None:
    os.kill(engine.pid, signal.SIGSTOP)
    await connection.publish("fills", fill("elsewhere"))
    # It is in the hands of an engine that dies before it can acknowledge.
    await until_consumer(connection, lambda info: info.num_ack_pending == 1)
    engine.kill()

    engine.stderr.write_bytes(b"")
    engine.start()
    await engine.ready()

    await until(lambda: engine.metric(UNKNOWN) == 1)
    await until_consumer(connection, is_settled)
    assert (await consumer(connection)).delivered.consumer_seq == 2
