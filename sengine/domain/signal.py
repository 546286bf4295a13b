"""What strategies say (``Signal``) and what the engine makes of it (``StampedSignal``, ``SignalResult``)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from math import nan
from typing import Any

import msgspec


class Direction(StrEnum):
    """LONG buys, SHORT sells, CLOSE flattens. NONE is only ever the outcome of a vote."""

    NONE = "NONE"
    LONG = "LONG"
    SHORT = "SHORT"
    CLOSE = "CLOSE"


class Signal(msgspec.Struct, frozen=True, gc=False):
    """What ``on_tick`` returns.

    ``direction``: ``"LONG"``, ``"SHORT"`` or ``"CLOSE"``. ``confidence``: 0 to 1. ``size``: quantity to trade, 0 or
    absent means the strategy's ``default_size``. ``symbol``: absent means the symbol of the tick. ``limit_price``:
    absent means a market order; limit prices are for strategies with ``route: direct``.
    ``strategy_id`` and ``timestamp`` are set by the engine, whatever is given here.
    """

    strategy_id: str = ""
    symbol: str = ""
    direction: str = ""
    confidence: float = nan
    size: float = 0.0
    metadata: Mapping[str, Any] | None = None
    timestamp: datetime | None = None
    limit_price: float | None = None


class StampedSignal(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A valid signal with its author and event time set by the engine. ``sequence`` counts from 1 over all signals."""

    sequence: int
    strategy_id: str
    symbol: str
    direction: Direction
    confidence: float
    size: float
    timestamp_ns: int
    limit_price: float | None = None
    metadata: Mapping[str, Any] | None = None


class Disposition(StrEnum):
    """How a signal ended; each ends in exactly one way."""

    PASSED = "passed"
    OVERRULED = "overruled"
    FILTERED = "filtered"
    NO_CHANGE = "no_change"


class SignalResult(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """A signal and how it ended. ``check``, ``code`` and ``reason`` are set when a risk check filtered it:
    the check's name, its stable reason code, and the sentence with the values. Where a vote overruled it, ``reason``
    says what the vote was, and whose."""

    signal: StampedSignal
    disposition: Disposition
    check: str = ""
    code: str = ""
    reason: str = ""
