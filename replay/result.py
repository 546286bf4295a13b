"""All figures of a finished run, as one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from replay.dropped import DroppedRow
from replay.equity import EquityCurve
from replay.performance import Performance
from sengine.domain.currencies import CurrencyTotal
from sengine.domain.position import Position
from sengine.domain.strategy_line import StrategyLine
from sengine.engine.strategies.faults import StrategyFault


class RunResult(msgspec.Struct, frozen=True):
    """All figures of a finished run."""

    ticks: int
    rejected: dict[str, int]
    gaps: dict[str, int]
    signals_total: int
    dispositions: dict[str, int]
    filtered_by: dict[str, int]
    orders: int
    fills: int
    positions: Sequence[Position]
    performance: Performance
    curve: EquityCurve
    on_tick_us: dict[str, dict[str, float]]
    tick_us: dict[str, float]
    faults: Sequence[StrategyFault]
    fault_counts: dict[str, int]
    pauses: Sequence[str]
    first_ns: int
    last_ns: int
    elapsed_s: float
    digest: str
    failed_strategies: Sequence[tuple[str, str]] = ()
    hints: Sequence[str] = ()
    """Why strategies had nothing to do, and which times were not believed; one sentence each."""
    configuration: Mapping[str, Any] = {}
    """All keys as they were in force, without secrets."""
    versions: Mapping[str, str] = {}
    """Of each strategy's code."""
    said: Sequence[StrategyLine] = ()
    """The first lines that strategies printed or logged, where no file was given for them; ``said_more`` came after."""
    said_more: int = 0
    dropped: Mapping[str, DroppedRow] = {}
    """The first dropped row of each reason in ``rejected``."""
    means_little: Mapping[str, str] = {}
    """Figures of the performance that say little, by name, and why."""
    totals: Sequence[CurrencyTotal] = ()
    """What was earned in each currency."""
    not_added_up: str = ""
    """Why those have no sum, and the curve no samples; empty where there is one currency."""

    @property
    def ticks_per_second(self) -> float:
        return self.ticks / self.elapsed_s if self.elapsed_s > 0 else 0.0
