"""The risk pipeline: every check in the configured order, stop at the first refusal, fail closed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from math import inf
from typing import Any, Final

import msgspec

from sengine.domain.order import Order, ProposedOrder
from sengine.engine.risk.checks import check_of
from sengine.engine.risk.checks.basis import Check, ContributionCheck, OrderCheck
from sengine.engine.risk.checks.market import LateEngineCheck
from sengine.engine.risk.checks.signal import PositionLimitCheck
from sengine.engine.risk.limit import Refusal
from sengine.engine.risk.limits import AnyLimit
from sengine.engine.risk.view import ProposedContribution, RiskView
from sengine.engine.strategies.faults import describe_error

_CHAINS_KEPT: Final = 1_000


class RiskPipeline:
    """Strategy-scope checks look at each contribution, order-scope checks at the order that they sum to.

    A check is asked about what its ``strategy`` and ``symbol`` say, and every check that is asked must let it pass: one
    for a single symbol comes on top of one for all. ``bypass`` names checks to leave out; it exists for tests and is
    shown wherever limits are shown.
    """

    def __init__(self, limits: Sequence[AnyLimit], bypass: Collection[str] = ()) -> None:
        self.loosened: list[str] = []
        """What operators loosened since the start, a sentence each."""
        self.max_positions: dict[tuple[str, str], float] = {}
        """The answers of ``max_position`` so far."""
        self.change(limits, bypass)

    def change(self, limits: Sequence[AnyLimit], bypass: Collection[str]) -> None:
        """These limits from now on."""
        self.limits: Sequence[AnyLimit] = _labelled(limits)
        self.checks = [check_of(limit) for limit in self.limits]
        self.bypass = frozenset(bypass)
        self._of_contributions: dict[tuple[str, str], list[ContributionCheck]] = {}
        self._of_orders: dict[tuple[str, ...], list[OrderCheck]] = {}
        # Where no check is for some strategies or symbols only, the same ones apply to all.
        is_same_for_all = not any(check.strategy or check.symbol for check in self.checks)
        self._of_any_contribution = _of_contributions(self._for(("",))) if is_same_for_all else None
        self._of_any_order = _of_orders(self._for(("",))) if is_same_for_all else None
        self.max_positions.clear()

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        """The first refusal of a contribution, or ``None`` when all checks let it pass."""
        reviews = self._of_any_contribution
        if reviews is None:
            key = (proposal.signal.symbol, proposal.signal.strategy_id)
            reviews = self._of_contributions.get(key)
            if reviews is None:
                reviews = _of_contributions(self._for(key))
                _keep(self._of_contributions, key, reviews)
        return _refusal_of_contribution(reviews, proposal, view)

    def approve(self, order: ProposedOrder, view: RiskView, order_id: str) -> Order | Refusal:
        """The order as the type that gateways take, under ``order_id``, or the first refusal."""
        reviews = self._of_any_order
        if reviews is None:
            key = (order.symbol, *[part.strategy_id for part in order.contributions])
            reviews = self._of_orders.get(key)
            if reviews is None:
                reviews = _of_orders(self._for(key))
                _keep(self._of_orders, key, reviews)
        if reviews:
            refusal = _refusal_of_order(reviews, order, view)
            if refusal is not None:
                return refusal
        return Order.approved(order, order_id)

    def max_position(self, strategy_id: str, symbol: str) -> float:
        """The tightest ``position_limit`` of a strategy on a symbol; infinite without one."""
        checks = self._for((symbol, strategy_id))
        tightest = min([check.max_position for check in checks if isinstance(check, PositionLimitCheck)], default=inf)
        _keep(self.max_positions, (strategy_id, symbol), tightest)
        return tightest

    def too_late(self, order: ProposedOrder, age_ns: int) -> str:
        """Why an order may not leave any more whose event came so long ago; empty where it may. What an operator asked
        for, as a flatten, is never too late."""
        parts = [part for part in order.contributions if part.signal_sequence]
        for check in self._for((order.symbol, *[part.strategy_id for part in parts])) if parts else []:
            if isinstance(check, LateEngineCheck) and age_ns > check.max_age_ns:
                return check.sentence(age_ns)
        return ""

    def loosened_by(self, limits: Sequence[AnyLimit], bypass: Collection[str]) -> list[str]:
        """What ``limits`` would let pass that those in force do not, in words; empty where they are as strict.

        Every limit in force needs one of its kind, strategy and symbol that is as strict.
        """
        looser = [f"{name} is bypassed" for name in sorted(set(bypass) - self.bypass)]
        for limit in self.limits:
            if limit.name in self.bypass:
                continue
            successors = [
                limit.loosened_in(each)
                for each in limits
                if type(each) is type(limit) and (each.strategy, each.symbol) == (limit.strategy, limit.symbol)
            ]
            if not successors:
                looser.append(f"{limit.title} is gone")
            elif all(successors):
                looser.append(f"{limit.title}: {', '.join(sorted(successors, key=len)[0])}")
        return looser

    def _for(self, key: tuple[str, ...]) -> list[Check]:
        """The checks that apply to a symbol, the first of ``key``, and to any of the strategies that follow it."""
        symbol, strategies = key[0], key[1:]
        return [
            check
            for check in self.checks
            if check.name not in self.bypass
            and check.symbol in ("", symbol)
            and (not check.strategy or check.strategy in strategies)
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


def _labelled(limits: Sequence[AnyLimit]) -> list[AnyLimit]:
    """Each limit with a label of its own: the name, what it is for, and a number where that is not enough."""
    labelled: list[AnyLimit] = []
    seen: set[str] = set()
    for limit in limits:
        scope = ",".join([each for each in (limit.strategy, limit.symbol) if each])
        label = base = f"{limit.name}[{scope}]" if scope else limit.name
        number = 1
        while label in seen:
            number += 1
            label = f"{base}#{number}"
        seen.add(label)
        labelled.append(limit if label == limit.title else msgspec.structs.replace(limit, label=label))
    return labelled


def _of_contributions(checks: Sequence[Check]) -> list[ContributionCheck]:
    return [check for check in checks if isinstance(check, ContributionCheck)]


def _of_orders(checks: Sequence[Check]) -> list[OrderCheck]:
    return [check for check in checks if isinstance(check, OrderCheck)]


def _keep(chains: dict, key: tuple[str, ...], reviews: Any) -> None:  # type: ignore[type-arg]
    """Which checks apply to whom is worked out once; votes can bring strategies together in many ways."""
    if len(chains) >= _CHAINS_KEPT:
        chains.clear()
    chains[key] = reviews


def _refusal_of_contribution(
    checks: Sequence[ContributionCheck], proposal: ProposedContribution, view: RiskView
) -> Refusal | None:
    """The first refusal. A check that cannot answer has not said yes."""
    title = ""
    try:
        for check in checks:
            title = check.title
            refusal = check.review(proposal, view)
            if refusal is not None:
                return refusal
    except Exception as error:
        return _failed(title, error)
    return None


def _refusal_of_order(checks: Sequence[OrderCheck], order: ProposedOrder, view: RiskView) -> Refusal | None:
    """The same of an order."""
    title = ""
    try:
        for check in checks:
            title = check.title
            refusal = check.review(order, view)
            if refusal is not None:
                return refusal
    except Exception as error:
        return _failed(title, error)
    return None


def _failed(title: str, error: Exception) -> Refusal:
    return Refusal(title, "check_failed", f"the check itself failed: {describe_error(error)}")
