"""``process_until`` does what ``process`` does, only with the quiet case unrolled."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.events import BarEvent, BookEvent, MarketEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import OHLCV, MarketData, OrderBook, PriceLevel
from sengine.domain.signal import Signal
from sengine.engine.core import Engine
from sengine.engine.latency import FOLD_EVERY
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.risk.limits import PositionLimit
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.spec import StrategySpec
from sengine.strategy import BaseStrategy, TickResult

FOREVER = 2**62


class Moody(BaseStrategy):
    """Says something on some prices, quotes on others, and raises on some."""

    def on_tick(self, data: MarketData) -> TickResult:
        price = round(data.mid)
        if price % 7 == 0:
            raise ValueError(price)
        if price % 5 == 0:
            return Signal(direction="LONG", confidence=0.7, limit_price=data.mid * 0.99)
        if price % 3 == 0:
            return [Signal(direction="SHORT", confidence=0.9), Signal(direction="CLOSE", confidence=0.5)]
        return None


class Steady(BaseStrategy):
    def on_tick(self, data: MarketData) -> TickResult:
        return Signal(direction="LONG" if self.position <= 0 else "CLOSE", confidence=0.6) if data.mid > 105 else None


def _engine(latency_ns: int, strategies: int) -> Engine:
    engine = Engine(
        VoteBook("majority_vote", 10),
        RiskPipeline([PositionLimit(4.0)]),
        Portfolio(100_000.0),
        SimulatedVenue(latency_ns),
        max_errors=3,
        reset_after_ns=20,
        stopwatch_ns=lambda: 1,
    )
    engine.registry.load(StrategySpec("moody", lambda: Moody("moody"), symbols=("A",), route="direct"))
    if strategies > 1:
        engine.registry.load(StrategySpec("steady", lambda: Steady("steady")))
    return engine


@st.composite
def events(draw: st.DrawFn) -> list[MarketEvent]:
    made: list[MarketEvent] = []
    now_ns = 100
    for _ in range(draw(st.integers(0, 60))):
        now_ns += draw(st.integers(-1, 4))
        symbol = draw(st.sampled_from(["A", "B"]))
        price = float(draw(st.integers(95, 112)))
        kind = draw(st.sampled_from(["sound", "sound", "sound", "book", "trade", "bar", "bad"]))
        book = OrderBook((PriceLevel(price - 0.25, 1.0),), (PriceLevel(price + 0.25, 1.0),))
        sequence = draw(st.sampled_from([-1, -1, -1, len(made)]))
        if kind == "sound":
            made.append(SoundBookEvent(symbol, now_ns, book, sequence))
        elif kind == "book":
            made.append(BookEvent(symbol, now_ns, book, sequence))
        elif kind == "bad":
            made.append(BookEvent(symbol, now_ns, OrderBook(book.asks, book.bids)))
        elif kind == "trade":
            made.append(TradeEvent(symbol, now_ns, price, 1.0, "buy"))
        else:
            made.append(BarEvent(symbol, now_ns, OHLCV(price, price, price, price, 1.0)))
    return made


def _facts(outcome: Outcome) -> tuple[object, ...]:
    faults = [(fault.strategy_id, fault.kind, fault.message) for fault in outcome.faults]
    return (
        outcome.rejected, outcome.signals, outcome.orders, outcome.cancels, outcome.fills, outcome.shares, faults,
        outcome.notices,
    )  # fmt: skip


@settings(max_examples=300)
@given(events(), st.sampled_from([0, 3]), st.integers(1, 2))
def test_it_leads_to_the_same_as_processing_each_event(
    made: list[MarketEvent], latency_ns: int, strategies: int
) -> None:
    one, other = _engine(latency_ns, strategies), _engine(latency_ns, strategies)
    expected = [(event, _facts(outcome)) for event in made if (outcome := one.process(event)) is not NOTHING]
    stream, got = iter(made), []
    while (step := other.process_until(stream, FOREVER)) is not None:
        event, outcome = step
        assert outcome is not None
        got.append((event, _facts(outcome)))
    assert got == expected
    assert (one.ticks, one.rejected, one.gaps, one.now_ns) == (other.ticks, other.rejected, other.gaps, other.now_ns)
    assert list(one.portfolio.positions()) == list(other.portfolio.positions())
    assert one.portfolio.total.max_drawdown == other.portfolio.total.max_drawdown
    assert [runtime.ticks for runtime in one.registry] == [runtime.ticks for runtime in other.registry]


def test_an_event_at_the_stop_is_given_back_unprocessed() -> None:
    engine = _engine(0, 1)
    book = OrderBook((PriceLevel(100.75, 1.0),), (PriceLevel(101.25, 1.0),))
    stream = iter([SoundBookEvent("A", time_ns, book) for time_ns in (1, 2, 3)])
    step = engine.process_until(stream, 2)
    assert step is not None
    event, outcome = step
    assert (event.timestamp_ns, outcome, engine.ticks) == (2, None, 1)
    assert engine.process_until(stream, FOREVER) is None
    assert engine.ticks == 2


def test_latencies_are_folded_however_few_ticks_are_timed() -> None:
    engine = _engine(0, 1)
    engine.time_one_in(8)
    book = OrderBook((PriceLevel(100.75, 1.0),), (PriceLevel(101.25, 1.0),))
    assert engine.process_until((SoundBookEvent("A", time_ns, book) for time_ns in range(100_000)), FOREVER) is None
    on_tick = engine.registry.get("moody").on_tick_latency
    assert on_tick.count + on_tick.pending == 100_000 // 8
    assert on_tick.pending <= FOLD_EVERY
    assert engine.tick_latency.pending <= FOLD_EVERY
