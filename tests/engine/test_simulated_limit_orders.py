"""Limit orders and cancellations at the simulated venue (semantics, section 5)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.domain.order import OrderStatus, OrderUpdate, Side
from sengine.engine.orders.simulated_venue import SimulatedVenue
from tests.engine.conftest import book, fills_of, ladder, ns, order

BUY, SELL = Side.BUY, Side.SELL
MS = 1_000_000


@pytest.mark.parametrize(("side", "limit", "touch"), [(BUY, 105.0, 101.0), (BUY, 101.0, 101.0), (SELL, 95.0, 99.0)])
def test_a_limit_order_that_crosses_on_arrival_fills_at_the_touch(side: Side, limit: float, touch: float) -> None:
    venue = SimulatedVenue()
    assert fills_of(venue.submit(order("1", side, 5.0, limit=limit), book(99.0, 101.0), 0)) == [(touch, 5.0)]
    assert list(venue.open_orders()) == []


@pytest.mark.parametrize(
    ("side", "limit", "near", "through"),
    [(BUY, 100.0, book(99.0, 100.5), book(97.0, 98.0)), (SELL, 100.0, book(99.5, 101.0), book(102.0, 103.0))],
)
def test_a_limit_order_rests_until_the_opposite_touch_reaches_it_and_fills_at_its_limit(
    side: Side, limit: float, near, through
) -> None:
    venue = SimulatedVenue()
    assert list(venue.submit(order("1", side, 5.0, limit=limit), book(99.0, 101.0), 0)) == []
    assert venue.on_book("BTC", near, 1) == []
    assert fills_of(venue.on_book("BTC", through, 2)) == [(100.0, 5.0)]
    assert list(venue.open_orders()) == []


@pytest.mark.parametrize(("side", "touching"), [(BUY, book(98.0, 100.0)), (SELL, book(100.0, 102.0))])
def test_a_touch_exactly_at_the_limit_fills(side: Side, touching) -> None:
    venue = SimulatedVenue()
    venue.submit(order("1", side, limit=100.0), book(99.0, 101.0), 0)
    assert fills_of(venue.on_book("BTC", touching, 1)) == [(100.0, 1.0)]


def test_a_limit_order_with_latency_meets_the_market_when_it_arrives() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    venue.submit(order("1", BUY, limit=100.0, at_s=0.0), book(99.0, 101.0), 0)
    assert venue.on_book("BTC", book(97.0, 98.0), 5 * MS) == []
    assert fills_of(venue.on_book("BTC", book(98.0, 99.0), 10 * MS)) == [(99.0, 1.0)]


def test_a_limit_order_with_latency_rests_from_its_arrival() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    venue.submit(order("1", BUY, limit=100.0, at_s=0.0), book(99.0, 101.0), 0)
    assert venue.on_book("BTC", book(100.0, 101.0), 10 * MS) == []
    assert fills_of(venue.on_book("BTC", book(97.0, 98.0), 20 * MS)) == [(100.0, 1.0)]


def test_slippage_leaves_limit_fills_alone_and_commission_does_not() -> None:
    venue = SimulatedVenue(slippage_bps=50.0, commission_bps=10.0)
    (crossing,) = venue.submit(order("1", BUY, limit=105.0), book(99.0, 101.0), 0)
    venue.submit(order("2", BUY, limit=100.0), book(99.0, 101.0), 0)
    (resting,) = venue.on_book("BTC", book(97.0, 98.0), 1)
    assert [(crossing.price, crossing.commission)] == [(101.0, pytest.approx(0.101))]
    assert [(resting.price, resting.commission)] == [(100.0, pytest.approx(0.1))]


def test_a_limit_order_that_walks_stops_at_its_limit_and_rests_with_what_is_left() -> None:
    venue = SimulatedVenue(depth="walk")
    asks = ladder([(99.0, 1.0)], [(100.0, 1.0), (101.0, 2.0), (102.0, 9.0)])
    assert fills_of(venue.submit(order("1", BUY, 5.0, limit=101.0), asks, 0)) == [(100.0, 1.0), (101.0, 2.0)]
    assert venue.on_book("BTC", book(100.0, 101.5), 1) == []
    cheap = ladder([(98.0, 1.0)], [(99.0, 0.5), (100.0, 9.0)])
    assert fills_of(venue.on_book("BTC", cheap, 2)) == [(101.0, 0.5), (101.0, 1.5)]
    assert list(venue.open_orders()) == []


def test_a_limit_order_does_not_fill_at_a_level_without_quantity_nor_beyond_its_limit() -> None:
    venue = SimulatedVenue()
    asks = ladder([(99.0, 1.0)], [(100.0, 0.0), (102.0, 9.0)])
    assert list(venue.submit(order("1", BUY, 5.0, limit=101.0), asks, 0)) == []
    assert list(venue.on_book("BTC", asks, 1)) == []
    assert fills_of(venue.on_book("BTC", ladder([(98.0, 1.0)], [(99.0, 0.0), (100.5, 1.0)]), 2)) == [(101.0, 5.0)]


def test_without_latency_a_cancellation_is_immediate() -> None:
    venue = SimulatedVenue()
    venue.submit(order("1", BUY, limit=90.0), book(), 0)
    assert list(venue.cancel("1", ns(3))) == [OrderUpdate("1", OrderStatus.CANCELLED, ns(3), "cancelled on request")]
    assert list(venue.open_orders()) == []
    assert venue.waiting == {}
    assert venue.on_book("BTC", book(79.0, 80.0), ns(4)) == []


def test_cancelling_an_order_that_is_not_there_is_no_error() -> None:
    venue = SimulatedVenue()
    assert list(venue.cancel("1", 0)) == []
    venue.submit(order("1"), book(), 0)
    assert list(venue.cancel("1", 0)) == []


def test_with_latency_a_fill_can_be_quicker_than_the_cancellation() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    venue.submit(order("1", BUY, limit=90.0), book(), 0)
    venue.on_book("BTC", book(), 20 * MS)
    venue.cancel("1", 20 * MS)
    assert fills_of(venue.on_book("BTC", book(88.0, 89.0), 29 * MS)) == [(90.0, 1.0)]
    assert venue.on_book("BTC", book(), 30 * MS) == []


def test_with_latency_a_cancellation_arrives_before_the_book_of_its_time() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    venue.submit(order("1", BUY, limit=90.0), book(), 0)
    venue.on_book("BTC", book(), 20 * MS)
    assert list(venue.cancel("1", 20 * MS)) == []
    assert venue.on_book("BTC", book(88.0, 89.0), 30 * MS) == [
        OrderUpdate("1", OrderStatus.CANCELLED, 30 * MS, "cancelled on request")
    ]


def test_asking_again_for_a_cancellation_does_not_delay_it() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    venue.submit(order("1", BUY, limit=90.0), book(), 0)
    for at_ms in range(0, 20, 5):
        venue.cancel("1", at_ms * MS)
        venue.on_book("BTC", book(), at_ms * MS)
    assert list(venue.open_orders()) == []


@given(
    st.sampled_from(list(Side)),
    st.integers(90, 110),
    st.lists(st.integers(85, 115), min_size=1, max_size=10),
    st.integers(0, 4),
)
def test_a_limit_order_fills_once_by_the_rules_whatever_the_market_does(
    side: Side, limit: int, mids: list[int], latency: int
) -> None:
    """Independent walk through the rule: arrival crosses at the touch, a later crossing fills at the limit."""
    venue = SimulatedVenue(latency_ns=latency)
    filled = []
    expected, arrived = None, False
    for at_ns, mid in enumerate(mids):
        now = book(mid - 0.5, mid + 0.5)
        reports = (
            venue.on_book("BTC", now, at_ns) if at_ns else venue.submit(order("1", side, limit=float(limit)), now, 0)
        )
        filled += [(at_ns, price) for price, _ in fills_of(reports)]
        touch = mid + 0.5 if side is BUY else mid - 0.5
        crosses = touch <= limit if side is BUY else touch >= limit
        if expected is None and at_ns >= latency:
            if crosses:
                expected = (at_ns, float(limit) if arrived else touch)
            arrived = True
    assert filled == ([expected] if expected else [])
