"""Orders and their statuses as the execution protocol has them."""

from __future__ import annotations

import sys
from array import array
from typing import Final
from zlib import crc32

from sengine.domain.market import OrderBook
from sengine.domain.order import Order, OrderStatus, Side
from sengine.proto import execution_pb2 as pb

STATUS: Final = {
    pb.ORDER_STATUS_ACCEPTED: OrderStatus.ACCEPTED,
    pb.ORDER_STATUS_REJECTED: OrderStatus.REJECTED,
    pb.ORDER_STATUS_CANCELLED: OrderStatus.CANCELLED,
    # The fills come over the broker; of the order itself this says that the service has it.
    pb.ORDER_STATUS_FILLED: OrderStatus.ACCEPTED,
}


def book_crc(book: OrderBook) -> int:
    """What tells a book from others with its timestamp; never 0."""
    numbers = array("d", [each for level in (*book.bids, *book.asks) for each in (level.price, level.quantity)])
    if sys.byteorder == "big":
        numbers.byteswap()
    return crc32(numbers.tobytes()) or 1


def submit_command(order: Order, crc: int = 0) -> pb.OrderCommand:
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
            book_crc=crc,
        )
    )


def cancel_command(order_id: str, timestamp_ns: int) -> pb.OrderCommand:
    return pb.OrderCommand(cancel=pb.CancelRequest(client_order_id=order_id, timestamp_ns=timestamp_ns))
