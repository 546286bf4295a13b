"""What the journal adds to a tick and to an order, and how long a start takes to recover from a long one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, perf_counter_ns

from sengine.adapters.journal.journal import Beginning, Journal
from sengine.assembly import build_engine, catalog, load_strategies
from sengine.config.schema import Config, StrategyConfig
from sengine.domain.events import SoundBookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.order import Contribution, Order, ProposedOrder, Side
from sengine.domain.signal import Direction, Disposition, SignalResult, StampedSignal
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from sengine.live import LiveEngine
from sengine.recovery import recover
from tests.benchmarks.live_parts import frozen_heap

TICKS = 100_000
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
    live.take_all(iter(events))
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


def test_journal_adds_little_to_an_order(tmp_path: Path, figure: Callable[..., None]) -> None:
    engine = new_engine()
    journal = Journal(tmp_path, CONFIG, engine, "", Beginning())
    events = books(ORDERS)
    took_us = []
    with frozen_heap():
        for number, event in enumerate(events):
            signal = StampedSignal(number, "momentum", "BTCUSDT", Direction.LONG, 0.7, 1.0, event.timestamp_ns)
            part = Contribution("momentum", 1.0, number)
            order = Order.approved(ProposedOrder("BTCUSDT", Side.BUY, 1.0, event.timestamp_ns, (part,)), f"s-{number}")
            outcome = Outcome(signals=[SignalResult(signal, Disposition.PASSED)], orders=[order])
            began_ns = perf_counter_ns()
            journal.event(event)
            journal.outcome(event, outcome)
            took_us.append((perf_counter_ns() - began_ns) / 1000)
    journal.close()
    figure("journal: added to tick-to-order, p50", median(took_us), "us")
    figure("journal: added to tick-to-order, p99", quantiles(took_us, n=100)[98], "us", at_most=20.0)


def test_recovery_of_a_million_events(tmp_path: Path, figure: Callable[..., None]) -> None:
    live = LiveEngine(new_engine())
    live.journal = journal = Journal(tmp_path, CONFIG, live.engine, "", Beginning())
    live.take_all(iter(books(RECORDS)))
    journal.close()
    engine = new_engine()
    began_s = perf_counter()
    asyncio.run(recover(tmp_path, engine, 2 * RECORDS))
    took_s = perf_counter() - began_s
    assert engine.ticks == RECORDS
    figure("recovery from a journal of 1,000,000 events", took_s, "s", at_most=10.0, note="one strategy shown them all")
