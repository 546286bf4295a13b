"""What the engine itself costs, with strategies that do next to nothing."""

from __future__ import annotations

import gc
from collections.abc import Callable
from itertools import cycle
from time import perf_counter
from typing import Any

import pytest

from replay.session import TIME_ONE_TICK_IN
from sengine.domain.events import BookEvent, SoundBookEvent
from sengine.domain.market import MarketData, OrderBook, PriceLevel
from sengine.domain.order import Contribution, Fill, Order, ProposedOrder, Side
from sengine.domain.signal import Direction, Signal, StampedSignal
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk import limits
from sengine.engine.risk.checks import check_of
from sengine.engine.risk.limits import ConfidenceLimit, DrawdownLimit, PositionLimit
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.risk.view import ProposedContribution, RiskView
from sengine.engine.signals.aggregation import METHODS, decide
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.spec import StrategySpec
from sengine.strategy import BaseStrategy, TickResult

TICKS = 20_000
LONG = Signal(symbol="BTCUSDT", direction="LONG", confidence=0.7, size=1.0)
SHORT = Signal(symbol="BTCUSDT", direction="SHORT", confidence=0.7, size=1.0)


class Quiet(BaseStrategy):
    def on_tick(self, data: MarketData) -> TickResult:
        return None


class Flipper(BaseStrategy):
    """A signal, and with it an order and a fill, on every tick."""

    def on_tick(self, data: MarketData) -> TickResult:
        return LONG if self.position <= 0 else SHORT


def _engine(strategy: type[BaseStrategy]) -> Engine:
    checks = [ConfidenceLimit(0.6), PositionLimit(10.0), DrawdownLimit(0.2)]
    engine = Engine(VoteBook("weighted_average", 5_000_000_000), RiskPipeline(checks), Portfolio(1e9), SimulatedVenue())
    engine.registry.load(StrategySpec("one", lambda: strategy("one")))
    return engine


def _books() -> list[BookEvent]:
    return [
        SoundBookEvent("BTCUSDT", time_ns, OrderBook((PriceLevel(60000.0, 1.0),), (PriceLevel(60000.1, 1.0),)))
        for time_ns in range(TICKS)
    ]


def _live(engine: Engine, books: list[BookEvent]) -> None:
    """As the live feed drives it: every tick is timed."""
    stream = iter(books)
    while engine.process_until(stream, 2**62) is not None:
        pass


def _replay(engine: Engine, books: list[BookEvent]) -> None:
    """As the replay drives it: one quiet tick in eight is timed."""
    engine.time_one_in(TIME_ONE_TICK_IN)
    _live(engine, books)


def _strategy_alone_us(strategy: type[BaseStrategy]) -> float:
    """What the strategy's own calls take per tick; it is not the engine's cost."""
    runtime, data = strategy("one"), MarketData("BTCUSDT", 1, OrderBook((), ()))
    sides = cycle([Fill("1", "one", "BTCUSDT", side, 60000.0, 1.0, 0.0, 1, "1") for side in ("buy", "sell")])
    rounds = []
    for _ in range(5):
        started_s = perf_counter()
        for _ in range(TICKS):
            if runtime.on_tick(data) is not None:
                runtime.on_fill(next(sides))
        rounds.append(perf_counter() - started_s)
    return min(rounds) / TICKS * 1e6


def _per_tick_us(
    benchmark: Any, drive: Callable[[Engine, list[BookEvent]], None], strategy: type[BaseStrategy]
) -> float:
    books = _books()
    # The test runner's own heap is large; what a collection costs in it is not the engine's.
    gc.collect()
    gc.freeze()
    try:
        benchmark.pedantic(drive, setup=lambda: ((_engine(strategy), books), {}), rounds=15, warmup_rounds=2)
    finally:
        gc.unfreeze()
    engine = _engine(strategy)
    drive(engine, books)
    assert engine.ticks == TICKS
    assert engine.orders_sent == (TICKS if strategy is Flipper else 0)
    # The fastest round: what the machine's other work adds to a round is not the engine's cost.
    return float(benchmark.stats.stats.min) / TICKS * 1e6 - _strategy_alone_us(strategy)


@pytest.mark.parametrize(("drive", "name"), [(_live, "live"), (_replay, "replay")])
def test_a_tick_without_a_signal(benchmark: Any, figure: Callable[..., None], drive: Any, name: str) -> None:
    figure(f"engine, tick with no signal, {name}", _per_tick_us(benchmark, drive, Quiet), "us", at_most=2.0)


@pytest.mark.parametrize(("drive", "name"), [(_live, "live"), (_replay, "replay")])
def test_a_tick_with_a_signal_an_order_and_a_fill(
    benchmark: Any, figure: Callable[..., None], drive: Any, name: str
) -> None:
    what = f"engine, tick with signal, vote, 3 checks, order and fill, {name}"
    figure(what, _per_tick_us(benchmark, drive, Flipper), "us", at_most=10.0)


def _vote(author: str, direction: Direction, confidence: float) -> StampedSignal:
    return StampedSignal(1, author, "BTCUSDT", direction, confidence, 1.0, 1)


def test_aggregating_three_votes(benchmark: Any, figure: Callable[..., None]) -> None:
    votes = [
        _vote("a", Direction.LONG, 0.8), _vote("b", Direction.LONG, 0.7), _vote("c", Direction.SHORT, 0.5),
    ]  # fmt: skip
    books = []
    for method in METHODS:
        book = VoteBook(method, 5_000_000_000)
        for vote in votes:
            book.cast(vote)
        books.append(book)
    turn = cycle(books)
    benchmark(lambda: decide(next(turn), "BTCUSDT", 2))
    figure(
        "aggregation of 3 votes, mean of the 4 methods", float(benchmark.stats.stats.median) * 1e6, "us", at_most=3.0
    )


def test_one_risk_check(benchmark: Any, figure: Callable[..., None]) -> None:
    view = RiskView(Portfolio(100_000.0))
    proposal = ProposedContribution(_vote("a", Direction.LONG, 0.8), 1.0, 0.8, 0.0)
    turn = cycle([check_of(limit).review for limit in (ConfidenceLimit(0.6), PositionLimit(10.0), DrawdownLimit(0.2))])
    benchmark(lambda: next(turn)(proposal, view))
    figure("one risk check, mean of the 3", float(benchmark.stats.stats.median) * 1e6, "us", at_most=1.0)


def test_all_risk_checks_of_an_order(benchmark: Any, figure: Callable[..., None]) -> None:
    """Every kind of check at once, in an engine that holds and has traded, for an order that passes them all."""
    engine = _engine(Flipper)
    _live(engine, _books()[:2_000])
    checks = [
        ConfidenceLimit(0.6),
        PositionLimit(10.0),
        DrawdownLimit(0.2),
        limits.SymbolAllowList(("BTCUSDT",)),
        limits.TradingHours("00:00", "23:00"),
        limits.PriceAgeLimit(10**9),
        limits.LateEngineLimit(10**9),
        limits.SoundBook(),
        limits.PriceCollar(500.0, 500.0),
        limits.OrderQuantityLimit(5.0),
        limits.OrderNotionalLimit(1e6),
        limits.OrderRateLimit(1_000, 1, 1_000),
        limits.RepeatedExecutionLimit(1_000, 10**9),
        limits.DuplicateOrderLimit(1),
        limits.OpenOrdersLimit(100),
        limits.SelfCrossLimit(),
        limits.GrossExposureLimit(1e9),
        limits.NetExposureLimit(1e9),
        limits.DailyLossLimit(1e9),
    ]
    assert {limit.name for limit in checks} == set(limits.LIMITS)
    pipeline = RiskPipeline(checks)
    now_ns = engine.now_ns + 10
    signal = StampedSignal(1, "one", "BTCUSDT", Direction.LONG, 0.8, 1.0, now_ns)
    contribution = ProposedContribution(signal, 1.0, 0.8, 1.0)
    order = ProposedOrder("BTCUSDT", Side.BUY, 1.0, now_ns, (Contribution("one", 1.0, 1),), 60000.0)

    def review() -> object:
        assert pipeline.review(contribution, engine.risk_view) is None
        return pipeline.approve(order, engine.risk_view, "1")

    assert isinstance(review(), Order)
    benchmark(review)
    figure("all risk checks of an order, 19 kinds", float(benchmark.stats.stats.median) * 1e6, "us", at_most=10.0)
