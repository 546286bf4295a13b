"""The pre-trade checks. Each is a pure function of what is proposed and of a read-only view; ``None`` lets it pass.

Comparisons are written so that a NaN refuses: what is not known to be within its limit is not within it.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import msgspec

from sengine.domain.order import ProposedOrder
from sengine.domain.signal import StampedSignal


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a check said no: its name, a stable code for metrics and tables, and a sentence with the values."""

    check: str
    code: str
    reason: str


class ProposedContribution(msgspec.Struct, frozen=True, gc=False):
    """One strategy's part of a possible order. ``position`` holds what is in flight; ``quantity`` is signed."""

    signal: StampedSignal
    quantity: float
    confidence: float
    position: float

    @property
    def reduces(self) -> bool:
        """Whether it leaves strictly less of a position than there is."""
        return abs(self.position + self.quantity) < abs(self.position)


class Equity(Protocol):
    """P&L of a strategy, realized + unrealized, and its running maximum (at least 0), in quote currency."""

    @property
    def equity(self) -> float: ...

    @property
    def peak(self) -> float: ...


class RiskView(Protocol):
    """All that checks may see of the engine."""

    initial_capital: float

    def equity_of(self, strategy_id: str) -> Equity: ...


class ContributionCheck(Protocol):
    """A strategy-scope check."""

    name: ClassVar[str]

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None: ...


class OrderCheck(Protocol):
    """An order-scope check."""

    name: ClassVar[str]

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None: ...


class ConfidenceCheck:
    """The decision's confidence must reach ``min_confidence``."""

    name: ClassVar[str] = "confidence"

    def __init__(self, min_confidence: float) -> None:
        self.min_confidence = min_confidence

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        if proposal.confidence >= self.min_confidence:
            return None
        return Refusal(
            self.name,
            "below_min_confidence",
            f"confidence {proposal.confidence:.4g} is below min_confidence {self.min_confidence:g}",
        )


class PositionLimitCheck:
    """|position + contribution| must stay within ``max_position`` per strategy and symbol; reducing always passes."""

    name: ClassVar[str] = "position_limit"

    def __init__(self, max_position: float) -> None:
        self.max_position = max_position

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        after = proposal.position + proposal.quantity
        if abs(after) <= self.max_position or proposal.reduces:
            return None
        return Refusal(
            self.name,
            "above_max_position",
            f"position {proposal.position:g} (in flight counted) would become {after:g}, "
            f"beyond max_position {self.max_position:g}",
        )


class DrawdownCheck:
    """(peak - equity) / (initial capital + peak) must stay within ``max_drawdown``; reducing always passes."""

    name: ClassVar[str] = "drawdown"

    def __init__(self, max_drawdown: float) -> None:
        self.max_drawdown = max_drawdown

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        account = view.equity_of(proposal.signal.strategy_id)
        equity, peak = account.equity, account.peak
        drawdown = (peak - equity) / (view.initial_capital + peak)
        if drawdown <= self.max_drawdown or proposal.reduces:
            return None
        return Refusal(
            self.name,
            "above_max_drawdown",
            f"drawdown {drawdown:.4%} is beyond max_drawdown {self.max_drawdown:.4%} "
            f"(P&L {equity:.2f}, peak {peak:.2f})",
        )
