"""The execution protocol's messages as the paper service reads and writes them."""

from __future__ import annotations

from math import isfinite
from typing import Final

from sengine.domain.order import Contribution, Fill, Order, ProposedOrder, Side
from sengine.proto import execution_pb2 as pb

MAX_ID_CHARS: Final = 128
MAX_SYMBOL_CHARS: Final = 64


def order_fault(request: pb.OrderRequest) -> str:
    """Why an order cannot be taken, in a sentence; empty when it can."""
    if not 0 < len(request.client_order_id) <= MAX_ID_CHARS:
        return f"client_order_id: expected 1 to {MAX_ID_CHARS} characters, got {len(request.client_order_id)}"
    if not 0 < len(request.symbol) <= MAX_SYMBOL_CHARS:
        return f"symbol: expected 1 to {MAX_SYMBOL_CHARS} characters, got {len(request.symbol)}"
    if request.side not in (pb.SIDE_BUY, pb.SIDE_SELL):
        return f"side: expected SIDE_BUY or SIDE_SELL, got {request.side}"
    if not (isfinite(request.quantity) and request.quantity > 0):
        return f"quantity: expected a finite number above 0, got {request.quantity}"
    if request.type == pb.ORDER_TYPE_LIMIT:
        if not (isfinite(request.limit_price) and request.limit_price > 0):
            return f"limit_price: expected a finite number above 0 for a limit order, got {request.limit_price}"
    elif request.type != pb.ORDER_TYPE_MARKET:
        return f"type: expected ORDER_TYPE_MARKET or ORDER_TYPE_LIMIT, got {request.type}"
    elif request.limit_price:
        return f"limit_price: expected none for a market order, got {request.limit_price}"
    if request.timestamp_ns < 0:
        return f"timestamp_ns: expected 0 or nanoseconds since 1970, got {request.timestamp_ns}"
    return ""


def report_of(reply: pb.OrderReply, cause: pb.ReportCause, filled: float) -> pb.OrderReport:
    """A reply as it goes over the Orders stream."""
    return pb.OrderReport(
        client_order_id=reply.client_order_id,
        status=reply.status,
        reason=reply.reason,
        timestamp_ns=reply.timestamp_ns,
        cause=cause,
        filled_quantity=filled,
    )


def fill_message(fill: Fill) -> pb.OrderFill:
    """A fill as ``Reconcile`` tells of it."""
    return pb.OrderFill(
        fill_id=fill.fill_id,
        client_order_id=fill.order_id,
        symbol=fill.symbol,
        side=pb.SIDE_BUY if fill.side == "buy" else pb.SIDE_SELL,
        price=fill.price,
        quantity=fill.quantity,
        commission=fill.commission,
        timestamp_ns=fill.timestamp_ns,
    )


def order_of(request: pb.OrderRequest, quantity: float) -> Order:
    """The venue's type. Whose contributions it holds is the sender's business."""
    buying = request.side == pb.SIDE_BUY
    return Order.approved(
        ProposedOrder(
            request.symbol,
            Side.BUY if buying else Side.SELL,
            quantity,
            request.timestamp_ns,
            (Contribution("", quantity if buying else -quantity, 0),),
            request.limit_price if request.type == pb.ORDER_TYPE_LIMIT else None,
        ),
        request.client_order_id,
    )
