"""Checks of a single signal: how sure the decision is, and how far it takes the strategy's position."""

from __future__ import annotations

from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import ContributionCheck
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.view import ProposedContribution, RiskView


class ConfidenceCheck(ContributionCheck):
    """Refuses what the vote is not sure enough of."""

    def __init__(self, limit: limits.ConfidenceLimit) -> None:
        super().__init__(limit)
        self.min_confidence = limit.min_confidence

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        if proposal.confidence >= self.min_confidence:
            return None
        return self.refuse(
            "below_min_confidence",
            f"confidence {proposal.confidence:.4g} is below min_confidence {self.min_confidence:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("min_confidence", self.min_confidence)


class PositionLimitCheck(ContributionCheck):
    """Refuses what would take a strategy's position too far."""

    def __init__(self, limit: limits.PositionLimit) -> None:
        super().__init__(limit)
        self.max_position = limit.max_position

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        after = proposal.position + proposal.quantity
        if abs(after) <= self.max_position or proposal.reduces:
            return None
        return self.refuse(
            "above_max_position",
            f"position {proposal.position:g} (in flight counted) would become {after:g}, "
            f"beyond max_position {self.max_position:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        worst, worst_of = 0.0, ""
        for strategy_id, symbol in view.held_or_in_flight():
            if self.strategy in ("", strategy_id) and self.symbol in ("", symbol):
                # A position beyond the limit stays to be seen when what is in flight takes it back.
                held = abs(view.portfolio.quantity(strategy_id, symbol))
                size = max(held, abs(view.position(strategy_id, symbol)))
                if size > worst:
                    worst, worst_of = size, f"{strategy_id} {symbol}"
        return Usage("max_position", self.max_position, worst, worst_of)
