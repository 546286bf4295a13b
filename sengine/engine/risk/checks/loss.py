"""Checks of what was lost: from the peak of a strategy's equity, and since the UTC day began."""

from __future__ import annotations

from typing import ClassVar

from sengine.domain.order import ProposedOrder
from sengine.engine.risk.checks.basis import (
    Check,
    ProposedContribution,
    Reducing,
    Refusal,
    RiskView,
    Usage,
    scope_of,
)


class DrawdownCheck(Check, frozen=True, tag="drawdown"):
    """(peak - equity) / (initial capital + peak) of the strategy must stay within ``max_drawdown``."""

    max_drawdown: float

    name: ClassVar[str] = "drawdown"
    codes: ClassVar = {"above_max_drawdown": "the strategy's drawdown is beyond `max_drawdown`"}
    reducing = Reducing.PASSES
    source = "the plan"
    looser_above = ("max_drawdown",)

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        account = view.equity_of(proposal.signal.strategy_id)
        equity, peak = account.equity, account.peak
        drawdown = (peak - equity) / (view.initial_capital + peak)
        if drawdown <= self.max_drawdown or proposal.reduces:
            return None
        return self.refuse(
            "above_max_drawdown",
            f"drawdown {drawdown:.4%} is beyond max_drawdown {self.max_drawdown:.4%} "
            f"(P&L {equity:.2f}, peak {peak:.2f})",
        )

    def usage(self, view: RiskView) -> Usage:
        worst, worst_of = 0.0, ""
        for strategy_id, account in view.positions.accounts():
            if self.strategy in ("", strategy_id):
                drawdown = (account.peak - account.equity) / (view.initial_capital + account.peak)
                if not worst_of or drawdown > worst:
                    worst, worst_of = drawdown, strategy_id
        return Usage("max_drawdown", self.max_drawdown, worst, worst_of)


class DailyLossCheck(Check, frozen=True, tag="daily_loss"):
    """The P&L since 00:00 UTC, unrealized included, of all strategies or of ``strategy``, must not be below
    -``max_loss``."""

    max_loss: float

    name: ClassVar[str] = "daily_loss"
    codes: ClassVar = {"above_max_loss": "the day's loss is beyond `max_loss`"}
    reducing = Reducing.PASSES
    source = "SEC rule 15c3-5 (c)(1)(i); FIA best practices: risk limits"
    looser_above = ("max_loss",)

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        loss = view.day_loss(self.strategy)
        if loss <= self.max_loss or view.reduces(order):
            return None
        return self.refuse(
            "above_max_loss",
            f"today's loss{scope_of(self.strategy, '')} is {loss:.2f}, beyond max_loss {self.max_loss:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_loss", self.max_loss, max(0.0, view.day_loss(self.strategy)), self.strategy)
