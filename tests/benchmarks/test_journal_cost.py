"""What the journal adds to a tick and to an order, and how long a start takes to recover from a long one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, perf_counter_ns

from sengine.adapters.journal.journal import Beginning, Journal
from sengine.adapters.journal.recovery import recover
from sengine.assembly import build_engine, catalog, load_strategies
from sengine.config.schema import Config, ExecutionConfig, StrategyConfig
from sengine.domain.events import SoundBookEvent
from sengine.domain.market import MarketData, OrderBook, PriceLevel
from sengine.domain.order import Fill, Order
from sengine.domain.signal import Signal
from sengine.engine.core import Engine
from sengine.engine.strategies.spec import StrategySpec
from sengine.runtime.live_engine import LiveEngine
from sengine.strategy import BaseStrategy, TickResult
from tests.benchmarks.live_parts import frozen_heap, percentile

TICKS = 100_000
PASSES = 15
RECORDS = 1_000_000
ORDERS = 5_000
CONFIG = Config(strategies=[StrategyConfig(id="momentum", plugin="momentum")])


def new_engine() -> Engine:
    engine = build_engine(CONFIG)
    load_strategies(engine, CONFIG.strategies, catalog(CONFIG))
    return engine


def books(count: int) -> list[SoundBookEvent]:
    """A flat market, whose ticks are quiet."""
    book = OrderBook((PriceLevel(61_659.7, 5.0),), (PriceLevel(61_659.8, 4.0),))
    return [SoundBookEvent("BTCUSDT", step * 1_000_000, book, -1, step * 1_000_000 + 1) for step in range(count)]


def us_a_tick(events: list[SoundBookEvent], folder: Path | None) -> float:
    live = LiveEngine(new_engine())
    journal = Journal(folder, CONFIG, live.engine, "", Beginning()) if folder is not None else None
    live.journal = journal
    began_s = perf_counter()
    live.process_all(iter(events))
    took_s = perf_counter() - began_s
    if journal is not None:
        journal.close()
    return took_s / len(events) * 1e6


def test_journal_adds_little_to_a_tick(tmp_path: Path, figure: Callable[..., None]) -> None:
    events = books(TICKS)
    added = []
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        without = us_a_tick(events, None)
        added.append(us_a_tick(events, folder) - without)
    figure("journal: added to a tick", median(added), "us", at_most=3.0, note="market data recorded, durability os")


class Flipper(BaseStrategy):
    """Another direction on every tick, and so an order."""

    def on_tick(self, data: MarketData) -> TickResult:
        direction = "LONG" if self.position <= 0 else "SHORT"
        return Signal(symbol=data.symbol, direction=direction, confidence=0.8, size=1.0)


class Exit:
    """Where orders leave; remembers the last and when it came."""

    def send(self, order: Order, received_ns: int = 0) -> None:
        self.at_ns = perf_counter_ns()
        self.order = order

    def cancel(self, order_id: str) -> None:
        raise AssertionError("nothing is cancelled here")

    def change_bounds(self, execution: ExecutionConfig) -> None:
        raise AssertionError("nothing is reconfigured here")


def tick_to_order_us(events: list[SoundBookEvent], folder: Path | None) -> list[float]:
    """From a tick in hand until its order leaves; each order is filled, and nothing waits, before the next tick."""
    engine = build_engine(Config())
    engine.registry.load(StrategySpec("flipper", lambda: Flipper("flipper")))
    live = LiveEngine(engine)
    live.gateway = exit_ = Exit()
    live.journal = journal = Journal(folder, Config(), engine, "", Beginning()) if folder is not None else None
    took_us = []
    with frozen_heap():
        for number, event in enumerate(events):
            began_ns = perf_counter_ns()
            live.process(event)
            took_us.append((exit_.at_ns - began_ns) / 1000)
            order, at_ns = exit_.order, event.timestamp_ns
            live.process(
                Fill(order.order_id, "", order.symbol, order.side, 61_659.8, order.quantity, 0.0, at_ns, f"f-{number}")
            )
            live.idle()
    if journal is not None:
        journal.close()
    assert engine.orders_sent == len(events)
    return took_us


def test_journal_adds_little_to_an_order(tmp_path: Path, figure: Callable[..., None]) -> None:
    events = books(ORDERS)
    tick_to_order_us(events[:500], None)
    without, recorded = [], []
    for turn in range(PASSES):
        folder = tmp_path / str(turn)
        folder.mkdir()
        without.append(tick_to_order_us(events, None))
        recorded.append(tick_to_order_us(events, folder))
    # Each pass does the same, so what an order met in few of them was the machine's other work.
    each_without, each_recorded = [
        [median(times) for times in zip(*passes, strict=True)] for passes in (without, recorded)
    ]
    pairs = zip(recorded, without, strict=True)
    added_us = median(percentile(one, 0.99) - percentile(other, 0.99) for one, other in pairs)
    note = f"p99 of a pass less p99 of one without, median of {PASSES} pairs"
    figure("journal: added to tick-to-order, with the machine's interruptions, p99", added_us, "us", note=note)
    note = f"each order's median of {PASSES} passes, by turns with and without"
    for percent in (50, 99):
        base_us = percentile(each_without, percent / 100)
        figure(f"tick-to-order without the journal, p{percent}", base_us, "us", note=note)
        added_us = percentile(each_recorded, percent / 100) - base_us
        at_most = 20.0 if percent == 99 else None
        figure(f"journal: added to tick-to-order, p{percent}", added_us, "us", at_most=at_most, note=note)


def test_recovery_of_a_million_events(tmp_path: Path, figure: Callable[..., None]) -> None:
    live = LiveEngine(new_engine())
    live.journal = journal = Journal(tmp_path, CONFIG, live.engine, "", Beginning())
    live.process_all(iter(books(RECORDS)))
    journal.close()
    engine = new_engine()
    began_s = perf_counter()
    asyncio.run(recover(tmp_path, engine, 2 * RECORDS))
    took_s = perf_counter() - began_s
    assert engine.ticks == RECORDS
    figure("recovery from a journal of 1,000,000 events", took_s, "s", at_most=10.0, note="one strategy shown them all")
