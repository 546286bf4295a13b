"""What monitoring sees of a strategy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

NO_TICK: Final = "no tick"
"""``stalled_reason`` of a strategy that is asked nothing, for want of market data."""


class StrategyState(msgspec.Struct, frozen=True):
    """A strategy at one moment. ``position`` is summed over its symbols; ``last_signal_ns`` is 0 before the first.
    ``over_budget`` counts ticks that took too long; ``stalled_s`` is for how long there was none, or no answer
    from its process, 0.0 when that is not too long, and ``stalled_reason`` which."""

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
    stalled_reason: str
    metadata: Mapping[str, Any]
