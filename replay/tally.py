"""Running totals over the fills of a run."""

from __future__ import annotations

from typing import Final

# Sums of floats of size 1 differ by about 1e-16 each; 10,000 samples of them by less than this.
ROUNDING: Final = 1e-12


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
        if abs(net) <= ROUNDING * abs(notional):  # it broke even
            return
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
