"""What those who look on get, and what they cost, while 5,000 ticks/s flow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import monotonic_ns, perf_counter
from typing import NamedTuple
from urllib.request import urlopen

import msgspec
import uvloop

from sengine.adapters.control.client import ControlClient
from sengine.adapters.nats.broker import EmbeddedBroker
from tests.benchmarks.live_parts import HERE, START_S, answered, frozen_heap, percentile, running, said

TICKS_PER_S = 5_000
CALLS = 2_000
SCRAPES = 400
STRATEGIES, SYMBOLS, GROUPS = 50, 80, 10

HOLDER = """
from sengine.strategy import BaseStrategy, MarketData, Plugin, Signal

plugin = Plugin("holder", "1.0.0", "Buys one of each symbol and keeps it")


class Holder(BaseStrategy):
    route = "direct"

    def initialize(self, config: dict[str, object]) -> None:
        self.bought: set[str] = set()

    def on_tick(self, data: MarketData) -> Signal | None:
        if data.symbol in self.bought:
            return None
        self.bought.add(data.symbol)
        return Signal(symbol=data.symbol, direction="LONG", confidence=1.0, size=1.0)


def create_strategy() -> BaseStrategy:
    return Holder("holder")
"""


def _write_config(folder: Path, broker_url: str, strategies: list[dict[str, object]]) -> Path:
    (folder / "holder.py").write_text(HOLDER)
    config = {
        "service": {"port": 0, "data_directory": str(folder / "data")},
        "nats": {"url": broker_url},
        "plugins": {"directory": str(folder)},
        "strategies": strategies,
        "risk": {"filters": [{"type": "confidence", "min_confidence": 0.5}]},
        "execution": {"target": "simulated"},
    }
    file = folder / "engine.yaml"
    file.write_bytes(msgspec.yaml.encode(config))
    return file


@asynccontextmanager
async def _market(folder: Path, symbols: list[str]) -> AsyncIterator[str]:
    """A broker onto which a generated market flows; its URL."""
    broker = EmbeddedBroker(folder / "broker")
    await broker.start()
    try:
        arguments = ("simulate", "--url", broker.url, "--rate", str(TICKS_PER_S), "--symbols", ",".join(symbols))
        async with running("-m", "sengine", *arguments, log=folder / "simulate.log"):
            yield broker.url
    finally:
        await broker.stop()


async def _call_latencies_ms(folder: Path) -> list[float]:
    """GetPositions, one call after the other, of an engine with five strategies."""
    symbols = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    plugins = ("momentum", "momentum", "rsi", "rsi", "holder")
    strategies: list[dict[str, object]] = [
        {"id": f"{plugin}_{number}", "plugin": plugin} for number, plugin in enumerate(plugins)
    ]
    log = folder / "engine.log"
    async with _market(folder, symbols) as broker_url:
        config = _write_config(folder, broker_url, strategies)
        async with running("-m", "sengine", "run", "--no-tui", "-c", str(config), log=log):
            await said(log, "connected to NATS")
            (socket,) = (folder / "data").glob("*.sock")
            async with ControlClient(f"unix:{socket}") as client:
                deadline = perf_counter() + START_S
                while len((await client.positions()).positions) < len(symbols):
                    assert perf_counter() < deadline, "expected positions, got none"
                    await asyncio.sleep(0.05)
                before = await client.snapshot()
                began_s = perf_counter()
                latencies_ms = []
                with frozen_heap():
                    for _ in range(CALLS):
                        called_s = perf_counter()
                        await client.positions()
                        latencies_ms.append((perf_counter() - called_s) * 1e3)
                        await asyncio.sleep(0.005)
                after = await client.snapshot()
                rate = (after.ticks - before.ticks) / (perf_counter() - began_s)
                assert rate > 0.9 * TICKS_PER_S, f"expected {TICKS_PER_S} ticks/s, got {rate:.0f}"
    return latencies_ms


class Stalls(NamedTuple):
    """The longest turn of the loop in each of many windows, in ms: as it passed, and what of it the loop used."""

    passed: list[float]
    used: list[float]


async def _scrape_stalls(folder: Path) -> tuple[Stalls, Stalls]:
    """Those of the scrapes, and those of as many windows of the same length without one."""
    symbols = [f"SYM{number:02}USDT" for number in range(SYMBOLS)]
    strategies: list[dict[str, object]] = [
        {"id": f"holder_{number}", "plugin": "holder", "symbols": symbols[number % GROUPS :: GROUPS]}
        for number in range(STRATEGIES)
    ]
    windows_ns: list[tuple[int, int, int]] = []
    async with _market(folder, symbols) as broker_url:
        config = _write_config(folder, broker_url, strategies)
        async with running(str(HERE / "live_heartbeat.py"), str(config)) as service:
            url = (await answered(service))["url"] + "/metrics"
            deadline = perf_counter() + START_S
            while (held := (await asyncio.to_thread(_scrape, url)).count(b"\nstrategy_position{")) < SYMBOLS * 5:
                assert perf_counter() < deadline, f"expected {SYMBOLS * 5} positions, got {held}"
                await asyncio.sleep(0.2)
            with frozen_heap():
                for _ in range(SCRAPES):
                    began_ns = monotonic_ns()
                    await asyncio.to_thread(_scrape, url)
                    ended_ns = monotonic_ns()
                    await asyncio.sleep((ended_ns - began_ns) / 1e9 + 0.02)
                    windows_ns.append((began_ns, ended_ns, monotonic_ns()))
            service.terminate()
            late = (await answered(service))["late"]
    scrapes = [(began_ns, ended_ns) for began_ns, ended_ns, _ in windows_ns]
    free = [(over_ns - (ended_ns - began_ns), over_ns) for began_ns, ended_ns, over_ns in windows_ns]
    return _longest(late, scrapes), _longest(late, free)


def _longest(late: list[tuple[int, int, int]], windows_ns: list[tuple[int, int]]) -> Stalls:
    stalls = Stalls([], [])
    for began_ns, ended_ns in windows_ns:
        turns = [(passed, used) for end, passed, used in late if began_ns <= end <= ended_ns]
        stalls.passed.append(max((passed for passed, _ in turns), default=0) / 1e6)
        stalls.used.append(max((used for _, used in turns), default=0) / 1e6)
    return stalls


def _scrape(url: str) -> bytes:
    with urlopen(url, timeout=5) as page:
        body: bytes = page.read()
    return body


def test_positions_are_answered_within_ten_milliseconds(tmp_path: Path, figure: Callable[..., None]) -> None:
    latencies_ms = uvloop.run(_call_latencies_ms(tmp_path))
    note = f"{TICKS_PER_S} ticks/s, 5 strategies"
    figure("GetPositions over the API, p50", median(latencies_ms), "ms", note=note)
    figure("GetPositions over the API, p99", percentile(latencies_ms, 0.99), "ms", at_most=10.0, note=note)


def test_a_scrape_stalls_the_loop_less_than_two_milliseconds(tmp_path: Path, figure: Callable[..., None]) -> None:
    during, without = uvloop.run(_scrape_stalls(tmp_path))
    note = f"{STRATEGIES} strategies, {SYMBOLS * STRATEGIES // GROUPS} positions, {TICKS_PER_S} ticks/s"
    for stalls, what in ((without, "no scrape"), (during, "/metrics scrape")):
        figure(f"longest turn of the loop, {what}, wall clock, p50", median(stalls.passed), "ms")
        figure(f"longest turn of the loop, {what}, wall clock, p99", percentile(stalls.passed, 0.99), "ms")
        figure(f"longest turn of the loop, {what}, processor time, p50", median(stalls.used), "ms")
    used = percentile(without.used, 0.99)
    figure("longest turn of the loop, no scrape, processor time, p99", used, "ms", note=note)
    # What other processes take from a turn is not the scrape's doing, hence processor time.
    used = percentile(during.used, 0.99)
    figure("longest turn of the loop, /metrics scrape, processor time, p99", used, "ms", at_most=2.0, note=note)
