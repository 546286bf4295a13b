"""Checks of what was lost: from the peak of a strategy's equity, and since the UTC day began."""

from __future__ import annotations

from sengine.domain.order import ProposedOrder
from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import ContributionCheck, OrderCheck, scope_of
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.view import ProposedContribution, RiskView


class DrawdownCheck(ContributionCheck):
    """Refuses a strategy that lost too much from its peak."""

    def __init__(self, limit: limits.DrawdownLimit) -> None:
        super().__init__(limit)
        self.max_drawdown = limit.max_drawdown

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
        for strategy_id, account in view.portfolio.accounts():
            if self.strategy in ("", strategy_id):
                drawdown = (account.peak - account.equity) / (view.initial_capital + account.peak)
                if not worst_of or drawdown > worst:
                    worst, worst_of = drawdown, strategy_id
        return Usage("max_drawdown", self.max_drawdown, worst, worst_of)


class DailyLossCheck(OrderCheck):
    """Refuses when too much was lost since 00:00 UTC."""

    def __init__(self, limit: limits.DailyLossLimit) -> None:
        super().__init__(limit)
        self.max_loss = limit.max_loss

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        loss = view.day_loss(self.strategy)
        if loss <= self.max_loss or view.reduces(order):
            return None
        return self.refuse(
            "above_max_loss",
            f"today's loss{scope_of(self.strategy, '')} is {loss:.2f}, beyond max_loss {self.max_loss:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_loss", self.max_loss, max(0.0, view.day_loss(self.strategy)), self.strategy)
