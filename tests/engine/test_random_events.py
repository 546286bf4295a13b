"""Whatever the market and the strategies do: the counts add up, the books agree, nothing is raised, and it repeats."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.events import BarEvent, BookEvent, MarketEvent, TradeEvent
from sengine.domain.market import OHLCV, DataKind, OrderBook
from sengine.domain.order import Fill, OrderStatus, OrderUpdate
from sengine.domain.signal import Signal
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import Outcome
from sengine.engine.risk.limits import ConfidenceLimit, DrawdownLimit, PositionLimit
from sengine.engine.signals.aggregation import METHODS
from tests.engine.conftest import Actor, engine_with, ladder

ALL_KINDS = tuple(DataKind)
SYMBOLS = ["BTC", "ETH"]

# Prices around 100, and now and then something that is no price at all.
some_price = st.integers(94, 106).map(float)
price = st.one_of(some_price, some_price, st.sampled_from([0.0, -5.0, nan, inf]))
quantity = st.sampled_from([0.0, 0.5, 1.0, 2.0, -1.0, nan])


def sound_book(mid: float, depth: float) -> OrderBook:
    places = range(3)
    return ladder([(mid - 0.5 - at, depth) for at in places], [(mid + 0.5 + at, depth) for at in places])


sound_books = st.builds(sound_book, some_price, st.sampled_from([0.5, 1.0, 2.0]))
broken_books = st.builds(
    ladder, st.lists(st.tuples(price, quantity), max_size=2), st.lists(st.tuples(price, quantity), max_size=2)
)
trades = st.tuples(price, quantity, st.sampled_from(["buy", "sell", "?"]))
bars = st.builds(lambda at: OHLCV(at, at + 1, at - 1, at, 1.0), price)
payloads = st.one_of(sound_books, sound_books, sound_books, broken_books, trades, bars)

sound_signals = st.builds(
    Signal,
    symbol=st.sampled_from(["", "", "BTC", "ETH"]),
    direction=st.sampled_from(["LONG", "SHORT", "CLOSE"]),
    confidence=st.sampled_from([0.5, 0.7, 1.0]),
    size=st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5]),
)
quotes = st.builds(
    Signal,
    direction=st.sampled_from(["LONG", "SHORT"]),
    confidence=st.just(0.9),
    size=st.just(0.5),
    limit_price=st.integers(92, 108).map(float),
)
broken_signals = st.builds(
    Signal,
    symbol=st.sampled_from(["", "BTC", "XRP", 5]),
    direction=st.sampled_from(["LONG", "short", "UP", "", None]),
    confidence=st.sampled_from([0.7, 0, 1.5, nan, "sure", None]),
    size=st.sampled_from([1, 1.0, -1.0, inf, None, "large"]),
    limit_price=st.sampled_from([None, None, -1.0, nan, "98"]),
)
nonsense = st.sampled_from(["LONG", 3, object, {}, [None], ValueError("bad day"), SystemExit(1)])
answer = st.one_of(
    st.none(),
    sound_signals,
    sound_signals,
    quotes,
    broken_signals,
    st.lists(sound_signals | quotes, max_size=3),
    nonsense,
)
# What the three strategies say in one event: often the same, so that orders have several contributors.
answers = st.one_of(
    st.tuples(answer, answer, quotes | st.lists(quotes, max_size=2) | answer),
    sound_signals.map(lambda said: (said, said, said)),
)


@dataclass(frozen=True)
class Setting:
    """An engine to be: everything in it that the configuration decides."""

    method: str
    latency_ns: int
    depth: str
    costs_bps: float
    max_errors: int

    def build(self) -> tuple[Engine, list[Actor]]:
        actors = [
            Actor("one", symbols=("BTC",), kinds=ALL_KINDS),
            Actor("every", one_instance_per_symbol=False, default_size=0.3),
            Actor("maker", route="direct", symbols=("BTC", "ETH")),
        ]
        venue = SimulatedVenue(self.latency_ns, self.costs_bps, self.costs_bps, self.depth)  # type: ignore[arg-type]
        checks = [ConfidenceLimit(0.6), PositionLimit(3.0), DrawdownLimit(0.1)]
        engine = engine_with(
            *actors,
            method=self.method,
            window_s=4e-9,
            venue=venue,
            checks=checks,
            capital=50.0,
            max_errors=self.max_errors,
        )
        return engine, actors


settings_of_an_engine = st.builds(
    Setting,
    st.sampled_from(list(METHODS)),
    st.sampled_from([0, 3]),
    st.sampled_from(["touch", "walk"]),
    st.sampled_from([0.0, 10.0]),
    st.sampled_from([3, 1_000]),
)
steps_ns = st.sampled_from([0, 1, 1, 2, 5, -1])
happenings = st.lists(
    st.tuples(st.sampled_from(["BTC", "BTC", "ETH"]), steps_ns, payloads, answers), min_size=10, max_size=30
)


def events_of(happened: list[tuple]) -> list[tuple[MarketEvent, tuple]]:
    now_ns, events = 100, []
    for symbol_of_event, step_ns, payload, said in happened:
        now_ns += step_ns
        if isinstance(payload, tuple):
            event: MarketEvent = TradeEvent(symbol_of_event, now_ns, *payload)
        elif isinstance(payload, OHLCV):
            event = BarEvent(symbol_of_event, now_ns, payload)
        else:
            event = BookEvent(symbol_of_event, now_ns, payload)
        events.append((event, said))
    return events


@dataclass
class Run:
    """What came out of an engine, and the engine."""

    engine: Engine
    outcomes: list[Outcome] = field(default_factory=list)

    def everything(self, name: str) -> list[Any]:
        return [item for outcome in self.outcomes for item in getattr(outcome, name)]


def run(setting: Setting, events: list[tuple[MarketEvent, tuple]]) -> Run:
    engine, actors = setting.build()
    result = Run(engine)
    for event, said in events:
        for actor, words in zip(actors, said, strict=True):
            actor.answers.clear()
            actor.says(words)
        result.outcomes.append(engine.process(event))
        for working in engine.orders.open_orders():
            assert 0.0 <= working.remaining <= working.order.quantity
    return result


@settings(max_examples=60)
@given(settings_of_an_engine, happenings)
def test_counts_books_and_orders_agree_whatever_happens(setting: Setting, happened: list[tuple]) -> None:
    events = events_of(happened)
    result = run(setting, events)
    engine = result.engine

    # Every event is a tick or was dropped for a reason; every signal ended in exactly one way.
    assert engine.ticks + sum(engine.rejected.values()) == len(events)
    signals = result.everything("signals")
    assert engine.signals_generated == len(signals) == sum(engine.dispositions.values())
    assert engine.dispositions == Counter(each.disposition for each in signals)
    assert engine.filtered_by == Counter(each.check for each in signals if each.check)
    assert [each.signal.sequence for each in signals] == list(range(1, len(signals) + 1))

    # Orders carry who asked for them; what passed, and only that, is in an order.
    orders = {order.order_id: order for order in result.everything("orders")}
    assert len(orders) == engine.orders_sent
    passed = [each.signal.sequence for each in signals if each.disposition == "passed"]
    by_close = {sequence for outcome in result.outcomes for sequence in outcome.withdrawn.values()}
    asked = Counter(part.signal_sequence for order in orders.values() for part in order.contributions)
    # A CLOSE trades once more where what it withdrew fills all the same.
    assert all(count == 1 or sequence in by_close for sequence, count in asked.items())
    assert set(asked) - by_close == set(passed) - by_close
    assert set(passed) <= set(asked)
    for order in orders.values():
        parts = sum(part.quantity for part in order.contributions)
        assert parts == pytest.approx(order.quantity if order.side == "buy" else -order.quantity)

    # Fills belong to orders and never exceed them; positions are the sum of the shares.
    filled: Counter[str] = Counter()
    for fill in result.everything("fills"):
        filled[fill.order_id] += fill.quantity
        assert (fill.symbol, fill.side) == (orders[fill.order_id].symbol, orders[fill.order_id].side)
    for order_id, total in filled.items():
        assert total <= orders[order_id].quantity * (1 + 1e-12)
    held: Counter[tuple[str, str]] = Counter()
    for share, _ in result.everything("shares"):
        held[share.strategy_id, share.symbol] += share.signed_quantity
    for position in engine.portfolio.positions():
        key = (position.strategy_id, position.symbol)
        assert position.quantity == pytest.approx(held[key], abs=1e-9)
        assert abs(position.quantity) < 1e-9 or (position.symbol in engine.portfolio.open)

    # What is not filled, cancelled or still in flight has not been forgotten.
    in_flight = {working.order.order_id for working in engine.orders.open_orders()}
    cancelled = set(result.everything("cancels"))
    for order_id, order in orders.items():
        complete = filled[order_id] == pytest.approx(order.quantity)
        assert complete or order_id in in_flight or order_id in cancelled
    for runtime in engine.registry:
        assert sum(runtime.errors.values()) == sum(
            f.strategy_id == runtime.strategy_id for f in result.everything("faults")
        )


@settings(max_examples=30)
@given(settings_of_an_engine, happenings)
def test_the_same_events_have_the_same_outcome_in_another_engine(setting: Setting, happened: list[tuple]) -> None:
    events = events_of(happened)
    first, second = run(setting, events), run(setting, events)
    assert repr(first.outcomes) == repr(second.outcomes)
    assert list(first.engine.portfolio.positions()) == list(second.engine.portfolio.positions())
    assert first.engine.rejected == second.engine.rejected


reports = st.one_of(
    st.builds(
        Fill,
        st.sampled_from("12345"),
        st.just(""),
        st.sampled_from(SYMBOLS),
        st.sampled_from(["buy", "sell"]),
        some_price,
        st.sampled_from([0.1, 0.3, 1.0, 20.0]),
        st.just(0.0),
        st.integers(0, 3),
        st.sampled_from(["", "f1", "f2", "f3"]),
    ),
    st.builds(OrderUpdate, st.sampled_from("12345"), st.sampled_from(list(OrderStatus)), st.just(0)),
)


@settings(max_examples=100)
@given(st.lists(st.one_of(sound_signals, reports), max_size=25))
def test_no_news_of_orders_makes_the_engine_raise_or_go_below_nothing_in_flight(news: list[object]) -> None:
    """A venue that repeats itself, overfills, cancels what is filled and talks of orders that it never got."""
    actor = Actor("a")
    engine = engine_with(actor)
    booked: Counter[str] = Counter()
    for at_ns, each in enumerate(news):
        if isinstance(each, Signal):
            actor.says(each)
            outcome = engine.process(BookEvent("BTC", at_ns, ladder([(99.0, 1.0)], [(101.0, 1.0)])))
        else:
            outcome = engine.process(each)  # type: ignore[arg-type]
        for share, _ in outcome.shares:
            booked[share.symbol] += share.signed_quantity
        assert all(0.0 <= working.remaining <= working.order.quantity for working in engine.orders.open_orders())
    for symbol_held in SYMBOLS:
        assert engine.portfolio.quantity("a", symbol_held) == pytest.approx(booked[symbol_held], abs=1e-9)
