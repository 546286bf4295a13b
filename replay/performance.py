"""What a run earned and at what risk. Each figure is defined once, here and in docs/metrics.md.

Equity is ``initial capital + P&L``. Returns are ``E[i] / E[i-1] - 1`` over the equity curve's interval, annualised
with ``365 days / interval`` periods a year, because the markets traded never close. The risk-free rate is 0.
Sharpe and Sortino are W. F. Sharpe's (1994) and F. A. Sortino's ratio as ``empyrical`` computes them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import fsum, isfinite, nan, sqrt
from typing import Final

import msgspec

from replay.tally import ROUNDING, TradeTally
from sengine.clock import NS_PER_S

_YEAR_NS = 365 * 86400 * NS_PER_S


# No strategy's returns vary by less than a millionth of their mean; the same return again and again does.
_EQUAL_BELOW: Final = 1e-6
_LITTLE_DATA_NS: Final = 30 * 86_400 * NS_PER_S
_FEW_TRADES: Final = 30
_MADE_OF_SUMS: Final = (
    "total_pnl", "total_return", "sharpe", "sortino", "max_drawdown", "profit_factor", "turnover", "commission",
    "exposure",
)  # fmt: skip


class Performance(msgspec.Struct, frozen=True):
    """Money is in quote currency, ratios are plain numbers, ``None`` is "not defined" (no trade, no variation, or
    amounts of different currencies, which have no sum).

    ``exposure`` and ``time_in_market`` are means over the samples of the equity curve; ``return_interval_s`` is
    the time between two of them, in seconds.
    """

    total_pnl: float | None
    total_return: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float | None
    win_rate: float | None
    profit_factor: float | None
    trades: int
    turnover: float | None
    commission: float | None
    exposure: float | None
    time_in_market: float
    return_interval_s: float


def without_sums(performance: Performance) -> Performance:
    """What is left of the figures where positions are in different currencies: counts and shares of time."""
    return msgspec.structs.replace(performance, **dict.fromkeys(_MADE_OF_SUMS))


def means_little(performance: Performance, span_ns: int) -> dict[str, str]:
    """Why figures that are there say little, by their names; ``span_ns`` is the event time that the run covers."""
    reasons: dict[str, str] = {}
    if span_ns < _LITTLE_DATA_NS:
        why = f"scaled to a year from {_span(span_ns)} of data"
        reasons |= dict.fromkeys(("sharpe", "sortino"), why)
    if performance.trades < _FEW_TRADES:
        why = f"from only {performance.trades} trade{'' if performance.trades == 1 else 's'}"
        reasons |= dict.fromkeys(("win_rate", "profit_factor"), why)
    return {name: why for name, why in reasons.items() if getattr(performance, name) is not None}


def _span(span_ns: int) -> str:
    seconds = span_ns / NS_PER_S
    for size, unit in ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def returns_of(equity: Sequence[float]) -> list[float]:
    """Simple returns from one sample to the next; those from an equity of zero or less, or of nothing but rounding, are
    not defined and left out."""
    least = ROUNDING * max(equity, default=0.0)
    return [after / before - 1.0 for before, after in pairwise(equity) if before > least]


def sharpe_ratio(returns: Sequence[float], periods_per_year: float) -> float | None:
    """mean(r) / std(r, ddof=1) * sqrt(periods per year)."""
    count = len(returns)
    if count < 2:
        return None
    mean = _mean(returns)
    variance = _mean([(each - mean) * (each - mean) for each in returns]) * count / (count - 1)
    return _annualised(mean, sqrt(variance), periods_per_year)


def sortino_ratio(returns: Sequence[float], periods_per_year: float) -> float | None:
    """mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(periods per year)."""
    if len(returns) < 2:
        return None
    downside = sqrt(_mean([each * each if each < 0.0 else 0.0 for each in returns]))
    return _annualised(_mean(returns), downside, periods_per_year)


def _annualised(mean: float, deviation: float, periods_per_year: float) -> float | None:
    # A deviation of that size is rounding: of returns that are all equal, or of an equity that does not move.
    if deviation <= max(_EQUAL_BELOW * abs(mean), ROUNDING):
        return None
    ratio = mean / deviation * sqrt(periods_per_year)
    return ratio if isfinite(ratio) else None


def _mean(values: Sequence[float]) -> float:
    """The mean, 0.0 of nothing; NaN where prices near the largest float have made the sum infinite."""
    if not values:
        return 0.0
    try:
        return fsum(values) / len(values)
    except (OverflowError, ValueError):
        return nan


def measure(
    initial_capital: float,
    total_pnl: float,
    max_drawdown: float,
    pnl: Sequence[float],
    gross_notional: Sequence[float],
    interval_ns: int,
    tally: TradeTally,
) -> Performance:
    """All figures of a run from its sampled curve and its totals."""
    equity = [initial_capital + value for value in pnl]
    returns = returns_of(equity)
    periods = _YEAR_NS / interval_ns
    least = ROUNDING * max(equity, default=0.0)
    shares = [gross / level for gross, level in zip(gross_notional, equity, strict=True) if level > least]
    return Performance(
        total_pnl=total_pnl,
        total_return=total_pnl / initial_capital,
        sharpe=sharpe_ratio(returns, periods),
        sortino=sortino_ratio(returns, periods),
        max_drawdown=max_drawdown,
        win_rate=tally.win_rate,
        profit_factor=tally.profit_factor,
        trades=tally.trades,
        turnover=tally.notional / initial_capital,
        commission=tally.commission,
        exposure=_mean(shares),
        time_in_market=_mean([float(gross > 0.0) for gross in gross_notional]),
        return_interval_s=interval_ns / NS_PER_S,
    )
