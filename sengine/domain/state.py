"""What monitoring sees of a strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class StrategyState(msgspec.Struct, frozen=True):
    """A strategy at one moment. ``position`` is summed over its symbols; ``last_signal_ns`` is 0 before the first.
    ``over_budget`` counts ticks that took too long; ``stalled_s`` is for how long there was none, 0.0 when that
    is not too long."""

    strategy_id: str
    is_active: bool
    state: str
    position: float
    unrealized_pnl: float
    realized_pnl: float
    tick_count: int
    signal_count: int
    error_count: int
    last_signal_ns: int
    last_error: str
    pause_reason: str
    version: str
    symbols: Sequence[str]
    route: str
    on_tick_us: Mapping[str, float]
    over_budget: int
    stalled_s: float
    metadata: Mapping[str, Any]
