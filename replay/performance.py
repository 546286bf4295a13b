"""What a run earned and at what risk. Each figure is defined once, here and in docs/metrics.md.

Equity is ``initial capital + P&L``. Returns are ``E[i] / E[i-1] - 1`` over the equity curve's interval, annualised
with ``365 days / interval`` periods a year, because the markets traded never close. The risk-free rate is 0.
Sharpe and Sortino are W. F. Sharpe's (1994) and F. A. Sortino's ratio as ``empyrical`` computes them.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from sengine.clock import NS_PER_S

_YEAR_NS = 365 * 86400 * NS_PER_S


class Performance(msgspec.Struct, frozen=True):
    """Money is in quote currency, ratios are plain numbers, ``None`` is "not defined" (no trade, no variation)."""

    total_pnl: float
    total_return: float
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    win_rate: float | None
    profit_factor: float | None
    trades: int
    turnover: float
    commission: float
    exposure: float
    time_in_market: float
    return_interval_s: float


def returns_of(equity: Sequence[float]) -> NDArray[np.float64]:
    """Simple returns from one sample to the next; those from an equity of zero or less are not defined and left out."""
    values = np.asarray(equity, dtype=np.float64)
    if values.size < 2:
        return np.zeros(0)
    before, after = values[:-1], values[1:]
    usable = before > 0.0
    return np.asarray(after[usable] / before[usable] - 1.0)


def sharpe_ratio(returns: NDArray[np.float64], periods_per_year: float) -> float | None:
    """mean(r) / std(r, ddof=1) * sqrt(periods per year)."""
    if returns.size < 2:
        return None
    deviation = float(np.std(returns, ddof=1))
    if deviation == 0.0:
        return None
    return float(np.mean(returns)) / deviation * periods_per_year**0.5


def sortino_ratio(returns: NDArray[np.float64], periods_per_year: float) -> float | None:
    """mean(r) / sqrt(mean(min(r, 0)^2)) * sqrt(periods per year)."""
    if returns.size < 2:
        return None
    downside = float(np.sqrt(np.mean(np.minimum(returns, 0.0) ** 2)))
    if downside == 0.0:
        return None
    return float(np.mean(returns)) / downside * periods_per_year**0.5


class TradeTally:
    """Running totals over fills. A trade is a fill share that reduced a position; its P&L is net of its commission."""

    def __init__(self) -> None:
        self.trades = 0
        self.wins = 0
        self.gross_profit = 0.0
        self.gross_loss = 0.0
        self.notional = 0.0
        self.commission = 0.0

    def add(self, notional: float, commission: float, gross_pnl: float | None) -> None:
        """Count one share; ``gross_pnl`` is ``None`` where it only added to a position."""
        self.notional += notional
        self.commission += commission
        if gross_pnl is None:
            return
        net = gross_pnl - commission
        self.trades += 1
        if net > 0.0:
            self.wins += 1
            self.gross_profit += net
        else:
            self.gross_loss -= net

    @property
    def win_rate(self) -> float | None:
        return self.wins / self.trades if self.trades else None

    @property
    def profit_factor(self) -> float | None:
        return self.gross_profit / self.gross_loss if self.gross_loss else None


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
    shares = [gross / level for gross, level in zip(gross_notional, equity, strict=True) if level > 0.0]
    return Performance(
        total_pnl,
        total_pnl / initial_capital,
        sharpe_ratio(returns, periods),
        sortino_ratio(returns, periods),
        max_drawdown,
        tally.win_rate,
        tally.profit_factor,
        tally.trades,
        tally.notional / initial_capital,
        tally.commission,
        float(np.mean(shares)) if shares else 0.0,
        sum(gross > 0.0 for gross in gross_notional) / len(gross_notional) if gross_notional else 0.0,
        interval_ns / NS_PER_S,
    )
