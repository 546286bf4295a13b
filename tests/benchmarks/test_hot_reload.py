"""Hot reloads under load, and strategies that come and go: nothing lost, little waited, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from sengine.assembly import build_engine, build_venue, catalog, load_strategies, strategy_spec
from sengine.config import Config
from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.domain.events import SoundBookEvent, UnloadStrategy
from sengine.domain.market import OrderBook, PriceLevel
from sengine.engine.strategies.spec import LoadStrategy
from sengine.plugins.loader import load_plugin
from sengine.resources import resource_path
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from sengine.service.reload.strategies import Reloading

RELOADS = int(os.environ.get("SENGINE_BENCH_RELOADS", "1000"))
CYCLES = int(os.environ.get("SENGINE_BENCH_CYCLES", "1000"))
TICKS_PER_S = 5000
MOST_IN_A_TURN = 50
EXAMPLES = {"momentum": "short_window", "rsi": "period", "market_maker": "target_size"}

# Carried through every swap: the number that the old version saw last must be the last one of the warm-up, too.
RECORDER = """

_plain = create_strategy


def create_strategy():
    strategy = _plain()

    class Recorder(type(strategy)):
        seen, last, faults = 0, None, 0

        def on_tick(self, data):
            number = int(data.orderbook.bids[0].quantity)
            self.faults += self.last is not None and number != self.last + 1
            self.last = number
            self.seen += 1
            return super().on_tick(data)

        def export_state(self):
            return {"seen": self.seen, "last": self.last, "faults": self.faults}

        def import_state(self, state, version):
            self.faults += state["faults"] + (0 if state["last"] in (self.last, None) else 1)
            self.seen, self.last = state["seen"], state["last"]

    strategy.__class__ = Recorder
    return strategy
"""


async def test_a_thousand_reloads_under_load(tmp_path: Path, figure: Callable[..., None]) -> None:
    sources = {name: resource_path("strategies", f"{name}.py").read_text() + RECORDER for name in EXAMPLES}
    for name, source in sources.items():
        (tmp_path / f"{name}.py").write_text(source)
    parameters: dict[str, dict[str, Any]] = {name: {} for name in EXAMPLES}

    def config() -> Config:
        return Config(
            plugins=PluginsConfig(directory=str(tmp_path), config_directory=str(tmp_path / "configs")),
            strategies=[StrategyConfig(id=name, plugin=name, config=parameters[name]) for name in EXAMPLES],
        )

    live, facts = LiveEngine(build_engine(config(), build_venue(config()), reloads=True)), ServiceStatus("bench")
    assert not load_strategies(live.engine, config().strategies, catalog(config()))
    reloading = Reloading(live, facts, catalog(config()), config(), config)
    published, stop = 0, asyncio.Event()

    async def publish() -> None:
        nonlocal published
        began_s = perf_counter()
        while not stop.is_set():
            due = int((perf_counter() - began_s) * TICKS_PER_S)
            # As a feed does: whoever falls behind catches up in turns, between which others have theirs.
            for _ in range(min(due - published, MOST_IN_A_TURN)):
                published += 1
                mid = 60_000.0 + published % 7
                book = OrderBook((PriceLevel(mid - 0.5, float(published)),), (PriceLevel(mid + 0.5, 1.0),))
                live.process(SoundBookEvent("BTCUSDT", published * 200_000, book, published))
            await asyncio.sleep(0.001)

    publishing = asyncio.create_task(publish())
    pauses_us: list[float] = []
    stalls_us: list[float] = []
    try:
        await reloading.start()
        # As the service does: what start-up made is not looked through again.
        gc.collect()
        gc.freeze()
        for number in range(RELOADS):
            name = list(EXAMPLES)[number // 2 % len(EXAMPLES)]
            if number % 2:
                parameters[name] = {EXAMPLES[name]: 3 + number // 2 % 2}
            else:
                (tmp_path / f"{name}.py").write_text(f"{sources[name]}\n# edit {number}\n")
            report = await reloading.reload(name)
            assert report.is_done, report
            if report.what == "code":
                pauses_us.append(report.swap_pause_us)
                stalls_us.append(report.longest_stall_us)
    finally:
        stop.set()
        await publishing
        await reloading.stop()
        gc.unfreeze()
    for name in EXAMPLES:
        instance: Any = live.engine.registry.get(name).instances["BTCUSDT"]
        assert (instance.seen, instance.last, instance.faults) == (published, published, 0), name
    note = f"{RELOADS} reloads, code and parameters in turn, {published} ticks at {TICKS_PER_S}/s, none lost"
    figure("swap pause, p99", _p99(pauses_us), "us", at_most=2000, note=note)
    figure("longest stall of the loop during a reload, median", median(stalls_us), "us", note="whatever caused it")
    figure("longest stall of the loop during a reload, p99", _p99(stalls_us), "us", note="whatever caused it")


def test_a_thousand_loads_and_unloads_leave_nothing_behind(tmp_path: Path, figure: Callable[..., None]) -> None:
    names = []
    for number in range(10):
        example = list(EXAMPLES)[number % len(EXAMPLES)]
        (tmp_path / f"s{number}.py").write_text(resource_path("strategies", f"{example}.py").read_text())
        names.append(f"s{number}")
    config = Config(plugins=PluginsConfig(directory=str(tmp_path)))
    engine, plugins = build_engine(config, build_venue(config), reloads=True), catalog(config)

    def cycle() -> None:
        for name in names:
            strategy = StrategyConfig(id=name, plugin=name)
            engine.process(LoadStrategy(strategy_spec(strategy, load_plugin(plugins.find(name)))))
        book = OrderBook((PriceLevel(99.5, 1.0),), (PriceLevel(100.5, 1.0),))
        engine.process(SoundBookEvent("BTCUSDT", engine.now_ns + 1, book))
        for name in names:
            engine.process(UnloadStrategy(name))

    # The ring of recent ticks is full and the allocator has its pools.
    for _ in range(CYCLES // 5):
        cycle()
    before = _resident_bytes()
    for _ in range(CYCLES):
        cycle()
    growth = 100 * (_resident_bytes() - before) / before
    note = f"{CYCLES} cycles of 10 strategies"
    figure("growth of memory over loads and unloads", growth, "%", at_most=5, note=note)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _resident_bytes() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
