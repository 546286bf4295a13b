"""Orders in flight held against what the execution service knows: after a restart, and after a broken connection.

What it knows and we do not is taken over: fills, once, and how orders ended. What fits in no way is a mismatch, for a
person to look at. Nothing is sent again. All that is taken over goes the way of every event, so that it is on record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import grpc
import grpc.aio
import msgspec

from sengine.adapters.execution.hub import Hub
from sengine.adapters.execution.peer import ExecutionPeer
from sengine.clock import NS_PER_S
from sengine.domain.order import Fill, OrderStatus, OrderUpdate
from sengine.domain.position import FLAT_BELOW
from sengine.engine.core import Engine
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionStub

IDS_AT_ONCE: Final = 500
_ANSWER_S: Final = 10.0
_AGAIN_S: Final = 0.25
_MARGIN_NS: Final = 60 * NS_PER_S
_ENDED: Final = {
    pb.ORDER_STATUS_REJECTED: OrderStatus.REJECTED,
    pb.ORDER_STATUS_CANCELLED: OrderStatus.CANCELLED,
}
_SIDES: Final = {pb.SIDE_BUY: "buy", pb.SIDE_SELL: "sell"}
Say = Callable[..., None]


class Taking(msgspec.Struct, frozen=True):
    """What is told while an answer is settled: ``fill`` of each fill that is taken over; ``missing`` of each order of
    which the service says that more is filled than its fills make: id, how much, and whether it has ended."""

    fill: Callable[[Fill], None] = lambda fill: None
    missing: Callable[[str, float, bool], None] = lambda order_id, filled, has_ended: None


NOT_HEARD: Final = Taking()


class Answer(msgspec.Struct):
    """What the execution service knows: fills, and orders by id. ``asked`` are the ids that it was asked about."""

    fills: list[Fill] = []
    orders: dict[str, pb.OrderState] = {}
    asked: Sequence[str] = ()


class Settled(msgspec.Struct):
    """What an answer came to. ``absent`` are ids that the service does not know, ``mismatches`` are sentences."""

    fills: int = 0
    ended: int = 0
    absent: Sequence[str] = ()
    mismatches: Sequence[str] = ()


async def reconcile(
    peer: ExecutionPeer,
    live: Hub,
    is_under_way: Callable[[str], bool] = lambda order_id: False,
    since_ns: int | None = None,
    ended_ids: Callable[[], Sequence[str]] = lambda: (),
    taking: Taking = NOT_HEARD,
) -> Sequence[str] | None:
    """Settle the orders in flight, but for those that are still under way to the service: the mismatches that are left,
    ``None`` where the service cannot be asked. Fills may be missing from event time ``since_ns`` on, ``None`` where
    only those of open orders can be, and of the orders ``ended_ids``. ``taking`` hears of what is found.

    The market goes on while it answers, so what does not fit and what it does not know is asked about twice.
    """
    answer = await ask(peer, live.engine, live.say, is_under_way, since_ns, ended_ids)
    if answer is None:
        return None
    total = settle(live, answer, taking)
    if total.absent or total.mismatches:
        await asyncio.sleep(_AGAIN_S)
        answer = await ask(peer, live.engine, live.say, is_under_way, since_ns, ended_ids)
        again = settle(live, answer, taking) if answer is not None else Settled()
        absent = [order_id for order_id in again.absent if order_id in total.absent]
        ended = total.ended + again.ended + close_absent(live, absent)
        mismatches = [each for each in again.mismatches if each in total.mismatches]
        total = Settled(total.fills + again.fills, ended, absent, mismatches)
    live.say(
        "info", "orders are reconciled with the execution service", fills_taken_over=total.fills,
        orders_ended=total.ended, never_arrived=len(total.absent), in_flight=live.engine.orders.count,
        mismatches=len(total.mismatches),
    )  # fmt: skip
    return total.mismatches


async def ask(
    peer: ExecutionPeer,
    engine: Engine,
    say: Say,
    is_under_way: Callable[[str], bool] = lambda order_id: False,
    since_ns: int | None = None,
    ended_ids: Callable[[], Sequence[str]] = lambda: (),
) -> Answer | None:
    """What the service knows; it is asked until it answers. ``None`` where it cannot be asked that."""
    is_told = False
    async with peer.open() as channel:
        stub = OrderExecutionStub(channel)
        while True:
            orders = [each.order for each in engine.orders.open_orders() if not is_under_way(each.order.order_id)]
            ended = [working.order for each in ended_ids() if (working := engine.orders.find(each)) is not None]
            moments = [order.timestamp_ns for order in (*orders, *ended)]
            oldest_ns = min(moments + ([] if since_ns is None else [since_ns]), default=engine.now_ns)
            ids = list(dict.fromkeys(order.order_id for order in (*orders, *ended)))
            try:
                return await _ask_once(stub, peer, max(1, oldest_ns - _MARGIN_NS), ids)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return None
                if not is_told:
                    is_told = True
                    reason = f"{error.code().name}: {error.details()}"
                    say("warning", "waiting for the execution service's record", target=peer.target, reason=reason)
            await asyncio.sleep(_AGAIN_S)


async def _ask_once(stub: OrderExecutionStub, peer: ExecutionPeer, since_ns: int, ids: Sequence[str]) -> Answer:
    answer = Answer(asked=ids)
    for start in range(0, max(1, len(ids)), IDS_AT_ONCE):
        # Fills are told with the first call alone.
        request = pb.ReconcileRequest(
            since_ns=since_ns if start == 0 else 2**63 - 1, client_order_ids=ids[start : start + IDS_AT_ONCE]
        )
        async for item in stub.Reconcile(request, timeout=_ANSWER_S, metadata=peer.metadata):
            if item.HasField("fill"):
                answer.fills.append(_fill(item.fill))
            else:
                answer.orders[item.order.client_order_id] = item.order
    return answer


def settle(live: Hub, answer: Answer, taking: Taking = NOT_HEARD) -> Settled:
    """Take over what is news; what does not fit, and what the service never got, is for the caller to judge."""
    engine, orders = live.engine, live.engine.orders
    mismatches: list[str] = []
    absent: list[str] = []
    applied = ended = 0
    for fill in answer.fills:
        if orders.has_seen(fill) or engine.held_fills.waits(fill) or engine.held_fills.was_refused(fill):
            continue
        if orders.is_known(fill.order_id):
            live.process(fill)
            taking.fill(fill)
            applied += 1
        else:
            mismatches.append(
                f"the execution service filled order {fill.order_id}, which is not on record here: {fill.side} "
                f"{fill.quantity:g} {fill.symbol} at {fill.price:g}"
            )
    for order_id in answer.asked:
        working = orders.find(order_id)
        if working is None:
            continue
        is_open = orders.is_open(order_id)
        state = answer.orders.get(order_id)
        if state is None or state.status == pb.ORDER_STATUS_UNSPECIFIED:
            if is_open:
                absent.append(order_id)
        elif (
            abs(state.filled_quantity - working.filled - engine.held_fills.quantity_of(order_id))
            > FLAT_BELOW * working.order.quantity
        ):
            taking.missing(order_id, state.filled_quantity, state.status != pb.ORDER_STATUS_ACCEPTED)
            mismatches.append(
                f"order {order_id}: the execution service says that {state.filled_quantity:g} of "
                f"{working.order.quantity:g} are filled, and its fills make {working.filled:g}"
            )
        elif is_open and state.status in _ENDED:
            live.process(OrderUpdate(order_id, _ENDED[state.status], state.timestamp_ns or engine.now_ns, state.reason))
            ended += 1
    for order_id, state in answer.orders.items():
        if state.status == pb.ORDER_STATUS_ACCEPTED and not orders.is_known(order_id):
            side = "buy" if state.side == pb.SIDE_BUY else "sell"
            mismatches.append(
                f"the execution service has an open order {order_id}, which is not on record here: {side} "
                f"{state.quantity:g} {state.symbol}"
            )
    return Settled(applied, ended, absent, mismatches)


def close_absent(live: Hub, order_ids: Sequence[str]) -> int:
    """End orders that certainly did not arrive; how many were still open."""
    still_open = [order_id for order_id in order_ids if live.engine.orders.is_open(order_id)]
    for order_id in still_open:
        reason = "the execution service never got it"
        live.process(OrderUpdate(order_id, OrderStatus.REJECTED, live.engine.now_ns, reason))
    return len(still_open)


def _fill(message: pb.OrderFill) -> Fill:
    return Fill(
        message.client_order_id,
        "",
        message.symbol,
        _SIDES.get(message.side, "no side"),
        message.price,
        message.quantity,
        message.commission,
        message.timestamp_ns,
        message.fill_id,
    )
