"""Steps 1 to 4 of a market data event (semantics, section 2): validate, update, match what rests, call strategies."""

from __future__ import annotations

from math import nan

import pytest

from sengine.domain.events import BarEvent, BookEvent, SoundBookEvent
from sengine.domain.market import EMPTY_BOOK, OHLCV, DataKind
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import NOTHING
from sengine.engine.risk.limits import PriceCollar, SoundBook
from tests.engine.conftest import (
    SYMBOL,
    Actor,
    bar,
    book,
    engine_with,
    ladder,
    long,
    ns,
    quote,
    simulated_engine,
    trade,
)

EVERYTHING = (DataKind.BOOK, DataKind.TRADE, DataKind.BAR)


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (quote(2, nan, 101.0), "not_finite"),
        (quote(2, -1.0, 101.0), "price_not_positive"),
        (BookEvent("BTC", ns(2), ladder([(99.0, -1.0)], [(101.0, 1.0)])), "negative_quantity"),
        (BookEvent("BTC", ns(2), ladder([(98.0, 1.0), (99.0, 1.0)], [(101.0, 1.0)])), "bids_not_descending"),
        (BookEvent("BTC", ns(2), ladder([(99.0, 1.0)], [(102.0, 1.0), (101.0, 1.0)])), "asks_not_ascending"),
        (quote(2, 101.0, 99.0), "crossed_book"),
        (BookEvent("BTC", ns(2), EMPTY_BOOK), "one_sided_book"),
        (quote(0.5), "time_backwards"),
        (quote(2, symbol="ETH"), "no_strategy_wants_symbol"),
        (trade(2, nan), "not_finite"),
        (trade(2, 0.0), "price_not_positive"),
        (trade(2, 100.0, -1.0), "negative_quantity"),
        (trade(2, side="up"), "bad_side"),
        (trade(0.5), "time_backwards"),
        (trade(2, symbol="ETH"), "no_strategy_wants_symbol"),
        (bar(2, nan), "not_finite"),
        (bar(2, 0.5), "price_not_positive"),
        (BarEvent("BTC", ns(2), OHLCV(1.0, 1.0, 2.0, 1.0, 1.0)), "bar_out_of_range"),
        (bar(2, volume=-1.0), "negative_quantity"),
        (bar(0.5), "time_backwards"),
        (bar(2, symbol="ETH"), "no_strategy_wants_symbol"),
    ],
)
def test_what_fails_validation_is_dropped_before_any_strategy_sees_it_and_counted_by_reason(event, reason: str) -> None:
    actor = Actor(symbols=("BTC",), kinds=EVERYTHING)
    engine = engine_with(actor)
    engine.process(quote(1))
    mid, now_ns = engine.markets["BTC"].mid, engine.now_ns
    outcome = engine.process(event)
    assert outcome.rejected == reason
    assert engine.rejected == {reason: 1}
    assert len(actor.seen) == 1
    assert (engine.ticks, engine.markets["BTC"].mid, engine.now_ns) == (1, mid, now_ns)


def test_a_locked_quote_is_sound_and_no_check_of_the_market_refuses_to_trade_on_it() -> None:
    engine = simulated_engine(Actor("a", long()), checks=[SoundBook(), PriceCollar(100.0, 100.0)])
    outcome = engine.process(quote(1, 100.0, 100.0))
    assert (outcome.rejected, [fill.price for fill in outcome.fills]) == ("", [100.0])


def test_a_book_that_its_feed_found_sound_goes_through_all_but_the_check_of_its_levels() -> None:
    actor = Actor(symbols=("BTC",))
    engine = engine_with(actor)
    events = [SoundBookEvent(*event) for event in ((SYMBOL, ns(1), book(), 1), (SYMBOL, ns(2), book(98.0, 100.0), 3))]
    for event in events:
        engine.process(event)
    assert [data.mid for data in actor.seen] == [100.0, 99.0]
    assert engine.gaps == {"missing": 1}
    assert engine.process(events[0]).rejected == "time_backwards"
    assert engine.process(SoundBookEvent("ETH", ns(3), book())).rejected == "no_strategy_wants_symbol"


def test_an_event_as_old_as_the_last_one_is_not_backwards() -> None:
    engine = engine_with(Actor())
    assert [engine.process(event).rejected for event in (quote(1), quote(1), trade(1), quote(0.999999999))] == [
        "",
        "",
        "",
        "time_backwards",
    ]


def test_a_dropped_event_does_not_set_the_last_time_seen() -> None:
    engine = engine_with(Actor())
    engine.process(quote(9, 101.0, 99.0))
    assert engine.process(quote(1)).rejected == ""


def test_time_is_followed_for_each_symbol() -> None:
    engine = engine_with(Actor())
    engine.process(quote(9, symbol="BTC"))
    assert engine.process(quote(1, symbol="ETH")).rejected == ""


def test_a_gap_in_the_sequence_is_counted_and_drops_nothing() -> None:
    actor = Actor(kinds=EVERYTHING)
    engine = engine_with(actor)
    for at_s, number in enumerate((1, 2, 6, 7)):
        assert engine.process(quote(at_s, sequence=number)).rejected == ""
    assert engine.gaps == {"missing": 3}
    engine.process(quote(5, sequence=5))
    engine.process(quote(6, sequence=8))
    assert engine.gaps == {"missing": 3, "out_of_order": 1}
    engine.process(trade(7, sequence=900))
    engine.process(quote(8, sequence=1, symbol="ETH"))
    engine.process(quote(9))
    assert engine.gaps == {"missing": 3, "out_of_order": 1}
    assert len(actor.seen) == engine.ticks == 9


def test_a_message_that_came_but_was_dropped_is_not_missing() -> None:
    engine = engine_with(Actor())
    engine.process(quote(1, sequence=1))
    engine.process(quote(2, 101.0, 99.0, sequence=2))
    engine.process(quote(3, sequence=3))
    assert engine.gaps == {}


def test_a_tick_that_leads_to_nothing_shares_one_outcome() -> None:
    assert engine_with(Actor()).process(quote(1)) is NOTHING


def test_a_strategy_sees_the_book_the_recent_trades_and_the_bar() -> None:
    actor = Actor()
    engine = engine_with(actor)
    engine.process(trade(60, 100.0, 1.0))
    engine.process(trade(61, 102.0, 2.0, "sell"))
    engine.process(quote(62, 99.0, 101.0))
    (data,) = actor.seen
    assert (data.symbol, data.timestamp_ns, data.kind) == ("BTC", ns(62), DataKind.BOOK)
    assert (data.orderbook.best_bid, data.orderbook.best_ask, data.mid) == (99.0, 101.0, 100.0)
    assert [(each.price, each.quantity, each.side) for each in data.recent_trades] == [
        (100.0, 1.0, "buy"),
        (102.0, 2.0, "sell"),
    ]
    assert data.ohlcv == OHLCV(100.0, 102.0, 100.0, 102.0, 3.0)


@pytest.mark.parametrize(
    ("kinds", "called_for"),
    [
        ((DataKind.BOOK,), ["book"]),
        ((DataKind.TRADE,), ["trade"]),
        ((DataKind.BAR,), ["bar"]),
        ((DataKind.BOOK, DataKind.BAR), ["book", "bar"]),
        (EVERYTHING, ["book", "trade", "bar"]),
    ],
)
def test_on_tick_is_called_for_the_kinds_that_the_strategy_asked_for(kinds, called_for: list[str]) -> None:
    actor = Actor(kinds=kinds)
    engine = engine_with(actor)
    for event in (quote(1), trade(2), bar(3)):
        engine.process(event)
    assert [str(data.kind) for data in actor.seen] == called_for


def test_trades_and_bars_update_the_state_of_a_symbol_without_a_call() -> None:
    actor = Actor()
    engine = engine_with(actor)
    engine.process(trade(1))
    engine.process(bar(2, 100.0))
    assert (actor.seen, engine.ticks) == ([], 2)
    market = engine.markets["BTC"]
    assert (len(market.recent_trades), market.bar) == (1, bar(2, 100.0).bar)


def test_a_bar_strategy_on_a_symbol_without_books_trades_at_the_close() -> None:
    actor = Actor("a", long(), kinds=(DataKind.BAR,))
    engine = simulated_engine(actor)
    outcome = engine.process(bar(60, 250.0))
    assert [fill.price for fill in outcome.fills] == [250.0]
    engine.process(bar(120, 260.0))
    assert engine.portfolio.equity_of("a").unrealized == 10.0


def test_strategies_are_called_in_the_order_of_the_configuration() -> None:
    calls: list[tuple[str, str]] = []
    engine = engine_with(*[Actor(name, calls=calls) for name in ("m", "z", "a")])
    engine.process(quote(1))
    assert [name for name, _ in calls] == ["m", "z", "a"]


def test_only_strategies_that_subscribed_to_the_symbol_are_called() -> None:
    one, both, every = Actor("one", symbols=("BTC",)), Actor("both", symbols=("BTC", "ETH")), Actor("every")
    engine = engine_with(one, both, every)
    for symbol in ("BTC", "ETH", "XRP"):
        engine.process(quote(1, symbol=symbol))
    assert [[data.symbol for data in actor.seen] for actor in (one, both, every)] == [
        ["BTC"],
        ["BTC", "ETH"],
        ["BTC", "ETH", "XRP"],
    ]


def test_resting_orders_are_matched_and_on_fill_called_before_any_on_tick() -> None:
    calls: list[tuple[str, str]] = []
    first = Actor("first", calls=calls)
    owner = Actor("owner", long(limit_price=95.0), calls=calls, route="direct")
    engine = simulated_engine(first, owner)
    engine.process(quote(1, 99.0, 101.0))
    calls.clear()
    outcome = engine.process(quote(2, 93.0, 94.0))
    assert [fill.price for fill in outcome.fills] == [95.0]
    assert calls == [("owner", "on_fill"), ("first", "on_tick"), ("owner", "on_tick")]


def test_trades_do_not_match_resting_orders() -> None:
    actor = Actor("a", long(limit_price=95.0), route="direct")
    engine = simulated_engine(actor)
    engine.process(quote(1))
    assert engine.process(trade(2, 90.0)) is NOTHING
    assert engine.process(bar(3, 90.0)) is NOTHING


def test_positions_are_marked_at_the_mid_of_each_book() -> None:
    actor = Actor("a", long())
    engine = simulated_engine(actor)
    engine.process(quote(1, 99.0, 101.0))
    assert engine.portfolio.equity_of("a").unrealized == -1.0
    engine.process(quote(2, 109.0, 111.0))
    assert engine.portfolio.equity_of("a").unrealized == 9.0
    engine.process(trade(3, 500.0))
    assert engine.portfolio.equity_of("a").unrealized == 9.0


def test_an_order_with_latency_fills_at_the_first_book_that_is_late_enough() -> None:
    actor = Actor("a", long())
    engine = engine_with(actor, venue=SimulatedVenue(latency_ns=ns(1.5)))
    assert engine.process(quote(1)).fills == []
    assert engine.process(quote(2, 104.0, 106.0)).fills == []
    assert [fill.price for fill in engine.process(quote(3, 109.0, 111.0)).fills] == [111.0]


def test_latencies_are_brought_up_to_date_every_few_thousand_ticks() -> None:
    engine = engine_with(Actor())
    for at_s in range(9_000):
        engine.process(quote(at_s))
    assert 0 < engine.tick_latency.count < 9_000
    assert 0 < engine.registry.get("a").on_tick_latency.count < 9_000


def test_latencies_are_brought_up_to_date_one_by_one_when_nothing_waits() -> None:
    engine = engine_with(Actor())
    for at_s in range(500):
        engine.process(quote(at_s))
    on_tick = engine.registry.get("a").on_tick_latency
    engine.fold_next()
    assert (engine.tick_latency.count, on_tick.count) == (500, 0)
    engine.fold_next()
    assert (engine.tick_latency.count, on_tick.count) == (500, 500)
    engine.fold_next()
    engine.process(quote(501))
    engine.fold_next()
    assert engine.tick_latency.count == 500


def test_latencies_are_measured_per_tick_and_per_strategy() -> None:
    quick, slow = Actor("quick"), Actor("slow", kinds=(DataKind.TRADE,))
    engine = engine_with(quick, slow)
    for at_s in range(5):
        engine.process(quote(at_s))
    engine.fold_latencies()
    assert engine.tick_latency.count == 5
    assert [(runtime.strategy_id, runtime.on_tick_latency.count) for runtime in engine.registry] == [
        ("quick", 5),
        ("slow", 0),
    ]
