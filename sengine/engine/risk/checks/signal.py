"""Checks of a single signal: how sure the decision is, and how far it takes the strategy's position."""

from __future__ import annotations

from typing import ClassVar

from sengine.engine.risk.checks.basis import Check, ProposedContribution, Reducing, Refusal, RiskView, Usage


class ConfidenceCheck(Check, frozen=True, tag="confidence"):
    """The decision's confidence must reach ``min_confidence``."""

    min_confidence: float

    name: ClassVar[str] = "confidence"
    codes: ClassVar = {"below_min_confidence": "the confidence is below `min_confidence`"}
    reducing = Reducing.IS_CHECKED
    source = "the plan"
    looser_below = ("min_confidence",)

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        if proposal.confidence >= self.min_confidence:
            return None
        return self.refuse(
            "below_min_confidence",
            f"confidence {proposal.confidence:.4g} is below min_confidence {self.min_confidence:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("min_confidence", self.min_confidence)


class PositionLimitCheck(Check, frozen=True, tag="position_limit"):
    """|position + contribution| must stay within ``max_position`` per strategy and symbol."""

    max_position: float

    name: ClassVar[str] = "position_limit"
    codes: ClassVar = {"above_max_position": "position + in flight + this would go beyond `max_position`"}
    reducing = Reducing.PASSES
    source = "the plan; FIA best practices: maximum intraday position"
    looser_above = ("max_position",)

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
                held = abs(view.positions.quantity(strategy_id, symbol))
                size = max(held, abs(view.position(strategy_id, symbol)))
                if size > worst:
                    worst, worst_of = size, f"{strategy_id} {symbol}"
        return Usage("max_position", self.max_position, worst, worst_of)
