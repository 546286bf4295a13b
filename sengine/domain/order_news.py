"""What a strategy is told of its own signals and orders, by ``on_order``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from sengine.clock import to_datetime


class NewsStatus(StrEnum):
    """How a signal ended (``PASSED``, ``OVERRULED``, ``FILTERED``, ``NO_CHANGE``), or what became of an order. More may
    follow: a strategy does nothing for one that it does not know."""

    PASSED = "passed"
    OVERRULED = "overruled"
    FILTERED = "filtered"
    NO_CHANGE = "no_change"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class OrderNews(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What ``on_order`` gets: how one signal ended, or what became of the order that it is part of.

    ``quantity`` is the strategy's own part, unsigned: the size that a signal asked for (0.0 for a CLOSE that led to no
    order), or its part of the order ``order_id``, of which ``filled`` is executed. ``direction`` and ``metadata`` are
    the signal's, ``side`` (``buy`` or ``sell``) is the order's. ``signal_sequence`` is the same in all news of one
    signal. ``check``, ``code`` and ``reason`` say which check filtered it and why; for an order ``reason`` is the
    venue's. ``timestamp_ns`` is event time, for an order's news the venue's own.
    """

    status: str
    strategy_id: str
    symbol: str
    quantity: float
    timestamp_ns: int
    direction: str = ""
    side: str = ""
    filled: float = 0.0
    limit_price: float | None = None
    order_id: str = ""
    check: str = ""
    code: str = ""
    reason: str = ""
    signal_sequence: int = 0
    metadata: Mapping[str, Any] | None = None

    @property
    def timestamp(self) -> datetime:
        return to_datetime(self.timestamp_ns)
