"""Step 2 (semantics, section 2): the book of a symbol, its recent trades, its current bar, and what prices it."""

from __future__ import annotations

from sengine.domain.events import MarketEvent
from sengine.domain.market import EMPTY_BOOK, OHLCV, DataKind
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.state.markets import RECENT_TRADES, Market
from tests.engine.conftest import Actor, bar, book, engine_with, long, quote, trade


def market_after(*events: MarketEvent) -> Market:
    engine = engine_with(Actor())
    for event in events:
        assert engine.process(event).rejected == ""
    return engine.markets["BTC"]


def test_a_new_market_knows_nothing() -> None:
    market = Market("BTC")
    assert (market.book, market.bar, market.recent_trades, market.touch, market.mid) == (EMPTY_BOOK, None, (), None, 0)


def test_a_book_prices_the_market() -> None:
    market = market_after(quote(1, 99.0, 102.0))
    assert (market.mid, market.book, market.touch) == (100.5, book(99.0, 102.0), book(99.0, 102.0))


def test_recent_trades_are_oldest_first_and_bounded() -> None:
    market = market_after(*[trade(at_s, 100.0 + at_s) for at_s in range(RECENT_TRADES + 5)])
    assert len(market.recent_trades) == RECENT_TRADES
    assert [market.recent_trades[0].price, market.recent_trades[-1].price] == [105.0, 204.0]


def test_recent_trades_that_a_strategy_kept_do_not_change() -> None:
    actor = Actor(kinds=(DataKind.TRADE, DataKind.BOOK))
    engine = engine_with(actor)
    for event in (trade(1), quote(2), quote(3), trade(4), quote(5)):
        engine.process(event)
    kept = [data.recent_trades for data in actor.seen]
    assert [len(trades) for trades in kept] == [1, 1, 1, 2, 2]
    assert kept[1] is kept[2]


def test_trades_of_a_minute_make_its_bar() -> None:
    trades = [trade(60, 100.0, 1.0), trade(70, 103.0, 2.0), trade(80, 98.0, 1.0), trade(119.9, 101.0, 0.5)]
    assert market_after(*trades).bar == OHLCV(100.0, 103.0, 98.0, 101.0, 4.5)


def test_the_first_trade_of_the_next_minute_begins_a_new_bar() -> None:
    market = market_after(trade(119.9, 100.0, 1.0), trade(120, 105.0, 2.0))
    assert market.bar == OHLCV(105.0, 105.0, 105.0, 105.0, 2.0)


def test_a_published_bar_is_the_current_one() -> None:
    assert market_after(trade(60, 500.0), bar(61, 100.0)).bar == bar(61, 100.0).bar


def test_a_market_without_a_book_is_priced_at_its_bars_close() -> None:
    market = market_after(bar(60, 90.0), bar(120, 100.0))
    assert market.mid == 100.0
    assert market.touch is not None
    assert (market.touch.best_bid, market.touch.best_ask) == (100.0, 100.0)
    assert market.book == EMPTY_BOOK


def test_bars_without_volume_are_traded_at_their_close_all_the_same() -> None:
    engine = engine_with(Actor("a", long(size=3.0), kinds=("bar",)), venue=SimulatedVenue(depth="walk"))
    (fill,) = engine.process(bar(60, 90.0, volume=0.0)).fills
    assert (fill.price, fill.quantity) == (90.0, 3.0)


def test_a_bar_does_not_price_a_market_that_has_a_book() -> None:
    market = market_after(quote(1, 99.0, 101.0), bar(60, 500.0))
    assert (market.mid, market.touch) == (100.0, book(99.0, 101.0))


def test_a_book_takes_over_from_the_bars() -> None:
    market = market_after(bar(60, 500.0), quote(61, 99.0, 101.0), bar(120, 400.0))
    assert (market.mid, market.touch) == (100.0, book(99.0, 101.0))
