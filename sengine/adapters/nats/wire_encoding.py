"""Events and fills as the messages that ``wire.Decoder`` reads. Numbers must be finite."""

from __future__ import annotations

from typing import Any

import msgspec

from sengine.clock import format_timestamp
from sengine.domain.epoch_numbers import PLAIN_FROM_NS
from sengine.domain.events import BarEvent, BookEvent, TradeEvent
from sengine.domain.order import Fill


def encode_book(event: BookEvent) -> bytes:
    book = event.book
    sides = {
        "bids": [(level.price, level.quantity) for level in book.bids],
        "asks": [(level.price, level.quantity) for level in book.asks],
    }
    return _encoded(
        {"symbol": event.symbol, "timestamp": _time(event.timestamp_ns), "orderbook": sides}, event.sequence
    )


def encode_trade(event: TradeEvent) -> bytes:
    fields = {
        "symbol": event.symbol,
        "timestamp": _time(event.timestamp_ns),
        "price": event.price,
        "quantity": event.quantity,
        "side": event.side,
    }
    return _encoded(fields, event.sequence)


def encode_bar(event: BarEvent) -> bytes:
    bar = event.bar
    fields = {
        "symbol": event.symbol,
        "timestamp": _time(event.timestamp_ns),
        "open": bar.open,
        "high": bar.high,
        "low": bar.low,
        "close": bar.close,
        "volume": bar.volume,
    }
    return _encoded(fields, event.sequence)


def encode_fill(fill: Fill) -> bytes:
    """JSON of a whole fill; the strategy's share is not part of it."""
    return _to_json(
        {
            "fill_id": fill.fill_id,
            "order_id": fill.order_id,
            "symbol": fill.symbol,
            "side": fill.side,
            "price": fill.price,
            "quantity": fill.quantity,
            "commission": fill.commission,
            "timestamp": _time(fill.timestamp_ns),
        }
    )


_to_json = msgspec.json.Encoder().encode


def _time(time_ns: int) -> int | str:
    """Nanoseconds, as text where a reader who tells the unit from the size would take them for something else."""
    return time_ns if time_ns >= PLAIN_FROM_NS else format_timestamp(time_ns)


def _encoded(fields: dict[str, Any], sequence: int) -> bytes:
    if sequence != -1:
        fields["seq"] = sequence
    return _to_json(fields)
