"""Average cost (semantics, section 6), against exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.domain.position import Position, net

# (signed thousandths, price in cents, commission in cents): decimals, as in the market.
Trade = tuple[int, int, int]
trades = st.lists(
    st.tuples(st.integers(-50_000, 50_000).filter(bool), st.integers(1, 10_000_000), st.integers(-100, 10_000)),
    min_size=1,
    max_size=30,
)


class ExactPosition:
    """The rules of section 6 in fractions, written down once more."""

    def __init__(self) -> None:
        self.quantity = self.average = self.realized = self.cash = Fraction(0)

    def apply(self, signed: Fraction, price: Fraction, commission: Fraction) -> None:
        held = self.quantity
        self.quantity += signed
        self.cash -= signed * price + commission
        self.realized -= commission
        if held * signed >= 0:
            self.average = (self.average * abs(held) + price * abs(signed)) / abs(self.quantity)
            return
        closed = min(abs(held), abs(signed))
        self.realized += (price - self.average) * closed * (1 if held > 0 else -1)
        if abs(signed) > abs(held):
            self.average = price
        elif self.quantity == 0:
            self.average = Fraction(0)


def book(sequence: list[Trade]) -> tuple[Position, ExactPosition]:
    position, exact = Position("a", "BTC"), ExactPosition()
    for thousandths, cents, commission in sequence:
        position.apply(thousandths / 1000, cents / 100, commission / 100)
        exact.apply(Fraction(thousandths, 1000), Fraction(cents, 100), Fraction(commission, 100))
    return position, exact


def turnover(sequence: list[Trade]) -> float:
    return sum(abs(thousandths / 1000) * cents / 100 + abs(commission) for thousandths, cents, commission in sequence)


@given(trades)
def test_positions_agree_with_exact_fractions(sequence: list[Trade]) -> None:
    position, exact = book(sequence)
    tolerance = 1e-12 * turnover(sequence)
    assert position.quantity == pytest.approx(float(exact.quantity), abs=1e-9)
    assert position.realized_pnl == pytest.approx(float(exact.realized), rel=1e-9, abs=tolerance)
    assert position.commission == pytest.approx(sum(commission for *_, commission in sequence) / 100)
    if exact.quantity:
        assert position.average_price == pytest.approx(float(exact.average), rel=1e-9)


@given(trades, st.integers(1, 10_000_000))
def test_realized_and_unrealized_pnl_are_the_cash_flows_plus_what_is_held(sequence: list[Trade], mark: int) -> None:
    position, exact = book(sequence)
    position.mark_price = mark / 100
    expected = exact.cash + exact.quantity * Fraction(mark, 100)
    tolerance = 1e-12 * (turnover(sequence) + abs(position.quantity) * mark)
    assert position.realized_pnl + position.unrealized_pnl == pytest.approx(float(expected), rel=1e-9, abs=tolerance)


@given(trades, st.integers(-50_000, 50_000).filter(bool), st.integers(1, 10_000_000), st.lists(st.integers(1, 50)))
def test_any_split_of_a_fill_gives_the_same_totals(
    before: list[Trade], thousandths: int, cents: int, weights: list[int]
) -> None:
    """Crossing zero included: which part closes and which opens must not matter."""
    whole, _ = book(before)
    parts, _ = book(before)
    quantity, price = thousandths / 1000, cents / 100
    whole.apply(quantity, price, 1.0)
    weights = [*weights, 1]
    for weight in weights:
        share = weight / sum(weights)
        parts.apply(quantity * share, price, share)
    tolerance = 1e-11 * (turnover(before) + abs(quantity) * price)
    assert parts.quantity == pytest.approx(whole.quantity, abs=1e-9)
    assert parts.realized_pnl == pytest.approx(whole.realized_pnl, rel=1e-9, abs=tolerance)
    assert parts.commission == pytest.approx(whole.commission)
    if abs(whole.quantity) > 1e-6:
        assert parts.average_price == pytest.approx(whole.average_price, rel=1e-6)


def test_a_fill_that_adds_moves_the_average() -> None:
    position = Position("a", "BTC")
    assert position.apply(1.0, 100.0, 0.0) is None
    assert position.apply(3.0, 104.0, 0.0) is None
    assert (position.quantity, position.average_price, position.realized_pnl) == (4.0, 103.0, 0.0)


@pytest.mark.parametrize(("opening", "gained"), [(2.0, 10.0), (-2.0, -10.0)])
def test_a_fill_that_reduces_realizes_and_keeps_the_average(opening: float, gained: float) -> None:
    position = Position("a", "BTC")
    position.apply(opening, 100.0, 0.0)
    assert position.apply(-opening / 2, 110.0, 0.0) == gained
    assert (position.quantity, position.average_price, position.realized_pnl) == (opening / 2, 100.0, gained)


@pytest.mark.parametrize(("opening", "gained"), [(2.0, -6.0), (-2.0, 6.0)])
def test_a_fill_that_crosses_zero_closes_and_opens_the_rest_at_its_price(opening: float, gained: float) -> None:
    position = Position("a", "BTC")
    position.apply(opening, 100.0, 0.0)
    assert position.apply(-2.5 * opening, 97.0, 0.0) == gained
    assert (position.quantity, position.average_price) == (-1.5 * opening, 97.0)


def test_commission_reduces_realized_pnl_and_not_the_gross() -> None:
    position = Position("a", "BTC")
    assert position.apply(1.0, 100.0, 0.25) is None
    assert position.realized_pnl == -0.25
    assert position.apply(-1.0, 101.0, 0.25) == 1.0
    assert (position.realized_pnl, position.commission) == (0.5, 0.5)


def test_unrealized_pnl_marks_at_the_mark_price() -> None:
    position = Position("a", "BTC", quantity=-2.0, average_price=100.0, mark_price=97.0)
    assert position.unrealized_pnl == 6.0


def test_decimal_quantities_that_sum_to_nothing_leave_a_flat_position() -> None:
    position = Position("a", "BTC")
    for quantity in (0.1, 0.2, -0.3):
        position.apply(quantity, 100.0, 0.0)
    assert (position.quantity, position.average_price) == (0.0, 0.0)


def test_a_small_rest_is_a_position_and_not_rounding() -> None:
    position = Position("a", "BTC")
    position.apply(1.0, 100.0, 0.0)
    position.apply(-(1.0 - 1e-8), 100.0, 0.0)
    assert position.quantity == pytest.approx(1e-8, rel=1e-6)


def test_many_small_sells_of_a_large_position_leave_it_flat() -> None:
    position = Position("a", "BTC")
    position.apply(26.0, 100.0, 0.0)
    for _ in range(260):
        position.apply(-0.1, 101.0, 0.0)
    assert (position.quantity, position.average_price, position.largest) == (0.0, 0.0, 0.0)
    assert position.realized_pnl == pytest.approx(26.0, rel=1e-12)


def test_the_largest_quantity_counts_from_when_it_was_last_flat() -> None:
    position = Position("a", "BTC")
    for quantity in (1e9, -1e9, 2.0, -1.5):
        position.apply(quantity, 100.0, 0.0)
    assert (position.quantity, position.largest) == (0.5, 2.0)
    position.apply(-3.5, 100.0, 0.0)
    assert (position.quantity, position.largest) == (-3.0, 3.0), "crossing zero begins anew"


@given(st.integers(1, 400), st.integers(1, 10**9), st.booleans())
def test_a_position_closed_in_any_number_of_equal_parts_is_flat(parts: int, hundredths: int, is_long: bool) -> None:
    position, sign = Position("a", "BTC"), 1.0 if is_long else -1.0
    part = hundredths / 100
    position.apply(sign * part * parts, 100.0, 0.0)
    for _ in range(parts):
        position.apply(-sign * part, 100.0, 0.0)
    assert position.quantity == 0.0


@given(st.lists(st.integers(-(10**6), 10**6), max_size=30))
def test_quantities_that_cancel_out_have_no_net(thousandths: list[int]) -> None:
    quantities = [each / 1000 for each in thousandths]
    assert net([*quantities, *(-each for each in quantities)]) == 0.0
    assert net(quantities) == pytest.approx(sum(thousandths) / 1000, abs=1e-6)
    assert net([0.1, 0.2, -0.3]) == 0.0


def test_a_fill_of_nothing_on_a_flat_position_changes_nothing() -> None:
    position = Position("a", "BTC")
    assert position.apply(0.0, 100.0, 0.0) is None
    assert (position.quantity, position.average_price) == (0.0, 0.0)
