"""The risk pipeline: every check in the configured order, stop at the first refusal, fail closed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from sengine.domain.order import Order, ProposedOrder
from sengine.engine.faults import describe_error
from sengine.engine.risk_checks import (
    AnyCheck,
    Check,
    LateEngineCheck,
    PositionLimitCheck,
    ProposedContribution,
    Refusal,
    RiskView,
)

_Subject = TypeVar("_Subject", ProposedContribution, ProposedOrder)
_Review: TypeAlias = tuple[str, Callable[[_Subject, RiskView], Refusal | None]]
_CHAINS_KEPT: Final = 1_000


class ChangeLimits(msgspec.Struct, frozen=True):
    """Command: these checks instead of those in force.

    What would let more pass is refused unless ``allow_loosening``.
    """

    checks: Sequence[AnyCheck]
    bypass: Sequence[str] = ()
    allow_loosening: bool = False


class RiskPipeline:
    """Strategy-scope checks look at each contribution, order-scope checks at the order that they sum to.

    A check is asked about what its ``strategy`` and ``symbol`` say, and every check that is asked must let it pass: one
    for a single symbol comes on top of one for all. ``bypass`` names checks to leave out; it exists for tests and is
    shown wherever limits are shown.
    """

    def __init__(self, checks: Sequence[Check], bypass: Collection[str] = ()) -> None:
        self.loosened: list[str] = []
        """What operators loosened since the start, a sentence each."""
        self.max_positions: dict[tuple[str, str], float] = {}
        """The answers of ``max_position`` so far."""
        self.change(checks, bypass)

    def change(self, checks: Sequence[Check], bypass: Collection[str]) -> None:
        """These checks from now on."""
        self.checks = _labelled(checks)
        self.bypass = frozenset(bypass)
        self._of_contributions: dict[tuple[str, str], list[_Review[ProposedContribution]]] = {}
        self._of_orders: dict[tuple[str, ...], list[_Review[ProposedOrder]]] = {}
        # Where no check is for some strategies or symbols only, the same ones apply to all.
        is_same_for_all = not any(check.strategy or check.symbol for check in self.checks)
        self._of_any_contribution = _reviews(self._for(("",))) if is_same_for_all else None
        self._of_any_order = _order_reviews(self._for(("",))) if is_same_for_all else None
        self.max_positions.clear()

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        """The first refusal of a contribution, or ``None`` when all checks let it pass."""
        reviews = self._of_any_contribution
        if reviews is None:
            key = (proposal.signal.symbol, proposal.signal.strategy_id)
            reviews = self._of_contributions.get(key)
            if reviews is None:
                reviews = _reviews(self._for(key))
                _keep(self._of_contributions, key, reviews)
        return _first_refusal(reviews, proposal, view)

    def approve(self, order: ProposedOrder, view: RiskView, order_id: str) -> Order | Refusal:
        """The order as the type that gateways take, under ``order_id``, or the first refusal."""
        reviews = self._of_any_order
        if reviews is None:
            key = (order.symbol, *[part.strategy_id for part in order.contributions])
            reviews = self._of_orders.get(key)
            if reviews is None:
                reviews = _order_reviews(self._for(key))
                _keep(self._of_orders, key, reviews)
        if reviews:
            refusal = _first_refusal(reviews, order, view)
            if refusal is not None:
                return refusal
        return Order.approved(order, order_id)

    def max_position(self, strategy_id: str, symbol: str) -> float:
        """The tightest ``position_limit`` of a strategy on a symbol; infinite without one."""
        checks = self._for((symbol, strategy_id))
        limit = min([check.max_position for check in checks if isinstance(check, PositionLimitCheck)], default=inf)
        _keep(self.max_positions, (strategy_id, symbol), limit)
        return limit

    def too_late(self, order: ProposedOrder, age_ns: int) -> str:
        """Why an order may not leave any more whose event came so long ago; empty where it may. What an operator asked
        for, as a flatten, is never too late."""
        parts = [part for part in order.contributions if part.signal_sequence]
        for check in self._for((order.symbol, *[part.strategy_id for part in parts])) if parts else ():
            if isinstance(check, LateEngineCheck) and age_ns > check.max_age_ns:
                return check.sentence(age_ns)
        return ""

    def loosened_by(self, checks: Sequence[Check], bypass: Collection[str]) -> list[str]:
        """What ``checks`` would let pass that those in force do not, in words; empty where they are as strict.

        Every check in force needs one of its name, strategy and symbol that is as strict.
        """
        looser = [f"{name} is bypassed" for name in sorted(set(bypass) - self.bypass)]
        for check in self.checks:
            if check.name in self.bypass:
                continue
            successors = [
                check.loosened_in(each)
                for each in checks
                if type(each) is type(check) and (each.strategy, each.symbol) == (check.strategy, check.symbol)
            ]
            if not successors:
                looser.append(f"{check.title} is gone")
            elif all(successors):
                looser.append(f"{check.title}: {', '.join(sorted(successors, key=len)[0])}")
        return looser

    def _for(self, key: tuple[str, ...]) -> list[Check]:
        """The checks that apply to a symbol, the first of ``key``, and to any of the strategies that follow it."""
        symbol, *strategies = key
        return [
            check
            for check in self.checks
            if check.name not in self.bypass and check.symbol in ("", symbol) and check.strategy in ("", *strategies)
        ]


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


def _labelled(checks: Sequence[Check]) -> list[Check]:
    """Each check with a label of its own: the name, what it is for, and a number where that is not enough."""
    labelled: list[Check] = []
    seen: set[str] = set()
    for check in checks:
        scope = ",".join([each for each in (check.strategy, check.symbol) if each])
        label = base = f"{check.name}[{scope}]" if scope else check.name
        number = 1
        while label in seen:
            number += 1
            label = f"{base}#{number}"
        seen.add(label)
        labelled.append(check if label == check.title else msgspec.structs.replace(check, label=label))
    return labelled


def _reviews(checks: Sequence[Check]) -> list[_Review[ProposedContribution]]:
    return [(check.title, check.review) for check in checks if hasattr(check, "review")]


def _order_reviews(checks: Sequence[Check]) -> list[_Review[ProposedOrder]]:
    return [(check.title, check.review_order) for check in checks if hasattr(check, "review_order")]


def _keep(chains: dict, key: tuple[str, ...], reviews: Any) -> None:  # type: ignore[type-arg]
    """Which checks apply to whom is worked out once; votes can bring strategies together in many ways."""
    if len(chains) >= _CHAINS_KEPT:
        chains.clear()
    chains[key] = reviews


def _first_refusal(reviews: Sequence[_Review[_Subject]], subject: _Subject, view: RiskView) -> Refusal | None:
    asked = ""
    try:
        for asked, review in reviews:  # noqa: B007 - the one that raised is named below
            refusal = review(subject, view)
            if refusal is not None:
                return refusal
    # A check that cannot answer has not said yes.
    except Exception as error:
        return Refusal(asked, "check_failed", f"the check itself failed: {describe_error(error)}")
    return None
