"""The books (semantics, section 6): positions and P&L of every strategy, marked tick by tick."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sengine.engine.state.portfolio import Portfolio
from tests.engine.conftest import fill

# What can happen to the books: a share of a fill, or a new mid on a symbol.
# Small numbers, so that positions are closed and crossed again and again.
names, symbols = st.sampled_from("ab"), st.sampled_from(["BTC", "ETH"])
prices = st.integers(1, 100)
happenings = st.lists(
    st.one_of(
        st.tuples(names, symbols, st.sampled_from([-2, -1, 1, 2]), prices, st.integers(0, 500)),
        st.tuples(symbols, prices),
    ),
    max_size=30,
)
ONE_OF_TWO_IS_CLOSED = [("a", "BTC", 1, 100, 0), ("a", "ETH", 1, 10, 0), ("BTC", 70), ("a", "ETH", -1, 30, 0)]
CANCEL_OUT = [("a", "BTC", 1, 100, 0), ("b", "BTC", -1, 100, 0), ("BTC", 150)]


def bought(tracker: Portfolio, quantity: float, price: float, name: str = "a", symbol: str = "BTC") -> None:
    side = "buy" if quantity > 0 else "sell"
    tracker.book(fill("1", abs(quantity), price, side, name, symbol=symbol), price)


class ExactBooks:
    """Cash flows and last marks in fractions; equity is their sum, whatever the average cost says."""

    def __init__(self) -> None:
        self.cash: dict[str, Fraction] = {}
        self.held: dict[tuple[str, str], Fraction] = {}
        self.marks: dict[tuple[str, str], Fraction] = {}
        self.peaks: dict[str, Fraction] = {"a": Fraction(0), "b": Fraction(0), "total": Fraction(0)}

    def happen(self, happening: tuple) -> None:
        if len(happening) == 2:
            symbol, price = happening
            for name, held_symbol in self.held:
                if held_symbol == symbol:
                    self.marks[name, symbol] = Fraction(price)
        else:
            name, symbol, quantity, price, cents = happening
            self.cash[name] = self.cash.get(name, Fraction(0)) - quantity * price - Fraction(cents, 100)
            self.held[name, symbol] = self.held.get((name, symbol), Fraction(0)) + quantity
            self.marks[name, symbol] = Fraction(price)
        for who, peak in self.peaks.items():
            self.peaks[who] = max(peak, self.equity("ab" if who == "total" else who))

    def equity(self, who: str) -> Fraction:
        worth = sum(self.held[key] * self.marks[key] for key in self.held if key[0] in who)
        return sum((self.cash.get(name, Fraction(0)) for name in who), Fraction(0)) + worth


def run(sequence: list[tuple]) -> tuple[Portfolio, ExactBooks]:
    tracker, exact = Portfolio(100_000.0), ExactBooks()
    for happening in sequence:
        exact.happen(happening)
        if len(happening) == 2:
            tracker.mark(*happening)
        else:
            name, symbol, quantity, price, cents = happening
            side = "buy" if quantity > 0 else "sell"
            tracker.book(fill("1", abs(quantity), float(price), side, name, cents / 100, symbol=symbol), float(price))
    return tracker, exact


@given(happenings)
def test_the_sum_of_all_positions_is_the_cash_flows_plus_what_is_held(sequence: list[tuple]) -> None:
    tracker, exact = run(sequence)
    pnl = sum(position.realized_pnl + position.unrealized_pnl for position in tracker.positions())
    assert pnl == pytest.approx(float(exact.equity("ab")), rel=1e-9, abs=1e-4)
    for position in tracker.positions():
        assert tracker.quantity(position.strategy_id, position.symbol) == position.quantity
        assert position.quantity == exact.held[position.strategy_id, position.symbol]


@example(ONE_OF_TWO_IS_CLOSED)
@given(happenings)
def test_the_account_of_a_strategy_is_the_sum_of_its_positions(sequence: list[tuple]) -> None:
    tracker, exact = run(sequence)
    for name in "ab":
        assert tracker.equity_of(name).equity == pytest.approx(float(exact.equity(name)), rel=1e-9, abs=1e-4)
    assert tracker.total.equity == pytest.approx(float(exact.equity("ab")), rel=1e-9, abs=1e-4)


@example(ONE_OF_TWO_IS_CLOSED)
@given(happenings)
def test_the_peak_of_a_strategy_is_the_running_maximum_of_its_equity(sequence: list[tuple]) -> None:
    tracker, exact = run(sequence)
    for name in "ab":
        assert tracker.equity_of(name).peak == pytest.approx(float(exact.peaks[name]), rel=1e-9, abs=1e-4)


@example(ONE_OF_TWO_IS_CLOSED)
@example(CANCEL_OUT)
@given(happenings)
def test_the_peak_of_all_together_is_the_running_maximum_of_their_equity(sequence: list[tuple]) -> None:
    tracker, exact = run(sequence)
    assert tracker.total.peak == pytest.approx(float(exact.peaks["total"]), rel=1e-9, abs=1e-4)


def test_closing_one_of_two_positions_keeps_the_unrealized_pnl_of_the_other() -> None:
    tracker = Portfolio(100_000.0)
    bought(tracker, 1.0, 100.0, symbol="BTC")
    bought(tracker, 1.0, 10.0, symbol="ETH")
    tracker.mark("BTC", 70.0)
    bought(tracker, -1.0, 10.0, symbol="ETH")
    assert tracker.equity_of("a").unrealized == -30.0
    assert tracker.total.unrealized == -30.0


def test_marking_a_symbol_that_nobody_holds_changes_nothing() -> None:
    tracker = Portfolio(100_000.0)
    bought(tracker, 1.0, 100.0, symbol="BTC")
    tracker.mark("BTC", 130.0)
    tracker.mark("ETH", 10.0)
    assert (tracker.total.unrealized, tracker.equity_of("a").unrealized) == (30.0, 30.0)


def test_a_long_and_a_short_that_cancel_out_have_no_peak() -> None:
    tracker = Portfolio(100_000.0)
    bought(tracker, 1.0, 100.0, "a")
    bought(tracker, -1.0, 100.0, "b")
    tracker.mark("BTC", 150.0)
    assert tracker.total.equity == 0.0
    assert tracker.total.peak == 0.0


def test_a_strategy_without_fills_has_nothing() -> None:
    tracker = Portfolio(100_000.0)
    account = tracker.equity_of("a")
    assert (account.equity, account.peak, account.realized, account.unrealized) == (0.0, 0.0, 0.0, 0.0)
    assert tracker.quantity("a", "BTC") == 0.0
    assert list(tracker.positions()) == []
    assert tracker.gross_notional() == 0.0


def test_positions_are_kept_apart_by_strategy_and_symbol() -> None:
    tracker = Portfolio(100_000.0)
    bought(tracker, 1.0, 100.0, "a", "BTC")
    bought(tracker, -2.0, 100.0, "b", "BTC")
    bought(tracker, 5.0, 10.0, "a", "ETH")
    keys = [("a", "BTC"), ("b", "BTC"), ("a", "ETH")]
    assert [tracker.quantity(*key) for key in keys] == [1.0, -2.0, 5.0]
    assert [(position.strategy_id, position.symbol) for position in tracker.positions()] == keys
    assert tracker.gross_notional() == 350.0


def test_booking_returns_the_gross_that_was_realized() -> None:
    tracker = Portfolio(100_000.0)
    assert tracker.book(fill("1", 2.0, 100.0, "buy", "a", 0.5), 100.0) is None
    assert tracker.book(fill("2", 1.0, 110.0, "sell", "a", 0.5), 110.0) == 10.0
    assert tracker.equity_of("a").realized == 9.0


def test_a_fill_marks_the_position_at_the_mid_it_is_given() -> None:
    tracker = Portfolio(100_000.0)
    tracker.book(fill("1", 2.0, 101.0, "buy", "a"), 100.0)
    assert tracker.equity_of("a").unrealized == -2.0


def test_only_symbols_with_an_open_position_are_open() -> None:
    tracker = Portfolio(100_000.0)
    bought(tracker, 1.0, 100.0)
    assert "BTC" in tracker.open
    bought(tracker, -1.0, 100.0)
    assert "BTC" not in tracker.open
    tracker.mark("BTC", 1.0)
    assert tracker.total.equity == 0.0


def test_the_peak_stays_when_equity_falls() -> None:
    tracker = Portfolio(100_000.0)
    bought(tracker, 1.0, 100.0)
    for price in (130.0, 90.0, 110.0):
        tracker.mark("BTC", price)
    account = tracker.equity_of("a")
    assert (account.equity, account.peak) == (10.0, 30.0)


def test_the_peak_of_a_strategy_that_only_loses_is_zero() -> None:
    tracker = Portfolio(100_000.0)
    bought(tracker, 1.0, 100.0)
    tracker.mark("BTC", 90.0)
    assert tracker.equity_of("a").peak == 0.0
