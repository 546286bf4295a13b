"""Market orders at the simulated venue (semantics, section 5)."""

from __future__ import annotations

from math import fsum
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.domain.order import Fill, OrderStatus, OrderUpdate, Side
from sengine.engine.orders.simulated_venue import SimulatedVenue
from tests.engine.conftest import book, fills_of, ladder, ns, order

BUY, SELL = Side.BUY, Side.SELL
BOOK = ladder([(99.0, 1.0), (98.0, 2.0), (97.0, 4.0)], [(101.0, 1.0), (102.0, 2.0), (103.0, 4.0)])
MS = 1_000_000


@pytest.mark.parametrize(("side", "price"), [(BUY, 101.0), (SELL, 99.0)])
def test_without_latency_a_market_order_fills_at_once_in_full_at_the_touch(side: Side, price: float) -> None:
    venue = SimulatedVenue()
    (fill,) = venue.submit(order("7", side, 5.0), BOOK, 0)
    assert fill == Fill("7", "", "BTC", side, price, 5.0, 0.0, 0, "7-1")
    assert list(venue.open_orders()) == []


@pytest.mark.parametrize("depth", ["touch", "walk"])
def test_a_touch_without_quantity_fills_nothing_and_the_order_waits(depth: Literal["touch", "walk"]) -> None:
    venue = SimulatedVenue(depth=depth)
    empty = ladder([(99.0, 0.0)], [(101.0, 0.0)])
    assert list(venue.submit(order(quantity=5.0), empty, 0)) == []
    assert list(venue.on_book("BTC", empty, 1)) == []
    assert fills_of(venue.on_book("BTC", ladder([(99.0, 9.0)], [(103.0, 9.0)]), 2)) == [(103.0, 5.0)]


def test_the_touch_is_the_first_level_with_a_quantity() -> None:
    venue = SimulatedVenue()
    thin = ladder([(99.0, 0.0), (98.0, 1.0)], [(101.0, 0.0), (102.0, 0.0), (103.0, 1.0), (104.0, 9.0)])
    assert fills_of(venue.submit(order("1", quantity=5.0), thin, 0)) == [(103.0, 5.0)]
    assert fills_of(venue.submit(order("2", SELL, 5.0), thin, 0)) == [(98.0, 5.0)]


def test_a_symbol_without_a_book_fills_at_its_first_one() -> None:
    venue = SimulatedVenue()
    assert venue.submit(order(), None, 0) == ()
    assert fills_of(venue.on_book("BTC", book(49.0, 51.0), 5)) == [(51.0, 1.0)]


def test_with_latency_a_market_order_fills_at_the_first_book_that_is_late_enough() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    assert venue.submit(order(at_s=1.0), BOOK, ns(1.0)) == ()
    assert [each.order_id for each in venue.open_orders()] == ["1"]
    assert venue.on_book("BTC", book(98.0, 100.0), ns(1.0) + 10 * MS - 1) == []
    (fill,) = venue.on_book("BTC", book(109.0, 111.0), ns(1.0) + 10 * MS)
    assert isinstance(fill, Fill)
    assert (fill.price, fill.timestamp_ns) == (111.0, ns(1.0) + 10 * MS)
    assert venue.on_book("BTC", book(), ns(2.0)) == []


def test_latency_counts_from_the_orders_own_timestamp() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    assert fills_of(venue.submit(order(at_s=1.0), BOOK, ns(1.0) + 10 * MS)) == [(101.0, 1.0)]


def test_orders_on_other_symbols_do_not_meet_the_book() -> None:
    venue = SimulatedVenue(latency_ns=1)
    venue.submit(order("1", symbol="BTC"), None, 0)
    venue.submit(order("2", symbol="ETH"), None, 0)
    assert [report.order_id for report in venue.on_book("ETH", BOOK, 5)] == ["2"]
    assert set(venue.waiting) == {"BTC"}


def test_waiting_orders_are_matched_oldest_first() -> None:
    venue = SimulatedVenue(latency_ns=1)
    for order_id in ("9", "1", "5"):
        venue.submit(order(order_id), None, 0)
    assert [report.order_id for report in venue.on_book("BTC", BOOK, 5)] == ["9", "1", "5"]


@pytest.mark.parametrize(
    ("side", "levels"),
    [(BUY, [(101.0, 1.0), (102.0, 2.0), (103.0, 0.5)]), (SELL, [(99.0, 1.0), (98.0, 2.0), (97.0, 0.5)])],
)
def test_an_order_that_walks_takes_each_level_at_its_price(side: Side, levels: list[tuple[float, float]]) -> None:
    venue = SimulatedVenue(depth="walk")
    fills = venue.submit(order("1", side, 3.5), BOOK, 0)
    assert fills_of(fills) == levels
    assert [fill.fill_id for fill in fills if isinstance(fill, Fill)] == ["1-1", "1-2", "1-3"]
    assert list(venue.open_orders()) == []


def test_what_a_walk_leaves_over_waits_for_the_next_book() -> None:
    venue = SimulatedVenue(depth="walk")
    assert fsum(quantity for _, quantity in fills_of(venue.submit(order(quantity=10.0), BOOK, 0))) == 7.0
    assert [each.order_id for each in venue.open_orders()] == ["1"]
    assert fills_of(venue.on_book("BTC", ladder([(99.0, 1.0)], [(104.0, 2.0)]), 1)) == [(104.0, 2.0)]
    (last,) = venue.on_book("BTC", ladder([(99.0, 1.0)], [(105.0, 9.0)]), 2)
    assert isinstance(last, Fill)
    assert (last.price, last.quantity, last.fill_id) == (105.0, 1.0, "1-5")
    assert list(venue.open_orders()) == []


def test_a_walk_passes_over_levels_without_quantity() -> None:
    venue = SimulatedVenue(depth="walk")
    thin = ladder([(99.0, 1.0)], [(101.0, 0.0), (102.0, 5.0)])
    assert fills_of(venue.submit(order(), thin, 0)) == [(102.0, 1.0)]


@pytest.mark.parametrize(("side", "price"), [(BUY, 101.0 * 1.0005), (SELL, 99.0 * 0.9995)])
def test_slippage_worsens_market_fills(side: Side, price: float) -> None:
    ((filled_at, _),) = fills_of(SimulatedVenue(slippage_bps=5.0).submit(order("1", side), BOOK, 0))
    assert filled_at == pytest.approx(price, rel=1e-15)


def test_slippage_worsens_every_level_of_a_walk() -> None:
    venue = SimulatedVenue(slippage_bps=100.0, depth="walk")
    assert fills_of(venue.submit(order(quantity=2.0), BOOK, 0)) == [
        (pytest.approx(102.01), 1.0),
        (pytest.approx(103.02), 1.0),
    ]


def test_commission_is_a_part_of_the_notional_of_every_fill() -> None:
    venue = SimulatedVenue(commission_bps=10.0, slippage_bps=5.0, depth="walk")
    fills = venue.submit(order(quantity=3.0), BOOK, 0)
    assert len(fills) == 2
    for fill in fills:
        assert isinstance(fill, Fill)
        assert fill.commission == pytest.approx(fill.price * fill.quantity * 0.001, rel=1e-15)


def test_an_order_on_its_way_can_be_cancelled() -> None:
    venue = SimulatedVenue(latency_ns=10 * MS)
    venue.submit(order("1", at_s=0.0), BOOK, 0)
    assert venue.cancel("1", 0) == ()
    assert venue.on_book("BTC", BOOK, 10 * MS) == [
        OrderUpdate("1", OrderStatus.CANCELLED, 10 * MS, "cancelled on request")
    ]
    assert venue.on_book("BTC", BOOK, 11 * MS) == []


levels = st.lists(st.integers(0, 30).map(lambda tenths: tenths / 10), min_size=1, max_size=5)


@given(st.sampled_from(list(Side)), st.integers(1, 200).map(lambda tenths: tenths / 10), st.lists(levels, max_size=6))
def test_a_walk_takes_from_each_book_what_it_has_best_price_first_until_done(
    side: Side, wanted: float, depths: list[list[float]]
) -> None:
    venue = SimulatedVenue(depth="walk")
    venue.submit(order("1", side, wanted), None, 0)
    left = wanted
    for at_ns, quantities in enumerate(depths, 1):
        asks = [(101.0 + place, quantity) for place, quantity in enumerate(quantities)]
        bids = [(99.0 - place, quantity) for place, quantity in enumerate(quantities)]
        expected = []
        for price, available in asks if side is BUY else bids:
            taken = min(available, left)
            if taken > 1e-9:
                expected.append((price, pytest.approx(taken)))
                left -= taken
        assert fills_of(venue.on_book("BTC", ladder(bids, asks), at_ns)) == expected
    assert bool(list(venue.open_orders())) is (left > 1e-9)
