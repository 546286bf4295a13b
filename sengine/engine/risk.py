"""The risk pipeline: every check in the configured order, stop at the first refusal, fail closed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from sengine.domain.order import Order, ProposedOrder
from sengine.engine.risk_checks import ContributionCheck, OrderCheck, ProposedContribution, Refusal, RiskView

_Subject = TypeVar("_Subject", ProposedContribution, ProposedOrder)


class RiskPipeline:
    """Strategy-scope checks look at each contribution, order-scope checks at the order that they sum to.

    ``bypass`` names checks to leave out; it exists for tests and is shown wherever limits are shown.
    """

    def __init__(
        self,
        contribution_checks: Sequence[ContributionCheck],
        order_checks: Sequence[OrderCheck] = (),
        bypass: Collection[str] = (),
    ) -> None:
        self.bypass = frozenset(bypass)
        self._contribution_checks = [
            (check.name, check.review) for check in contribution_checks if check.name not in self.bypass
        ]
        self._order_checks = [
            (check.name, check.review_order) for check in order_checks if check.name not in self.bypass
        ]

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        """The first refusal of a contribution, or ``None`` when all checks let it pass."""
        return _first_refusal(self._contribution_checks, proposal, view)

    def approve(self, order: ProposedOrder, view: RiskView, order_id: str) -> Order | Refusal:
        """The order as the type that gateways take, under ``order_id``, or the first refusal."""
        if self._order_checks:
            refusal = _first_refusal(self._order_checks, order, view)
            if refusal is not None:
                return refusal
        return Order.approved(order, order_id)


def approve_reducing(order: ProposedOrder, held: Callable[[str, str], float], order_id: str) -> Order | Refusal:
    """An order that only takes from positions, under ``order_id``. No limit and no kill switch stands against getting
    out, so no check is asked; ``held`` is the signed quantity of a strategy on a symbol."""
    for part in order.contributions:
        quantity = held(part.strategy_id, order.symbol)
        if not (part.quantity * quantity < 0.0 and abs(part.quantity) <= abs(quantity)):
            return Refusal(
                "reduce_only",
                "does_not_reduce",
                f"{part.quantity:+g} {order.symbol} does not reduce the {quantity:g} that {part.strategy_id} holds",
            )
    return Order.approved(order, order_id)


def _first_refusal(
    checks: Sequence[tuple[str, Callable[[_Subject, RiskView], Refusal | None]]], subject: _Subject, view: RiskView
) -> Refusal | None:
    asked = ""
    try:
        for asked, review in checks:  # noqa: B007 - the one that raised is named below
            refusal = review(subject, view)
            if refusal is not None:
                return refusal
    # A check that cannot answer has not said yes.
    except Exception as error:
        return Refusal(asked, "check_failed", f"the check itself failed: {type(error).__name__}: {error}")
    return None
