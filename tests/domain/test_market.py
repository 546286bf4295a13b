from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sengine.domain.market import EMPTY_BOOK, OHLCV, DataKind, MarketData, OrderBook, PriceLevel, Trade

BOOK = OrderBook((PriceLevel(99.0, 2.0), PriceLevel(98.0, 5.0)), (PriceLevel(101.0, 3.0), PriceLevel(103.0, 1.0)))


def test_a_book_tells_touch_mid_and_spread() -> None:
    assert (BOOK.best_bid, BOOK.best_ask, BOOK.mid, BOOK.spread) == (99.0, 101.0, 100.0, 2.0)


@pytest.mark.parametrize("ask_side", ["best_bid", "best_ask", "mid", "spread"])
def test_an_empty_book_has_no_touch(ask_side: str) -> None:
    with pytest.raises(IndexError):
        getattr(EMPTY_BOOK, ask_side)


def test_market_data_is_immutable() -> None:
    data = MarketData("BTC", 1, BOOK)
    with pytest.raises(AttributeError):
        data.symbol = "ETH"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        BOOK.bids[0].price = 1.0  # type: ignore[misc]


def test_the_mid_of_market_data_is_the_books() -> None:
    assert MarketData("BTC", 1, BOOK, ohlcv=OHLCV(1.0, 1.0, 1.0, 1.0, 1.0)).mid == 100.0


def test_without_a_book_the_mid_is_the_close_of_the_bar() -> None:
    assert MarketData("BTC", 1, EMPTY_BOOK, ohlcv=OHLCV(10.0, 12.0, 9.0, 11.0, 7.0)).mid == 11.0


def test_without_book_and_bar_the_mid_is_an_error_that_names_the_symbol() -> None:
    with pytest.raises(ValueError, match="BTC has neither a book nor a bar"):
        _ = MarketData("BTC", 1, EMPTY_BOOK).mid


def test_a_call_is_for_a_book_unless_it_says_otherwise() -> None:
    assert MarketData("BTC", 1, BOOK).kind is DataKind.BOOK


def test_times_have_a_datetime_view_in_utc() -> None:
    moment = datetime(2024, 8, 8, 23, 54, 15, 88169, UTC)
    time_ns = 1_723_161_255_088_169_167
    assert MarketData("BTC", time_ns, BOOK).timestamp == moment
    assert Trade(1.0, 1.0, time_ns, "buy").timestamp == moment
