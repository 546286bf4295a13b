"""Journal records in a line each, for a person."""

from __future__ import annotations

from typing import Any

from sengine.domain.events import TradeEvent
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.state.saved import SavedPosition
from sengine.printable import printable


def position_line(position: SavedPosition) -> str:
    return (
        f"{position.strategy_id} {position.symbol} {position.quantity:.17g} at {position.average_price:.17g}, realized "
        f"{position.realized_pnl:.17g}"
    )


def lines_of(happened: Happened) -> list[str]:
    """One line each, for a person."""
    lines = []
    for result in happened.signals:
        signal = result.signal
        limit = f" limit {signal.limit_price:g}" if signal.limit_price is not None else ""
        lines.append(
            f"signal {signal.strategy_id} {signal.symbol} {signal.direction} confidence {signal.confidence:g} size "
            f"{signal.size:g}{limit}: {result.disposition} {result.code}".rstrip()
        )
    for order in happened.orders:
        limit = f" at {order.limit_price:g}" if order.limit_price is not None else ""
        lines.append(f"order {order.order_id} {order.side} {order.quantity:g} {order.symbol}{limit}")
    lines += [f"cancel {order_id}" for order_id in happened.cancels]
    lines += [f"error of {fault.strategy_id}: {fault.kind}: {fault.message}" for fault in happened.faults]
    return [printable(line) for line in lines] or ["nothing"]


def in_words(record: Any) -> str:
    """An event in a line."""
    name = type(record).__name__
    return printable(_in_words(record, name))


def _in_words(record: Any, name: str) -> str:
    book = getattr(record, "book", None)
    if book is not None and book.bids and book.asks:
        return f"{name} {record.symbol} at {record.timestamp_ns}: {book.bids[0].price:g} / {book.asks[0].price:g}"
    if isinstance(record, TradeEvent):
        return f"{name} {record.symbol} at {record.timestamp_ns}: {record.side} {record.quantity:g} at {record.price:g}"
    fields = ", ".join(f"{name}={value!r}" for name, value in _fields(record))
    return f"{name} {fields}"[:300]


def _fields(record: Any) -> list[tuple[str, Any]]:
    return [(each, getattr(record, each)) for each in record.__struct_fields__]
