"""Why market data is dropped (semantics 2.1): one stable reason code for each mistake."""

from __future__ import annotations

from math import inf, nan

import pytest

from sengine.domain.events import BarEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook
from sengine.engine.state.markets import bar_fault, book_fault, trade_fault
from tests.engine.conftest import ladder, trade

GOOD = [(99.0, 1.0)], [(101.0, 1.0)]


@pytest.mark.parametrize(
    "sound",
    [
        ladder(*GOOD),
        ladder([(99.0, 0.0)], [(101.0, 0.0)]),
        ladder([(99.0, 1.0), (98.0, 2.0), (90.0, 0.0)], [(101.0, 1.0), (102.0, 1.0)]),
        ladder([(99.0, 1.0)], [(99.5, 1.0), (99.6, 1.0), (99.7, 1.0)]),
        ladder([(5e-324, 1.0)], [(1e-300, 1.0)]),
        ladder([(101.0, 1.0)], [(101.0, 1.0)]),
        ladder([(101.0, 1.0), (98.0, 1.0)], [(101.0, 0.0), (102.0, 1.0)]),
    ],
)
def test_a_sound_book_has_no_fault(sound: OrderBook) -> None:
    assert book_fault(sound) is None


@pytest.mark.parametrize(
    ("bids", "asks", "fault"),
    [
        ([(nan, 1.0)], [(101.0, 1.0)], "not_finite"),
        ([(99.0, 1.0)], [(inf, 1.0)], "not_finite"),
        ([(-inf, 1.0)], [(101.0, 1.0)], "not_finite"),
        ([(99.0, nan)], [(101.0, 1.0)], "not_finite"),
        ([(99.0, 1.0)], [(101.0, inf)], "not_finite"),
        ([(99.0, 1.0), (98.0, nan)], [(101.0, 1.0)], "not_finite"),
        ([(0.0, 1.0)], [(101.0, 1.0)], "price_not_positive"),
        ([(-99.0, 1.0)], [(101.0, 1.0)], "price_not_positive"),
        ([(99.0, 1.0), (-1.0, 1.0)], [(101.0, 1.0)], "price_not_positive"),
        ([(99.0, -1.0)], [(101.0, 1.0)], "negative_quantity"),
        ([(99.0, 1.0)], [(101.0, -0.5)], "negative_quantity"),
        ([(98.0, 1.0), (99.0, 1.0)], [(101.0, 1.0)], "bids_not_descending"),
        ([(99.0, 1.0), (99.0, 1.0)], [(101.0, 1.0)], "bids_not_descending"),
        ([(99.0, 1.0)], [(102.0, 1.0), (101.0, 1.0)], "asks_not_ascending"),
        ([(99.0, 1.0)], [(101.0, 1.0), (101.0, 1.0)], "asks_not_ascending"),
        ([(102.0, 1.0)], [(101.0, 1.0)], "crossed_book"),
        ([(101.0 + 1e-9, 1.0)], [(101.0, 1.0)], "crossed_book"),
        ([(102.0, 1.0), (98.0, 1.0)], [(101.0, 1.0)], "crossed_book"),
        ([], [(101.0, 1.0)], "one_sided_book"),
        ([(99.0, 1.0)], [], "one_sided_book"),
        ([], [], "one_sided_book"),
    ],
)
def test_a_broken_book_has_its_reason(bids: list, asks: list, fault: str) -> None:
    assert book_fault(ladder(bids, asks)) == fault


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        (trade(0, 100.0, 1.0, "sell"), None),
        (trade(0, 100.0, 0.0), None),
        (trade(0, nan), "not_finite"),
        (trade(0, 100.0, inf), "not_finite"),
        (trade(0, 0.0), "price_not_positive"),
        (trade(0, -5.0), "price_not_positive"),
        (trade(0, 100.0, -1.0), "negative_quantity"),
        (trade(0, 100.0, 1.0, "BUY"), "bad_side"),
        (trade(0, 100.0, 1.0, ""), "bad_side"),
    ],
)
def test_a_broken_trade_has_its_reason(event: TradeEvent, fault: str | None) -> None:
    assert trade_fault(event) == fault


@pytest.mark.parametrize(
    ("ohlcv", "fault"),
    [
        ((10.0, 12.0, 9.0, 11.0, 5.0), None),
        ((10.0, 10.0, 10.0, 10.0, 0.0), None),
        ((nan, 12.0, 9.0, 11.0, 5.0), "not_finite"),
        ((10.0, inf, 9.0, 11.0, 5.0), "not_finite"),
        ((10.0, 12.0, 9.0, 11.0, nan), "not_finite"),
        ((10.0, 12.0, 0.0, 11.0, 5.0), "price_not_positive"),
        ((10.0, 12.0, 9.0, -11.0, 5.0), "price_not_positive"),
        ((10.0, 12.0, 9.0, 11.0, -5.0), "negative_quantity"),
        ((10.0, 10.5, 9.0, 11.0, 5.0), "bar_out_of_range"),
        ((10.0, 12.0, 10.5, 11.0, 5.0), "bar_out_of_range"),
        ((10.0, 9.0, 12.0, 11.0, 5.0), "bar_out_of_range"),
    ],
)
def test_a_broken_bar_has_its_reason(ohlcv: tuple[float, ...], fault: str | None) -> None:
    assert bar_fault(BarEvent("BTC", 0, OHLCV(*ohlcv))) == fault
