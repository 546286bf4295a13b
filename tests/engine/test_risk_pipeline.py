"""Checks run in the configured order and stop at the first refusal; what cannot answer has not said yes."""

from __future__ import annotations

import pytest

from sengine.domain.order import Contribution, Order, ProposedOrder, Side
from sengine.engine.positions import PositionTracker
from sengine.engine.risk import RiskPipeline
from sengine.engine.risk_checks import ConfidenceCheck, PositionLimitCheck, ProposedContribution, Refusal
from tests.engine.conftest import vote

VIEW = PositionTracker(100_000.0)
PROPOSAL = ProposedContribution(vote("a"), 1.0, 0.8, 0.0)
ORDER = ProposedOrder("BTC", Side.BUY, 1.0, 0, (Contribution("a", 1.0, 1),), 99.0)


class Check:
    """A check of either scope that answers with what it was given, and writes down that it ran."""

    def __init__(self, name: str, answer: Refusal | BaseException | None = None, ran: list[str] | None = None) -> None:
        self.name = name
        self.answer = answer
        self.ran = ran if ran is not None else []

    def review(self, proposal, view) -> Refusal | None:
        self.ran.append(self.name)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    review_order = review


def refusal(name: str) -> Refusal:
    return Refusal(name, "no", "because")


def test_no_checks_let_everything_pass() -> None:
    pipeline = RiskPipeline([])
    assert pipeline.review(PROPOSAL, VIEW) is None
    assert isinstance(pipeline.approve(ORDER, VIEW, "1"), Order)


def test_contribution_checks_run_in_the_configured_order() -> None:
    ran: list[str] = []
    assert RiskPipeline([Check(name, None, ran) for name in "cab"]).review(PROPOSAL, VIEW) is None
    assert ran == ["c", "a", "b"]


def test_the_first_refusal_of_a_contribution_is_the_answer_and_ends_the_review() -> None:
    ran: list[str] = []
    checks = [Check("a", None, ran), Check("b", refusal("b"), ran), Check("c", refusal("c"), ran)]
    assert RiskPipeline(checks).review(PROPOSAL, VIEW) == refusal("b")
    assert ran == ["a", "b"]


def test_order_checks_look_at_orders_only() -> None:
    ran: list[str] = []
    pipeline = RiskPipeline([Check("part", None, ran)], [Check("first", None, ran), Check("second", None, ran)])
    assert isinstance(pipeline.approve(ORDER, VIEW, "1"), Order)
    assert ran == ["first", "second"]


def test_the_first_refusal_of_an_order_is_the_answer() -> None:
    ran: list[str] = []
    pipeline = RiskPipeline([], [Check("a", refusal("a"), ran), Check("b", None, ran)])
    assert pipeline.approve(ORDER, VIEW, "1") == refusal("a")
    assert ran == ["a"]


def test_an_approved_order_carries_the_proposal_and_its_id() -> None:
    assert RiskPipeline([]).approve(ORDER, VIEW, "x-9") == Order.approved(ORDER, "x-9")


@pytest.mark.parametrize("error", [ValueError("no data"), KeyError("BTC"), ZeroDivisionError()])
def test_a_contribution_check_that_raises_refuses(error: Exception) -> None:
    answer = RiskPipeline([Check("a"), Check("broken", error), Check("c")]).review(PROPOSAL, VIEW)
    assert answer is not None
    assert (answer.check, answer.code) == ("broken", "check_failed")
    assert type(error).__name__ in answer.reason
    assert str(error) in answer.reason


def test_an_order_check_that_raises_refuses() -> None:
    answer = RiskPipeline([], [Check("broken", RuntimeError("no line"))]).approve(ORDER, VIEW, "1")
    assert isinstance(answer, Refusal)
    assert (answer.check, answer.code) == ("broken", "check_failed")


def test_what_ends_the_process_is_not_taken_for_an_answer() -> None:
    with pytest.raises(KeyboardInterrupt):
        RiskPipeline([Check("a", KeyboardInterrupt())]).review(PROPOSAL, VIEW)


def test_bypassed_checks_of_both_scopes_do_not_run() -> None:
    ran: list[str] = []
    pipeline = RiskPipeline(
        [Check("a", refusal("a"), ran), Check("b", None, ran)],
        [Check("c", refusal("c"), ran)],
        bypass=["a", "c", "unheard_of"],
    )
    assert pipeline.review(PROPOSAL, VIEW) is None
    assert isinstance(pipeline.approve(ORDER, VIEW, "1"), Order)
    assert ran == ["b"]
    assert pipeline.bypass == {"a", "c", "unheard_of"}


def test_the_plans_checks_stand_behind_the_pipeline() -> None:
    pipeline = RiskPipeline([ConfidenceCheck(0.9), PositionLimitCheck(0.5)])
    first = pipeline.review(PROPOSAL, VIEW)
    assert first is not None
    assert first.check == "confidence"
    second = RiskPipeline([PositionLimitCheck(0.5), ConfidenceCheck(0.9)]).review(PROPOSAL, VIEW)
    assert second is not None
    assert second.check == "position_limit"
