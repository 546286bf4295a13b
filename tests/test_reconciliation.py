"""When the execution service is asked about orders: before a fill can be missed, and when one may have been."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import nats
import pytest

from sengine.adapters.execution.gateway import ExecutionGateway
from sengine.adapters.execution.stats import GatewayStats
from sengine.adapters.nats.broker import EmbeddedBroker, Login
from sengine.adapters.nats.feed import NatsFeed
from sengine.adapters.nats.publisher import Publisher
from sengine.adapters.paper.messages import fill_message
from sengine.config import Config
from sengine.config.schema import ExecutionConfig, NatsConfig, NatsFillsConfig
from sengine.domain.events import AcceptFill, BookEvent, Rearm, RefuseFill
from sengine.domain.order import Fill
from sengine.domain.signal import Signal
from sengine.proto import execution_pb2 as pb
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from sengine.service.reconciliation import Reconciliation
from tests.adapters.slow_execution import SlowExecution
from tests.engine.conftest import Actor, engine_with, ladder
from tests.patience import PATIENCE_S

T0 = 1_700_000_000_000_000_000
BOOK = ladder([(99.0, 5.0)], [(101.0, 5.0)])
UNASKED = "positions may miss fills"


class Service(SlowExecution):
    """An execution service that keeps a record: what it filled, and how orders are."""

    def __init__(self) -> None:
        super().__init__()
        self.fills: list[Fill] = []
        self.states: dict[str, pb.OrderState] = {}
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.reports: asyncio.Queue[pb.OrderReport] = asyncio.Queue()

    async def Reconcile(self, request: pb.ReconcileRequest, context: Any) -> Any:  # noqa: N802
        self.asked += 1
        await self.may_answer.wait()
        for each in self.fills:
            if each.timestamp_ns >= request.since_ns:
                yield pb.ReconcileItem(fill=fill_message(each))
        for order_id in request.client_order_ids:
            yield pb.ReconcileItem(order=self.states.get(order_id, pb.OrderState(client_order_id=order_id)))

    def know(self, order_id: str, status: int = pb.ORDER_STATUS_ACCEPTED, filled: float = 0.0) -> None:
        self.states[order_id] = pb.OrderState(
            client_order_id=order_id, status=status, symbol="BTC", side=pb.SIDE_BUY, quantity=1.0,
            filled_quantity=filled, timestamp_ns=T0,
        )  # fmt: skip

    def fill(self, order_id: str, fill_id: str, quantity: float = 1.0) -> Fill:
        """Fill an order without a word on the broker."""
        done = fill(order_id, fill_id, quantity)
        self.fills.append(done)
        filled = sum(each.quantity for each in self.fills if each.order_id == order_id)
        self.know(order_id, pb.ORDER_STATUS_FILLED if filled >= 1.0 else pb.ORDER_STATUS_ACCEPTED, filled)
        return done


def fill(order_id: str, fill_id: str, quantity: float = 1.0) -> Fill:
    return Fill(order_id, "", "BTC", "buy", 101.0, quantity, 0.0, T0 + 5, fill_id)


class Parts:
    """An engine with orders in flight, and all that its fills come through."""

    def __init__(
        self, broker: EmbeddedBroker, service: Service, orders: int, grace_ms: float, durable: str = ""
    ) -> None:
        actor = Actor("a", *(Signal(direction="LONG", confidence=1.0) for _ in range(orders)))
        self.live = LiveEngine(engine_with(actor, order_prefix="s-"))
        for step in range(orders):
            self.live.process(BookEvent("BTC", T0 + step, BOOK))
            service.know(f"s-{step + 1}")
        nats_config = NatsConfig(url=broker.url, fills=NatsFillsConfig(durable=durable))
        config = Config(execution=ExecutionConfig(fill_grace_ms=grace_ms), nats=nats_config)
        self.config = config
        self.facts = ServiceStatus("test", strategies_are_loaded=True)
        self.feed = NatsFeed(config.nats, broker.url, self.live, holds=True)
        self.facts.feed = self.feed.stats
        self.gateway = ExecutionGateway(service.address, config.execution, self.live, GatewayStats())
        self.reconciliation = Reconciliation(self.live, self.facts, config, self.gateway, self.feed)

    @property
    def held(self) -> float:
        return self.live.engine.portfolio.quantity("a", "BTC")

    @property
    def why_not_ready(self) -> str:
        return "; ".join(self.facts.not_ready_because(self.live))

    @property
    def said(self) -> list[str]:
        return [line.event for line in self.live.logs.history]


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "broker", login=Login.random())
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    service.may_answer.set()
    await service.stop()


@pytest.fixture
async def start(broker: EmbeddedBroker, service: Service) -> AsyncIterator[Callable[..., Any]]:
    """Starts the parts; ``watched`` ones have been through ``at_start``."""
    begun: list[Any] = []

    async def begin(orders: int = 1, *, watched: bool = True, grace_ms: float = 50.0, durable: str = "") -> Parts:
        parts = Parts(broker, service, orders, grace_ms, durable)
        await parts.gateway.start()
        begun.append(parts)
        if watched:
            await parts.feed.start()
            assert await parts.reconciliation.at_start()
            begun.append(asyncio.create_task(parts.reconciliation.watch()))
        return parts

    yield begin
    for each in reversed(begun):
        if isinstance(each, asyncio.Task):
            each.cancel()
            await asyncio.gather(each, return_exceptions=True)
        else:
            await each.feed.stop()
            await each.gateway.stop(0.0)


async def report(parts: Parts, order_id: str, status: int, filled: float) -> None:
    """As the service's own news of an order comes over the gateway's stream."""
    cause = pb.REPORT_CAUSE_MARKET
    parts.gateway._take(
        pb.OrderReport(client_order_id=order_id, status=status, cause=cause, filled_quantity=filled, timestamp_ns=T0)
    )


async def test_the_service_is_asked_only_once_fills_are_subscribed_to(
    broker: EmbeddedBroker, service: Service, start: Callable[..., Any]
) -> None:
    """A fill between the question and the subscription would be in neither."""
    await broker.stop()
    parts = await start(watched=False)
    await parts.feed.start()
    starting = asyncio.create_task(parts.reconciliation.at_start())
    await until(lambda: "trading waits for the broker" in parts.why_not_ready)
    await until(lambda: parts.gateway.stats.state == "connected")
    assert service.asked == 0
    service.fill("s-1", "f1")

    await broker.start()

    assert await asyncio.wait_for(starting, PATIENCE_S)
    assert parts.held == 1.0
    assert parts.why_not_ready == ""


async def test_fills_that_come_while_the_service_is_asked_wait_and_count_once(
    broker: EmbeddedBroker, service: Service, start: Callable[..., Any]
) -> None:
    parts = await start(2, watched=False)
    service.may_answer.clear()
    await parts.feed.start()
    starting = asyncio.create_task(parts.reconciliation.at_start())
    await until(lambda: service.asked == 1)
    connection = await nats.connect(broker.url)
    publisher = Publisher(connection)
    await publisher.publish_fill(service.fill("s-1", "f1"))
    await publisher.publish_fill(fill("s-2", "f2"))
    await publisher.publish(BookEvent("BTC", T0 + 50, BOOK))
    await publisher.flush()
    await connection.close()
    await until(lambda: len(parts.feed._held) == 2)
    assert (parts.held, parts.live.engine.ticks) == (0.0, 2)

    service.may_answer.set()

    assert await asyncio.wait_for(starting, PATIENCE_S)
    assert parts.held == 2.0
    # The one that was in both is nothing to be told of.
    assert not parts.live.engine.anomalies


async def test_fills_of_a_brokers_outage_are_asked_for_once_it_is_back(
    broker: EmbeddedBroker, service: Service, start: Callable[..., Any]
) -> None:
    parts = await start()
    asked = service.asked
    service.may_answer.clear()
    os.kill(broker.pid, signal.SIGKILL)
    await broker.wait()
    await until(lambda: UNASKED in parts.why_not_ready)
    service.fill("s-1", "f1")
    await broker.start()
    await until(lambda: service.asked > asked)
    assert parts.feed.stats.state == "connected"
    assert UNASKED in parts.why_not_ready

    service.may_answer.set()

    await until(lambda: parts.why_not_ready == "")
    assert parts.held == 1.0
    assert parts.live.engine.orders.count == 0


async def test_what_differs_from_the_services_record_is_told_when_it_comes(
    broker: EmbeddedBroker, service: Service, start: Callable[..., Any]
) -> None:
    parts = await start(watched=False)
    service.fill("s-1", "f1")
    await parts.feed.start()
    assert await parts.reconciliation.at_start()
    connection = await nats.connect(broker.url)
    publisher = Publisher(connection)
    for each in (fill("s-1", "f1", 0.5), fill("s-1", "f1"), fill("s-1", "f1")):
        await publisher.publish_fill(each)
    await publisher.flush()
    await connection.close()
    await until(lambda: parts.feed.stats.fills == 3)
    assert parts.held == 1.0
    assert parts.live.engine.anomalies == {"duplicate_fill": 2}


async def test_a_part_that_filled_before_an_order_was_cancelled_is_asked_for_too(
    broker: EmbeddedBroker, service: Service, start: Callable[..., Any]
) -> None:
    """The order is open no longer when the broker is back, and its fill was published to nobody."""
    parts = await start()
    os.kill(broker.pid, signal.SIGKILL)
    await broker.wait()
    await until(lambda: UNASKED in parts.why_not_ready)
    service.fill("s-1", "f1", 0.25)
    service.know("s-1", pb.ORDER_STATUS_CANCELLED, 0.25)
    await report(parts, "s-1", pb.ORDER_STATUS_CANCELLED, 0.25)
    assert parts.live.engine.orders.count == 0
    await broker.start()
    await until(lambda: parts.why_not_ready == "")
    assert parts.held == 0.25


async def test_a_filled_order_without_its_fill_is_asked_for_after_the_grace(
    service: Service, start: Callable[..., Any]
) -> None:
    parts = await start()
    service.fill("s-1", "f1")
    await report(parts, "s-1", pb.ORDER_STATUS_FILLED, 1.0)
    await until(lambda: parts.held == 1.0)
    (warning,) = [line for line in parts.said if "asking for them" in line]
    assert warning.startswith("order s-1: the execution service says that 1 of 1 are filled, and its fills make 0")
    assert parts.why_not_ready == ""


async def test_a_cancelled_order_with_a_part_that_did_not_come_is_asked_for(
    service: Service, start: Callable[..., Any]
) -> None:
    parts = await start()
    service.fill("s-1", "f1", 0.25)
    service.know("s-1", pb.ORDER_STATUS_CANCELLED, 0.25)
    await report(parts, "s-1", pb.ORDER_STATUS_CANCELLED, 0.25)
    await until(lambda: parts.held == 0.25)


async def test_fills_that_come_within_the_grace_are_not_asked_for(service: Service, start: Callable[..., Any]) -> None:
    parts = await start(grace_ms=60_000.0)
    asked = service.asked
    await report(parts, "s-1", pb.ORDER_STATUS_FILLED, 1.0)
    parts.live.process(fill("s-1", "f1"))
    parts.reconciliation._missing._look()
    assert service.asked == asked
    assert not [line for line in parts.said if "asking for them" in line]


async def test_fills_that_nobody_has_keep_the_engine_from_being_ready(
    service: Service, start: Callable[..., Any]
) -> None:
    parts = await start(5)
    for number in range(1, 6):
        service.know(f"s-{number}", pb.ORDER_STATUS_FILLED, 1.0)
        await report(parts, f"s-{number}", pb.ORDER_STATUS_FILLED, 1.0)
    await until(lambda: parts.live.engine.kill_reason.startswith("reconciliation: order s-1"))
    assert "fills are missing: order s-1: the execution service says that 1 of 1 are filled" in parts.why_not_ready
    assert "fills of 2 more orders are missing" in parts.why_not_ready
    parts.live.process(Rearm())
    parts.facts.on_adopt()
    assert (parts.why_not_ready, parts.live.engine.orders.count, parts.held) == ("", 0, 0.0)


async def test_a_fill_that_waits_for_a_person_is_not_missing(service: Service, start: Callable[..., Any]) -> None:
    parts = await start()
    parts.live.process(Fill("s-1", "", "BTC", "buy", 1e9, 1.0, 0.0, T0, "f1"))
    service.know("s-1", pb.ORDER_STATUS_FILLED, 1.0)
    await report(parts, "s-1", pb.ORDER_STATUS_FILLED, 1.0)
    assert not parts.reconciliation._missing.late()
    asked = service.asked
    parts.reconciliation._broker_is_lost()
    parts.reconciliation._broker_is_back()
    await until(lambda: service.asked > asked)
    await until(lambda: not parts.facts.unreconciled)
    assert not parts.live.engine.kill_reason


async def test_a_fill_that_cannot_be_read_is_asked_for(
    broker: EmbeddedBroker, service: Service, start: Callable[..., Any]
) -> None:
    parts = await start()
    service.fill("s-1", "f1")
    connection = await nats.connect(broker.url)
    await connection.publish("fills", b'{"fill_id": "f1", "order_id": "s-1", "price": "much"}')
    await connection.close()
    await until(lambda: parts.held == 1.0)


async def test_a_service_that_is_back_is_asked_though_every_order_is_on_its_way_to_it_anew(
    service: Service, start: Callable[..., Any]
) -> None:
    """It may have forgotten or made up orders while it was away: an order that is unknown here has to be told."""
    parts = await start()
    asked = service.asked
    parts.gateway.is_under_way = lambda order_id: True  # type: ignore[method-assign]
    parts.gateway.on_reconnected()
    await until(lambda: service.asked > asked)


async def test_fills_that_the_broker_has_and_the_journal_has_lost_wait_for_a_person(
    broker: EmbeddedBroker, service: Service, start: Callable[..., Any]
) -> None:
    before = await start(2, durable="desk")
    connection = await nats.connect(broker.url)
    publisher = Publisher(connection)
    for each in (fill("s-1", "f1"), fill("s-2", "f2"), fill("s-3", "f3"), fill("other-9", "f4")):
        await publisher.publish_fill(each)
    await publisher.flush()
    jetstream = connection.jetstream()
    async with asyncio.timeout(PATIENCE_S):
        while (await jetstream.consumer_info("SENGINE_FILLS", "desk")).ack_floor.stream_seq < 4:
            await asyncio.sleep(0.01)
    await connection.close()
    await before.feed.stop()

    # An engine whose journal still has both orders and the first fill, but not the second, nor any third order.
    service.know("s-1", pb.ORDER_STATUS_FILLED, 1.0)
    again = await start(2, watched=False, durable="desk")
    again.live.process(fill("s-1", "f1"))
    await again.feed.start()

    assert not await again.reconciliation.at_start("s-")

    assert [each.fill.fill_id for each in again.live.engine.held_fills.waiting] == ["f2", "f3"]
    assert "it lacks 2 of the last fills that the broker has" in again.live.engine.kill_reason
    assert "the end of the journal is lost" in again.why_not_ready
    assert "a fill waits for you: f2" in again.why_not_ready
    again.live.process(AcceptFill("f2"))
    again.live.process(RefuseFill("f3"))
    assert again.held == 2.0
    await again.feed.stop()
    # What a person decided is not asked again.
    feed = NatsFeed(again.config.nats, broker.url, again.live)
    await feed.start()
    assert await feed.connected(PATIENCE_S)
    assert not [each for each in await feed.acknowledged_fills() if again.live.engine.lacks(each, "s-")]
    await feed.stop()


def test_fills_are_durable_with_the_embedded_broker_and_plain_with_another() -> None:
    assert NatsConfig().durable == "sengine"
    assert NatsConfig(url="nats://127.0.0.1").durable == ""
