"""Checks run in the configured order and stop at the first refusal; what cannot answer has not said yes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sengine.build_form import form
from sengine.domain.order import Contribution, Order, ProposedOrder, Side
from sengine.engine.risk.checks import CHECKS, basis
from sengine.engine.risk.limit import Limit, Refusal
from sengine.engine.risk.limits import (
    AnyLimit,
    ConfidenceLimit,
    OrderQuantityLimit,
    OrderRateLimit,
    PositionLimit,
    SymbolAllowList,
    TradingHours,
)
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.risk.view import ProposedContribution, RiskView
from sengine.engine.state.portfolio import Portfolio
from tests.engine.conftest import vote

VIEW = RiskView(Portfolio(100_000.0))
PROPOSAL = ProposedContribution(vote("a"), 1.0, 0.8, 0.0)
ORDER = ProposedOrder("BTC", Side.BUY, 1.0, 0, (Contribution("a", 1.0, 1),), 99.0)


class Scripted(Limit, frozen=True):
    """A limit whose check answers with what it was given, and writes down that it ran."""

    called: str = ""
    answer: Any = None
    ran: list[str] = msgspec.field(default_factory=list)

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.called


class ScriptedOrder(Scripted, frozen=True):
    """The same of order scope."""


def Check(name: str, answer: Any = None, ran: list[str] | None = None) -> Any:  # noqa: N802 - it stands for a class
    return Scripted(called=name, answer=answer, ran=[] if ran is None else ran)


def OrderCheck(name: str, answer: Any = None, ran: list[str] | None = None) -> Any:  # noqa: N802 - the same
    return ScriptedOrder(called=name, answer=answer, ran=[] if ran is None else ran)


needs_own_checks = pytest.mark.skipif(form() == "compiled", reason="a compiled class has no subclasses in Python")


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks of the scripted limits."""
    if form() == "compiled":
        return

    class ScriptedCheck:
        def __init__(self, limit: Scripted) -> None:
            super().__init__(limit)  # type: ignore[call-arg]
            self.given = limit

        def review(self, subject: object, view: RiskView) -> Refusal | None:
            self.given.ran.append(self.given.called)
            if isinstance(self.given.answer, BaseException):
                raise self.given.answer
            return self.given.answer

    for limit, base in ((Scripted, basis.ContributionCheck), (ScriptedOrder, basis.OrderCheck)):
        monkeypatch.setitem(CHECKS, limit, type("ScriptedCheck", (ScriptedCheck, base), {}))


def refusal(name: str) -> Refusal:
    return Refusal(name, "no", "because")


def test_no_checks_let_everything_pass() -> None:
    pipeline = RiskPipeline([])
    assert pipeline.review(PROPOSAL, VIEW) is None
    assert isinstance(pipeline.approve(ORDER, VIEW, "1"), Order)


@needs_own_checks
def test_contribution_checks_run_in_the_configured_order() -> None:
    ran: list[str] = []
    assert RiskPipeline([Check(name, None, ran) for name in "cab"]).review(PROPOSAL, VIEW) is None
    assert ran == ["c", "a", "b"]


@needs_own_checks
def test_the_first_refusal_of_a_contribution_is_the_answer_and_ends_the_review() -> None:
    ran: list[str] = []
    checks = [Check("a", None, ran), Check("b", refusal("b"), ran), Check("c", refusal("c"), ran)]
    assert RiskPipeline(checks).review(PROPOSAL, VIEW) == refusal("b")
    assert ran == ["a", "b"]


@needs_own_checks
def test_order_checks_look_at_orders_only() -> None:
    ran: list[str] = []
    pipeline = RiskPipeline([Check("part", None, ran), OrderCheck("first", None, ran), OrderCheck("second", None, ran)])
    assert isinstance(pipeline.approve(ORDER, VIEW, "1"), Order)
    assert ran == ["first", "second"]


@needs_own_checks
def test_the_first_refusal_of_an_order_is_the_answer() -> None:
    ran: list[str] = []
    pipeline = RiskPipeline([OrderCheck("a", refusal("a"), ran), OrderCheck("b", None, ran)])
    assert pipeline.approve(ORDER, VIEW, "1") == refusal("a")
    assert ran == ["a"]


def test_an_approved_order_carries_the_proposal_and_its_id() -> None:
    assert RiskPipeline([]).approve(ORDER, VIEW, "x-9") == Order.approved(ORDER, "x-9")


@pytest.mark.parametrize("error", [ValueError("no data"), KeyError("BTC"), ZeroDivisionError()])
@needs_own_checks
def test_a_contribution_check_that_raises_refuses(error: Exception) -> None:
    answer = RiskPipeline([Check("a"), Check("broken", error), Check("c")]).review(PROPOSAL, VIEW)
    assert answer is not None
    assert (answer.check, answer.code) == ("broken", "check_failed")
    assert type(error).__name__ in answer.reason
    assert str(error) in answer.reason


@needs_own_checks
def test_an_order_check_that_raises_refuses() -> None:
    answer = RiskPipeline([OrderCheck("broken", RuntimeError("no line"))]).approve(ORDER, VIEW, "1")
    assert isinstance(answer, Refusal)
    assert (answer.check, answer.code) == ("broken", "check_failed")


@needs_own_checks
def test_what_ends_the_process_is_not_taken_for_an_answer() -> None:
    with pytest.raises(KeyboardInterrupt):
        RiskPipeline([Check("a", KeyboardInterrupt())]).review(PROPOSAL, VIEW)


@needs_own_checks
def test_bypassed_checks_of_both_scopes_do_not_run() -> None:
    ran: list[str] = []
    pipeline = RiskPipeline(
        [Check("a", refusal("a"), ran), Check("b", None, ran), OrderCheck("c", refusal("c"), ran)],
        bypass=["a", "c", "unheard_of"],
    )
    assert pipeline.review(PROPOSAL, VIEW) is None
    assert isinstance(pipeline.approve(ORDER, VIEW, "1"), Order)
    assert ran == ["b"]
    assert pipeline.bypass == {"a", "c", "unheard_of"}


def test_the_plans_checks_stand_behind_the_pipeline() -> None:
    pipeline = RiskPipeline([ConfidenceLimit(0.9), PositionLimit(0.5)])
    first = pipeline.review(PROPOSAL, VIEW)
    assert first is not None
    assert first.check == "confidence"
    second = RiskPipeline([PositionLimit(0.5), ConfidenceLimit(0.9)]).review(PROPOSAL, VIEW)
    assert second is not None
    assert second.check == "position_limit"


def asked_of(pipeline: RiskPipeline, strategy_id: str, symbol: str) -> list[str]:
    """The labels of the checks that refuse a contribution, when all of them would."""
    refused = pipeline.review(ProposedContribution(vote(strategy_id, symbol=symbol), 9.0, 0.0, 0.0), VIEW)
    return [] if refused is None else [refused.check]


def test_a_check_is_asked_about_its_strategy_and_symbol_only() -> None:
    for check, asked in [
        (PositionLimit(1.0, strategy="a"), [("a", "BTC"), ("a", "ETH")]),
        (PositionLimit(1.0, symbol="BTC"), [("a", "BTC"), ("b", "BTC")]),
        (PositionLimit(1.0, strategy="a", symbol="BTC"), [("a", "BTC")]),
    ]:
        pipeline = RiskPipeline([check])
        pairs = [(name, symbol) for name in "ab" for symbol in ("BTC", "ETH")]
        assert [pair for pair in pairs if asked_of(pipeline, *pair)] == asked


def test_an_order_is_asked_about_when_any_contributor_is_meant() -> None:
    parts = (Contribution("a", 1.0, 1), Contribution("b", 1.0, 2))
    both = ProposedOrder("BTC", Side.BUY, 2.0, 0, parts)
    for check, refuses in [
        (OrderQuantityLimit(1.0, strategy="b"), True),
        (OrderQuantityLimit(1.0, strategy="c"), False),
        (OrderQuantityLimit(1.0, symbol="ETH"), False),
    ]:
        assert isinstance(RiskPipeline([check]).approve(both, VIEW, "1"), Refusal) is refuses


def test_a_tighter_limit_for_one_comes_on_top_of_that_for_all() -> None:
    pipeline = RiskPipeline([PositionLimit(5.0), PositionLimit(50.0, strategy="a")])
    assert asked_of(pipeline, "a", "BTC") == ["position_limit"], "a wider one does not widen that for all"
    pipeline = RiskPipeline([PositionLimit(50.0), PositionLimit(5.0, strategy="a")])
    assert asked_of(pipeline, "a", "BTC") == ["position_limit[a]"]
    assert asked_of(pipeline, "b", "BTC") == []


def test_every_check_has_a_name_of_its_own() -> None:
    limits = [
        PositionLimit(1.0),
        PositionLimit(2.0, strategy="a"),
        PositionLimit(3.0, strategy="a", symbol="BTC"),
        PositionLimit(4.0),
        PositionLimit(5.0),
    ]
    assert [check.title for check in RiskPipeline(limits).checks] == [
        "position_limit",
        "position_limit[a]",
        "position_limit[a,BTC]",
        "position_limit#2",
        "position_limit#3",
    ]


def test_what_is_remembered_of_who_is_asked_is_bounded() -> None:
    pipeline = RiskPipeline([PositionLimit(1.0, symbol="BTC")])
    for number in range(2_500):
        asked_of(pipeline, str(number), "BTC")
    assert 0 < len(pipeline._of_contributions) <= 1_000


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (PositionLimit(10.0), PositionLimit(10.0), []),
        (PositionLimit(10.0), PositionLimit(9.0), []),
        (PositionLimit(10.0), PositionLimit(20.0), ["position_limit: max_position 10 -> 20"]),
        (PositionLimit(10.0), PositionLimit(1.0, symbol="BTC"), ["position_limit is gone"]),
        (PositionLimit(10.0), ConfidenceLimit(0.1), ["position_limit is gone"]),
        (ConfidenceLimit(0.6), ConfidenceLimit(0.7), []),
        (ConfidenceLimit(0.6), ConfidenceLimit(0.5), ["confidence: min_confidence 0.6 -> 0.5"]),
        (OrderRateLimit(5, 10), OrderRateLimit(5, 10, 3), []),
        (OrderRateLimit(5, 10, 3), OrderRateLimit(5, 10), ["order_rate: max_orders_per_strategy 3 -> none"]),
        (OrderRateLimit(5, 10), OrderRateLimit(6, 9), ["order_rate: max_orders 5 -> 6, per_ns 10 -> 9"]),
        (SymbolAllowList(("A", "B")), SymbolAllowList(("B",)), []),
        (
            SymbolAllowList(("A",)),
            SymbolAllowList(("A", "B")),
            ["symbol_allow_list: symbols ('A',) -> ('A', 'B')"],
        ),
        (
            SymbolAllowList(("A",), strategy="a"),
            SymbolAllowList(("A",), strategy="a"),
            [],
        ),
        (
            TradingHours("08:00", "16:00"),
            TradingHours("09:00", "16:00"),
            ["trading_hours: open 08:00 -> 09:00"],
        ),
    ],
)
def test_a_looser_limit_is_found_and_told(before: AnyLimit, after: AnyLimit, said: list[str]) -> None:
    assert RiskPipeline([before]).loosened_by([after], []) == said
    assert RiskPipeline([before], [before.name]).loosened_by([after], [before.name]) == []


def test_a_bypass_is_looser_and_another_check_of_the_kind_that_is_as_strict_will_do() -> None:
    pipeline = RiskPipeline([PositionLimit(10.0)])
    assert pipeline.loosened_by([PositionLimit(10.0)], ["position_limit"]) == ["position_limit is bypassed"]
    assert pipeline.loosened_by([PositionLimit(50.0), PositionLimit(10.0)], []) == []


def test_checks_can_be_changed_and_who_is_asked_is_worked_out_anew() -> None:
    pipeline = RiskPipeline([PositionLimit(1.0)])
    assert asked_of(pipeline, "a", "BTC") == ["position_limit"]
    pipeline.change([PositionLimit(100.0, symbol="ETH")], [])
    assert asked_of(pipeline, "a", "BTC") == []
