"""The plan's three checks (semantics, section 4): pure functions, which refuse what they do not know."""

from __future__ import annotations

from math import inf, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.engine.risk.checks import ConfidenceCheck, DrawdownCheck, PositionLimitCheck, ProposedContribution
from tests.engine.conftest import vote


class Account(msgspec.Struct, frozen=True):
    equity: float = 0.0
    peak: float = 0.0


class View(msgspec.Struct, frozen=True):
    """What a check may see: the same account whoever asks, and who has asked."""

    account: Account = Account()
    initial_capital: float = 100_000.0
    asked: list[str] = msgspec.field(default_factory=list)

    def equity_of(self, strategy_id: str) -> Account:
        self.asked.append(strategy_id)
        return self.account


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
    assert ConfidenceCheck(0.6).review(proposed(confidence=confidence), View()) is None


@pytest.mark.parametrize("confidence", [0.5999999, 0.0, nan])
def test_confidence_below_the_minimum_is_refused(confidence: float) -> None:
    refusal = ConfidenceCheck(0.6).review(proposed(confidence=confidence), View())
    assert refusal is not None
    assert (refusal.check, refusal.code) == ("confidence", "below_min_confidence")
    assert f"{confidence:.4g}" in refusal.reason
    assert "0.6" in refusal.reason


def test_confidence_refuses_what_reduces_too() -> None:
    assert ConfidenceCheck(0.6).review(proposed(-1.0, 5.0, 0.1), View()) is not None


@pytest.mark.parametrize(
    ("position", "quantity"), [(0.0, 10.0), (9.0, 1.0), (-9.0, -1.0), (-10.0, 20.0), (10.0, -20.0)]
)
def test_a_position_up_to_the_limit_passes(position: float, quantity: float) -> None:
    assert PositionLimitCheck(10.0).review(proposed(quantity, position), View()) is None


@pytest.mark.parametrize(
    ("position", "quantity"),
    [(0.0, 10.5), (10.0, 1.0), (-10.0, -1.0), (5.0, -16.0), (nan, 1.0), (0.0, nan), (0.0, inf)],
)
def test_a_position_beyond_the_limit_is_refused(position: float, quantity: float) -> None:
    refusal = PositionLimitCheck(10.0).review(proposed(quantity, position), View())
    assert refusal is not None
    assert (refusal.check, refusal.code) == ("position_limit", "above_max_position")
    assert f"{position:g}" in refusal.reason
    assert f"{position + quantity:g}" in refusal.reason


@pytest.mark.parametrize(("position", "quantity"), [(15.0, -1.0), (-15.0, 1.0), (15.0, -26.0), (15.0, -29.0)])
def test_what_reduces_a_position_that_is_over_its_limit_passes(position: float, quantity: float) -> None:
    assert PositionLimitCheck(10.0).review(proposed(quantity, position), View()) is None


@pytest.mark.parametrize("quantity", [-30.0, -31.0, 1.0])
def test_turning_a_position_over_without_making_it_smaller_is_refused(quantity: float) -> None:
    assert PositionLimitCheck(10.0).review(proposed(quantity, 15.0), View()) is not None


@given(st.floats(-20, 20), st.floats(-40, 40), st.floats(0.1, 15))
def test_the_position_limit_refuses_exactly_what_is_beyond_it_and_does_not_reduce(
    position: float, quantity: float, limit: float
) -> None:
    refusal = PositionLimitCheck(limit).review(proposed(quantity, position), View())
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
    refusal = DrawdownCheck(0.2).review(proposed(), View(Account(equity, peak)))
    assert (refusal is None) is (drawdown <= 0.2)
    if refusal is not None:
        assert (refusal.check, refusal.code) == ("drawdown", "above_max_drawdown")
        assert f"{drawdown:.4%}" in refusal.reason
        assert "20.0000%" in refusal.reason


def test_drawdown_is_of_the_initial_capital_that_is_configured() -> None:
    losing = Account(-201.0, 0.0)
    assert DrawdownCheck(0.2).review(proposed(), View(losing, 1_000.0)) is not None
    assert DrawdownCheck(0.2).review(proposed(), View(losing, 1_005.0)) is None


def test_drawdown_asks_for_the_account_of_the_signals_author() -> None:
    view = View()
    DrawdownCheck(0.2).review(proposed(), view)
    assert view.asked == ["a"]


def test_what_reduces_passes_in_any_drawdown() -> None:
    view = View(Account(-90_000.0, 0.0))
    assert DrawdownCheck(0.2).review(proposed(-1.0, 5.0), view) is None
    assert DrawdownCheck(0.2).review(proposed(1.0, 5.0), view) is not None
    assert DrawdownCheck(0.2).review(proposed(-10.0, 5.0), view) is not None


@pytest.mark.parametrize("account", [Account(nan, 0.0), Account(0.0, nan), Account(-inf, 0.0), Account(inf, inf)])
def test_an_equity_that_is_not_known_refuses(account: Account) -> None:
    assert DrawdownCheck(0.2).review(proposed(), View(account)) is not None
