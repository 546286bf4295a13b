"""What every check is made of: the limit that it holds, and what it answers."""

from __future__ import annotations

from sengine.domain.order import ProposedOrder
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.limits import AnyLimit
from sengine.engine.risk.view import ProposedContribution, RiskView


class Check:
    """Base of all checks. ``strategy`` and ``symbol`` say what it applies to; "" is all. ``title`` is what it is called
    in refusals, metrics and on screens."""

    def __init__(self, limit: AnyLimit) -> None:
        self.name: str = limit.name
        self.strategy = limit.strategy
        self.symbol = limit.symbol
        self.title = limit.title

    def refuse(self, code: str, reason: str) -> Refusal:
        return Refusal(self.title, code, reason)

    def usage(self, view: RiskView) -> Usage:
        """Its limit, and how much of it is used."""
        return Usage()


class ContributionCheck(Check):
    """A strategy-scope check: it looks at each contribution."""

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        """The refusal; ``None`` lets the contribution pass."""
        raise NotImplementedError


class OrderCheck(Check):
    """An order-scope check: it looks at the order that contributions sum to."""

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        """The refusal; ``None`` lets the order pass."""
        raise NotImplementedError


def scope_of(strategy: str, symbol: str) -> str:
    """`` of momentum_btc in BTCUSDT``, as it is said; empty for all."""
    return (f" of {strategy}" if strategy else "") + (f" in {symbol}" if symbol else "")
