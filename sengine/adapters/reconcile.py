"""In-flight orders after a restart, held against what the execution service knows.

What it knows and we do not is taken over: fills, once, and how orders ended. What fits in no way is a mismatch, for a
person to look at. Nothing is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import grpc
import grpc.aio
import msgspec

from sengine.adapters.execution_peer import ExecutionPeer
from sengine.clock import NS_PER_S
from sengine.domain.events import Event
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
Say = Callable[..., None]


class Hub(Protocol):
    """What is needed of ``sengine.live.LiveEngine``."""

    engine: Engine

    def take(self, event: Event) -> Any: ...

    def say(self, level: str, event: str, **fields: Any) -> None: ...


class Answer(msgspec.Struct):
    """What the execution service knows: fills, and orders by id."""

    fills: list[Fill] = []
    orders: dict[str, pb.OrderState] = {}


async def ask(peer: ExecutionPeer, engine: Engine, say: Say) -> Answer | None:
    """What the service knows; it is asked until it answers. ``None`` where it cannot be asked that."""
    in_flight = [working.order for working in engine.orders.open_orders()]
    oldest_ns = min((order.timestamp_ns for order in in_flight), default=engine.now_ns)
    ids = [order.order_id for order in in_flight]
    is_told = False
    async with peer.open() as channel:
        stub = OrderExecutionStub(channel)
        while True:
            try:
                return await _ask_once(stub, peer, max(1, oldest_ns - _MARGIN_NS), ids)
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    return None
                if not is_told:
                    is_told = True
                    reason = f"{error.code().name}: {error.details()}"
                    say(
                        "warning", "trading waits for the execution service's record", target=peer.target, reason=reason
                    )
            await asyncio.sleep(_AGAIN_S)


async def _ask_once(stub: OrderExecutionStub, peer: ExecutionPeer, since_ns: int, ids: Sequence[str]) -> Answer:
    answer = Answer()
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


def settle(live: Hub, answer: Answer) -> Sequence[str]:
    """Take over what is news, and return the mismatches, a sentence each."""
    engine, orders = live.engine, live.engine.orders
    mismatches: list[str] = []
    applied = ended = 0
    for fill in answer.fills:
        if orders.has_seen(fill.fill_id):
            continue
        if orders.is_known(fill.order_id):
            live.take(fill)
            applied += 1
        else:
            mismatches.append(
                f"the execution service filled order {fill.order_id}, which is not on record here: {fill.side} "
                f"{fill.quantity:g} {fill.symbol} at {fill.price:g}"
            )
    for working in list(orders.open_orders()):
        order_id = working.order.order_id
        state = answer.orders.get(order_id)
        if state is None or state.status == pb.ORDER_STATUS_UNSPECIFIED:
            update = OrderUpdate(order_id, OrderStatus.REJECTED, engine.now_ns, "the execution service never got it")
            live.take(update)
            ended += 1
            continue
        if abs(state.filled_quantity - working.filled) > FLAT_BELOW * working.order.quantity:
            mismatches.append(
                f"order {order_id}: the execution service says that {state.filled_quantity:g} of "
                f"{working.order.quantity:g} are filled, and its fills make {working.filled:g}"
            )
        elif state.status in _ENDED:
            live.take(OrderUpdate(order_id, _ENDED[state.status], state.timestamp_ns or engine.now_ns, state.reason))
            ended += 1
    for order_id, state in answer.orders.items():
        if state.status == pb.ORDER_STATUS_ACCEPTED and not orders.is_known(order_id):
            side = "buy" if state.side == pb.SIDE_BUY else "sell"
            mismatches.append(
                f"the execution service has an open order {order_id}, which is not on record here: {side} "
                f"{state.quantity:g} {state.symbol}"
            )
    left = sum(1 for _ in orders.open_orders())
    live.say(
        "info", "orders are reconciled with the execution service", fills_taken_over=applied, orders_ended=ended,
        in_flight=left, mismatches=len(mismatches),
    )  # fmt: skip
    return mismatches


def _fill(message: pb.OrderFill) -> Fill:
    return Fill(
        message.client_order_id,
        "",
        message.symbol,
        "buy" if message.side == pb.SIDE_BUY else "sell",
        message.price,
        message.quantity,
        message.commission,
        message.timestamp_ns,
        message.fill_id,
    )
