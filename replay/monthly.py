"""Returns by calendar month."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from replay.equity import EquityCurve
from sengine.clock import NS_PER_S


class MonthlyReturn(msgspec.Struct, frozen=True):
    """``name`` is as 2026-11; ``value`` is equity at the month's end over equity at its begin, minus 1."""

    name: str
    value: float


def monthly_returns(curve: EquityCurve, initial_capital: float) -> list[MonthlyReturn]:
    """One return for each month that the run touched, UTC. The first begins, and the last ends, with the run. A sample
    at midnight of the first day belongs to the month before: it is the state at its end."""
    ends: dict[str, float] = {}
    for time_ns, pnl in zip(curve.times_ns(), curve.pnl, strict=True):
        ends[datetime.fromtimestamp((time_ns - 1) // NS_PER_S, UTC).strftime("%Y-%m")] = initial_capital + pnl
    months = []
    before = initial_capital
    for name, end in ends.items():
        months.append(MonthlyReturn(name, end / before - 1.0 if before > 0.0 else 0.0))
        before = end
    return months
