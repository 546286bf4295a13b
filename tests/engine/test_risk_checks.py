"""The plan's three checks (semantics, section 4): pure functions, which refuse what they do not know."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.engine.risk.checks import check_of
from sengine.engine.risk.limits import ConfidenceLimit, DrawdownLimit, PositionLimit
from sengine.engine.risk.view import ProposedContribution, RiskView
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.saved import SavedAccount
from tests.engine.conftest import fill, vote


def view(equity: float = 0.0, peak: float = 0.0, capital: float = 100_000.0) -> RiskView:
    """What a check may see: strategy ``a`` has this equity, and had that peak."""
    positions = Portfolio(capital)
    positions.book(fill("1", 1.0, 100.0, "buy", "a"), 100.0)
    positions.equity_of("a").restore(SavedAccount(equity, 0.0, peak, 0.0))
    return RiskView(positions)


def proposed(quantity: float = 1.0, position: float = 0.0, confidence: float = 0.8) -> ProposedContribution:
    return ProposedContribution(vote("a"), quantity, confidence, position)


@pytest.mark.parametrize(
    ("position", "quantity", "reduces"),
    [
        (5.0, -1.0, True),
        (-5.0, 1.0, True),
        (5.0, -5.0, True),
        (5.0, -9.0, True),  # through zero, and smaller on the other side
        (5.0, -10.0, False),
        (5.0, -11.0, False),
        (5.0, 1.0, False),
        (0.0, -1.0, False),
        (5.0, nan, False),
        (nan, -1.0, False),
    ],
)
def test_reducing_means_strictly_less_position_than_before(position: float, quantity: float, reduces: bool) -> None:
    assert proposed(quantity, position).reduces is reduces


@pytest.mark.parametrize("confidence", [0.6, 0.61, 1.0])
def test_confidence_at_the_minimum_passes(confidence: float) -> None:
    assert check_of(ConfidenceLimit(0.6)).review(proposed(confidence=confidence), view()) is None


@pytest.mark.parametrize("confidence", [0.5999999, 0.0, nan])
def test_confidence_below_the_minimum_is_refused(confidence: float) -> None:
    refusal = check_of(ConfidenceLimit(0.6)).review(proposed(confidence=confidence), view())
    assert refusal is not None
    assert (refusal.check, refusal.code) == ("confidence", "below_min_confidence")
    assert f"{confidence:.4g}" in refusal.reason
    assert "0.6" in refusal.reason


def test_confidence_refuses_what_reduces_too() -> None:
    assert check_of(ConfidenceLimit(0.6)).review(proposed(-1.0, 5.0, 0.1), view()) is not None


@pytest.mark.parametrize(
    ("position", "quantity"), [(0.0, 10.0), (9.0, 1.0), (-9.0, -1.0), (-10.0, 20.0), (10.0, -20.0)]
)
def test_a_position_up_to_the_limit_passes(position: float, quantity: float) -> None:
    assert check_of(PositionLimit(10.0)).review(proposed(quantity, position), view()) is None


@pytest.mark.parametrize(
    ("position", "quantity"),
    [(0.0, 10.5), (10.0, 1.0), (-10.0, -1.0), (5.0, -16.0), (nan, 1.0), (0.0, nan), (0.0, inf)],
)
def test_a_position_beyond_the_limit_is_refused(position: float, quantity: float) -> None:
    refusal = check_of(PositionLimit(10.0)).review(proposed(quantity, position), view())
    assert refusal is not None
    assert (refusal.check, refusal.code) == ("position_limit", "above_max_position")
    assert f"{position:g}" in refusal.reason
    assert f"{position + quantity:g}" in refusal.reason


@pytest.mark.parametrize(("position", "quantity"), [(15.0, -1.0), (-15.0, 1.0), (15.0, -26.0), (15.0, -29.0)])
def test_what_reduces_a_position_that_is_over_its_limit_passes(position: float, quantity: float) -> None:
    assert check_of(PositionLimit(10.0)).review(proposed(quantity, position), view()) is None


@pytest.mark.parametrize("quantity", [-30.0, -31.0, 1.0])
def test_turning_a_position_over_without_making_it_smaller_is_refused(quantity: float) -> None:
    assert check_of(PositionLimit(10.0)).review(proposed(quantity, 15.0), view()) is not None


@given(st.floats(-20, 20), st.floats(-40, 40), st.floats(0.1, 15))
def test_the_position_limit_refuses_exactly_what_is_beyond_it_and_does_not_reduce(
    position: float, quantity: float, limit: float
) -> None:
    refusal = check_of(PositionLimit(limit)).review(proposed(quantity, position), view())
    allowed = abs(position + quantity) <= limit or abs(position + quantity) < abs(position)
    assert (refusal is None) is allowed


@pytest.mark.parametrize(
    ("equity", "peak", "drawdown"),
    [
        (0.0, 0.0, 0.0),
        (-20_000.0, 0.0, 0.2),  # peak 0: of the initial capital
        (-20_001.0, 0.0, 0.20001),
        (30_000.0, 60_000.0, 0.1875),  # peak > 0: of the capital and the peak
        (20_000.0, 100_000.0, 0.4),
        (100_000.0, 100_000.0, 0.0),
    ],
)
def test_drawdown_is_what_was_lost_from_the_peak_of_capital_and_profit(
    equity: float, peak: float, drawdown: float
) -> None:
    refusal = check_of(DrawdownLimit(0.2)).review(proposed(), view(equity, peak))
    assert (refusal is None) is (drawdown <= 0.2)
    if refusal is not None:
        assert (refusal.check, refusal.code) == ("drawdown", "above_max_drawdown")
        assert f"{drawdown:.4%}" in refusal.reason
        assert "20.0000%" in refusal.reason


def test_drawdown_is_of_the_initial_capital_that_is_configured() -> None:
    assert check_of(DrawdownLimit(0.2)).review(proposed(), view(-201.0, 0.0, 1_000.0)) is not None
    assert check_of(DrawdownLimit(0.2)).review(proposed(), view(-201.0, 0.0, 1_005.0)) is None


def test_drawdown_asks_for_the_account_of_the_signals_author() -> None:
    of_another = ProposedContribution(vote("b"), 1.0, 0.8, 0.0)
    assert check_of(DrawdownLimit(0.2)).review(proposed(), view(-90_000.0)) is not None
    assert check_of(DrawdownLimit(0.2)).review(of_another, view(-90_000.0)) is None


def test_what_reduces_passes_in_any_drawdown() -> None:
    losing = view(-90_000.0)
    assert check_of(DrawdownLimit(0.2)).review(proposed(-1.0, 5.0), losing) is None
    assert check_of(DrawdownLimit(0.2)).review(proposed(1.0, 5.0), losing) is not None
    assert check_of(DrawdownLimit(0.2)).review(proposed(-10.0, 5.0), losing) is not None


@pytest.mark.parametrize(("equity", "peak"), [(nan, 0.0), (0.0, nan), (-inf, 0.0), (inf, inf)])
def test_an_equity_that_is_not_known_refuses(equity: float, peak: float) -> None:
    assert check_of(DrawdownLimit(0.2)).review(proposed(), view(equity, peak)) is not None
