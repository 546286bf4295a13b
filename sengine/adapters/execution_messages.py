"""Orders and their statuses as the execution protocol has them."""

from __future__ import annotations

from typing import Final

from sengine.domain.order import Order, OrderStatus, Side
from sengine.proto import execution_pb2 as pb

STATUS: Final = {
    pb.ORDER_STATUS_ACCEPTED: OrderStatus.ACCEPTED,
    pb.ORDER_STATUS_REJECTED: OrderStatus.REJECTED,
    pb.ORDER_STATUS_CANCELLED: OrderStatus.CANCELLED,
    # The fills come over the broker; of the order itself this says that the service has it.
    pb.ORDER_STATUS_FILLED: OrderStatus.ACCEPTED,
}


def submit_command(order: Order) -> pb.OrderCommand:
    limit = order.limit_price
    return pb.OrderCommand(
        submit=pb.OrderRequest(
            client_order_id=order.order_id,
            symbol=order.symbol,
            side=pb.SIDE_BUY if order.side is Side.BUY else pb.SIDE_SELL,
            type=pb.ORDER_TYPE_MARKET if limit is None else pb.ORDER_TYPE_LIMIT,
            quantity=order.quantity,
            limit_price=0.0 if limit is None else limit,
            timestamp_ns=order.timestamp_ns,
        )
    )


def cancel_command(order_id: str, timestamp_ns: int) -> pb.OrderCommand:
    return pb.OrderCommand(cancel=pb.CancelRequest(client_order_id=order_id, timestamp_ns=timestamp_ns))
