"""The fingerprint of a run: SHA-256 over its orders and fills, in order, to the last bit of every number."""

from __future__ import annotations

import hashlib

import msgspec

from sengine.engine.outcome import Outcome


class RunDigest:
    """Feed it every outcome; equal runs give equal text, in any process on any day.

    Each order and each fill is hashed as a MessagePack array, which holds floats bit by bit:
    order = [id, timestamp_ns, symbol, side, quantity, limit_price, [[strategy_id, quantity], ...]],
    fill = [id, order id, timestamp_ns, symbol, side, quantity, price, commission].
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._encode = msgspec.msgpack.Encoder().encode

    def add(self, outcome: Outcome) -> None:
        """Take in an event's orders, then its fills."""
        for order in outcome.orders:
            parts = [(part.strategy_id, part.quantity) for part in order.contributions]
            self._update(
                (order.order_id, order.timestamp_ns, order.symbol, order.side, order.quantity, order.limit_price, parts)
            )
        for fill in outcome.fills:
            self._update(
                (
                    fill.fill_id, fill.order_id, fill.timestamp_ns, fill.symbol, fill.side,
                    fill.quantity, fill.price, fill.commission,
                )
            )  # fmt: skip

    def _update(self, record: tuple[object, ...]) -> None:
        self._hash.update(self._encode(record))

    def text(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
