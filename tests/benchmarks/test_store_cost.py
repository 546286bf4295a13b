"""What the store of records costs the engine's loop, which only journals, and how quickly it is made anew."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, perf_counter_ns, sleep

from sengine.adapters.journal.journal import Beginning, Journal
from sengine.adapters.store.keeper import StoreKeeper
from sengine.adapters.store.rebuild import rebuild
from sengine.config.schema import Config
from sengine.domain.events import SoundBookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.order import Contribution, Fill, Order, ProposedOrder, Side
from sengine.domain.signal import Direction, Disposition, SignalResult, StampedSignal
from sengine.engine.outcome import Outcome
from sengine.runtime.live_engine import LiveEngine
from tests.engine.conftest import Actor, engine_with
from tests.outcomes import outcome_of

TICKS = 100_000
ORDERS = 5_000
PACED, EVERY_S = 1_000, 0.002
BOOK = OrderBook((PriceLevel(61_659.7, 5.0),), (PriceLevel(61_659.8, 4.0),))
NOTHING = Outcome()


def quiet(message: str, sentence: str) -> None:
    raise AssertionError(sentence)


def us_a_tick(folder: Path, *, with_store: bool) -> float:
    """A quiet tick with its journal, and with a store that follows it."""
    events = [SoundBookEvent("BTCUSDT", step * 1_000_000, BOOK, -1, step * 1_000_000 + 1) for step in range(TICKS)]
    folder.mkdir()
    live = LiveEngine(engine_with(Actor("a")))
    live.journal = journal = Journal(folder, Config(), live.engine, "", Beginning())
    keeper = StoreKeeper(folder / "positions.db", folder, quiet) if with_store else None
    if keeper is not None:
        keeper.start()
    began_s = perf_counter()
    live.process_all(iter(events))
    took_s = perf_counter() - began_s
    journal.close()
    if keeper is not None:
        keeper.stop(10.0)
    return took_s / TICKS * 1e6


def trade(folder: Path, orders: int = ORDERS, every_s: float = 0.0, *, with_store: bool = False) -> list[float]:
    """Orders that fill, journaled; the time of each on the loop, in us."""
    folder.mkdir()
    journal = Journal(folder, Config(), engine_with(Actor("a")), "", Beginning())
    keeper = StoreKeeper(folder / "positions.db", folder, quiet) if with_store else None
    if keeper is not None:
        keeper.start()
    took_us = []
    for number in range(orders):
        if every_s:
            sleep(every_s)
        moment_ns = number * 1_000_000
        signal = StampedSignal(number, "a", "BTCUSDT", Direction.LONG, 0.7, 1.0, moment_ns)
        proposal = ProposedOrder("BTCUSDT", Side.BUY, 1.0, moment_ns, (Contribution("a", 1.0, number),))
        order = Order.approved(proposal, f"s-{number}")
        event = SoundBookEvent("BTCUSDT", moment_ns, BOOK)
        outcome = outcome_of(signals=[SignalResult(signal, Disposition.PASSED)], orders=[order])
        fill = Fill(order.order_id, "", "BTCUSDT", "buy", 61_659.8, 1.0, 0.1, moment_ns, f"f-{number}")
        began_ns = perf_counter_ns()
        journal.event(event)
        journal.outcome(event, outcome)
        took_us.append((perf_counter_ns() - began_ns) / 1000)
        journal.event(fill)
        journal.outcome(fill, NOTHING)
    journal.close()
    if keeper is not None:
        keeper.stop(10.0)
    return took_us


def test_store_costs_the_loop_nothing_it_notices(tmp_path: Path, figure: Callable[..., None]) -> None:
    added = []
    for turn in range(5):
        without = us_a_tick(tmp_path / f"{turn}-without", with_store=False)
        added.append(us_a_tick(tmp_path / f"{turn}-with", with_store=True) - without)
    figure("store: added to a tick", median(added), "us", note="over the journal; 100,000 ticks without a pause")
    for name, orders, every_s in (("500 orders/s", PACED, EVERY_S), ("orders without a pause", ORDERS, 0.0)):
        without_us = trade(tmp_path / f"{orders} without", orders, every_s)
        with_us = trade(tmp_path / f"{orders} with", orders, every_s, with_store=True)
        figure(f"store: added to an order, {name}, p50", median(with_us) - median(without_us), "us")
        p99 = quantiles(with_us, n=100)[98] - quantiles(without_us, n=100)[98]
        figure(f"store: added to an order, {name}, p99", p99, "us")


def test_store_is_made_anew_quickly(tmp_path: Path, figure: Callable[..., None]) -> None:
    trade(tmp_path / "journal")
    began_s = perf_counter()
    rebuilt = rebuild(tmp_path / "positions.db", tmp_path / "journal")
    figure("store: rows made anew", rebuilt.rows / (perf_counter() - began_s), "rows/s")
    us_a_tick(tmp_path / "ticks", with_store=False)
    began_s = perf_counter()
    rebuild(tmp_path / "ticks.db", tmp_path / "ticks")
    figure("store: market data stepped over", TICKS / (perf_counter() - began_s), "records/s")
