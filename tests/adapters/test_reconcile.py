"""Orders in flight held against the execution service's record: what is news is taken over, the rest is told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest

from sengine.adapters.execution.peer import ExecutionPeer
from sengine.adapters.execution.reconcile import Answer, ask, close_absent, reconcile, settle
from sengine.adapters.paper.messages import fill_message
from sengine.adapters.paper.order_book import PaperOrderBook
from sengine.adapters.paper.venue import EventTimeVenue
from sengine.config.schema import ExecutionConfig
from sengine.domain.events import BookEvent
from sengine.domain.signal import Signal
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionServicer, add_OrderExecutionServicer_to_server
from sengine.runtime.live_engine import LiveEngine
from tests.adapters.slow_execution import SlowExecution
from tests.engine.conftest import Actor, engine_with, ladder

BOOK = ladder([(99.0, 5.0)], [(101.0, 5.0)])


def live_with_orders(count: int) -> LiveEngine:
    """An engine with market orders to buy 1 in flight."""
    actor = Actor("a", *(Signal(direction="LONG", confidence=1.0) for _ in range(count)))
    live = LiveEngine(engine_with(actor, order_prefix="s-"))
    for step in range(count):
        live.process(BookEvent("BTC", step + 1, BOOK))
    return live


def state(order_id: str, status: int, filled: float = 0.0) -> pb.OrderState:
    return pb.OrderState(
        client_order_id=order_id, status=status, symbol="BTC", side=pb.SIDE_BUY, quantity=1.0, filled_quantity=filled
    )


def fill(order_id: str, fill_id: str, quantity: float = 1.0) -> Any:
    from sengine.domain.order import Fill

    return Fill(order_id, "", "BTC", "buy", 101.0, quantity, 0.0, 5, fill_id)


def in_flight(live: LiveEngine) -> list[str]:
    return [working.order.order_id for working in live.engine.orders.open_orders()]


def test_missed_fills_are_applied_once_and_ended_orders_end() -> None:
    live = live_with_orders(4)
    live.process(fill("s-1", "f1"))
    answer = Answer(
        [fill("s-1", "f1"), fill("s-2", "f2")],
        {
            "s-2": state("s-2", pb.ORDER_STATUS_FILLED, 1.0),
            "s-3": state("s-3", pb.ORDER_STATUS_CANCELLED),
            "s-4": state("s-4", pb.ORDER_STATUS_ACCEPTED),
        },
        in_flight(live),
    )
    settled = settle(live, answer)
    assert (settled.fills, settled.ended, settled.absent, settled.mismatches) == (1, 1, [], [])
    assert live.engine.portfolio.quantity("a", "BTC") == 2.0
    assert in_flight(live) == ["s-4"]
    assert settle(live, answer).mismatches == []
    assert live.engine.portfolio.quantity("a", "BTC") == 2.0
    assert live.engine.anomalies == {}


def test_order_that_never_arrived_is_closed_and_not_sent_again() -> None:
    live = live_with_orders(1)
    settled = settle(live, Answer([], {"s-1": pb.OrderState(client_order_id="s-1")}, ["s-1"]))
    assert (settled.absent, settled.mismatches, in_flight(live)) == (["s-1"], [], ["s-1"])
    assert close_absent(live, settled.absent) == 1
    assert in_flight(live) == []
    assert close_absent(live, settled.absent) == 0
    assert live.engine.orders_sent == 1


def test_what_does_not_fit_is_told_a_sentence_each() -> None:
    live = live_with_orders(1)
    answer = Answer(
        [fill("x-9", "f9")],
        {"s-1": state("s-1", pb.ORDER_STATUS_ACCEPTED, 0.5), "x-8": state("x-8", pb.ORDER_STATUS_ACCEPTED)},
        ["s-1"],
    )
    unknown_fill, half_filled, unknown_order = settle(live, answer).mismatches
    assert "filled order x-9, which is not on record here: buy 1 BTC at 101" in unknown_fill
    assert "order s-1: the execution service says that 0.5 of 1 are filled, and its fills make 0" in half_filled
    assert "has an open order x-8, which is not on record here: buy 1 BTC" in unknown_order
    assert in_flight(live) == ["s-1"]


class Desk(OrderExecutionServicer):
    """A paper desk that answers Reconcile alone."""

    def __init__(self) -> None:
        self.desk = PaperOrderBook(EventTimeVenue(ExecutionConfig()), lambda fill: None)
        self.answers: list[list[pb.ReconcileItem]] = []
        """Given instead of the desk's."""

    async def Reconcile(self, request: pb.ReconcileRequest, context: Any) -> Any:  # noqa: N802
        prepared = self.answers.pop(0) if self.answers else None
        for item in prepared or self.desk.reconcile(request.since_ns, request.client_order_ids):
            yield item


@pytest.fixture
async def served() -> AsyncIterator[tuple[Desk, ExecutionPeer]]:
    service, server = Desk(), grpc.aio.server()
    add_OrderExecutionServicer_to_server(service, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield service, ExecutionPeer(f"127.0.0.1:{port}")
    await server.stop(0)


async def test_paper_desk_tells_orders_and_fills_over_the_wire(served: tuple[Desk, ExecutionPeer]) -> None:
    service, peer = served
    live = live_with_orders(700)
    for number in range(1, 601):
        kind = pb.ORDER_TYPE_MARKET if number > 1 else pb.ORDER_TYPE_LIMIT
        service.desk.submit(
            pb.OrderRequest(
                client_order_id=f"s-{number}", symbol="BTC", side=pb.SIDE_BUY, type=kind, quantity=1.0,
                limit_price=50.0 if number == 1 else 0.0, timestamp_ns=number,
            )
        )  # fmt: skip
    service.desk.on_book(BookEvent("BTC", 1000, BOOK))
    answer = await ask(peer, live.engine, live.say)
    assert answer is not None
    assert len(answer.fills) == 599
    assert len(answer.orders) == 700
    assert settle(live, answer).mismatches == []
    assert live.engine.portfolio.quantity("a", "BTC") == 599.0
    assert in_flight(live) == ["s-1", *(f"s-{number}" for number in range(601, 701))]
    assert await reconcile(peer, live) == []
    assert in_flight(live) == ["s-1"]


async def test_what_is_still_under_way_to_the_service_is_left_alone(served: tuple[Desk, ExecutionPeer]) -> None:
    _, peer = served
    live = live_with_orders(2)
    assert await reconcile(peer, live, lambda order_id: order_id == "s-2") == []
    assert in_flight(live) == ["s-2"]


async def test_what_fits_when_it_is_asked_again_is_no_mismatch(served: tuple[Desk, ExecutionPeer]) -> None:
    """The market moves while the service answers: its orders can be newer than its fills."""
    service, peer = served
    live = live_with_orders(1)
    news = fill("s-1", "f1", 0.5)
    service.answers = [
        [pb.ReconcileItem(order=state("s-1", pb.ORDER_STATUS_ACCEPTED, 0.5))],
        [
            pb.ReconcileItem(fill=fill_message(news)),
            pb.ReconcileItem(order=state("s-1", pb.ORDER_STATUS_ACCEPTED, 0.5)),
        ],
    ]
    assert await reconcile(peer, live) == []
    assert live.engine.portfolio.quantity("a", "BTC") == 0.5
    service.answers = [[pb.ReconcileItem(order=state("s-1", pb.ORDER_STATUS_ACCEPTED, 0.75))]] * 2
    (mismatch,) = await reconcile(peer, live) or ()
    assert "says that 0.75 of 1 are filled, and its fills make 0.5" in mismatch


async def test_service_without_reconcile_is_recognized() -> None:
    service = SlowExecution()
    peer = ExecutionPeer(await service.start())
    live = live_with_orders(1)
    try:
        assert await ask(peer, live.engine, live.say) is None
    finally:
        await service.stop()
