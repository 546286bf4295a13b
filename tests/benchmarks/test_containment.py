"""What it costs to hold strategies to a time, how soon an endless loop ends, and what compiling one gains."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import pytest

from sengine.adapters.containment.call_timer import CallTimer
from sengine.domain.events import SoundBookEvent
from sengine.domain.market import MarketData, OrderBook, PriceLevel
from sengine.engine.core import Engine
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.guard import Guard
from sengine.engine.strategies.spec import StrategySpec
from sengine.plugins.loader import load_plugin
from sengine.resources import resource_path
from sengine.strategy import BaseStrategy

CALLS = 200_000
TICKS = 100_000


class Quiet(BaseStrategy):
    def on_tick(self, data: MarketData) -> None:
        return None


class Endless(BaseStrategy):
    def on_tick(self, data: MarketData) -> None:
        while True:
            try:
                pass
            except BaseException:
                continue


def engine_of(kind: type[BaseStrategy]) -> Engine:
    engine = Engine(VoteBook("first_signal", 1), RiskPipeline([]), Portfolio(1.0))
    engine.registry.load(StrategySpec("one", lambda: kind("one")))
    return engine


def book(step: int) -> SoundBookEvent:
    price = 100.0 + step % 50
    return SoundBookEvent("BTCUSDT", step, OrderBook((PriceLevel(price, 1.0),), (PriceLevel(price + 0.1, 1.0),)))


def test_the_guard_around_a_call(figure: Callable[..., None]) -> None:
    """Two attribute stores and a timer that beats, against the bare call."""
    guard, quiet = Guard(), Quiet("one")
    runtime = next(iter(engine_of(Quiet).registry))
    data, on_tick = MarketData("BTCUSDT", 1, OrderBook((), ())), quiet.on_tick

    def bare() -> float:
        started_s = perf_counter()
        for _ in range(CALLS):
            on_tick(data)
        return perf_counter() - started_s

    def guarded() -> float:
        started_s = perf_counter()
        for _ in range(CALLS):
            guard.running = runtime
            on_tick(data)
            guard.running = None
        return perf_counter() - started_s

    without_s = min(bare() for _ in range(7))
    timer = CallTimer(guard, 50.0, 10_000.0)
    timer.start()
    try:
        with_s = min(guarded() for _ in range(7))
    finally:
        timer.stop()
    figure("containment, added to a tick", (with_s - without_s) / CALLS * 1e6, "us", at_most=0.5)


def test_an_endless_loop_that_catches_everything(figure: Callable[..., None]) -> None:
    engine = engine_of(Endless)
    timer = CallTimer(engine.guard, 50.0, 10_000.0)
    timer.start()
    try:
        started_s = perf_counter()
        (fault,) = engine.process(book(1)).faults
        took_ms = (perf_counter() - started_s) * 1000
    finally:
        timer.stop()
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert fault.kind == "timeout"
    figure("endless loop that catches everything, until its neighbours go on", took_ms, "ms", at_most=100.0)


@pytest.mark.skipif(not shutil.which("cc") or find_spec("mypyc") is None, reason="needs a C compiler and mypyc")
def test_momentum_compiled(figure: Callable[..., None], tmp_path: Path) -> None:
    source = tmp_path / "momentum.py"
    source.write_text(resource_path("strategies", "momentum.py").read_text())
    subprocess.run(
        [sys.executable, "-m", "mypyc", "momentum.py"], cwd=tmp_path, check=True, capture_output=True, timeout=110
    )
    (extension,) = tmp_path.glob("momentum.*.so")
    ticks = [MarketData("BTCUSDT", step, book(step).book) for step in range(TICKS)]

    def per_call_us(path: Path) -> float:
        on_tick = load_plugin(path).create("m", {}, "config").on_tick
        rounds = []
        for _ in range(5):
            started_s = perf_counter()
            for data in ticks:
                on_tick(data)
            rounds.append(perf_counter() - started_s)
        return min(rounds) / TICKS * 1e6

    python_us, compiled_us = per_call_us(source), per_call_us(extension)
    note = f"{python_us:.2f} us as Python, {compiled_us:.2f} us compiled"
    figure("momentum, on_tick, compiled with mypyc", python_us / compiled_us, "times as fast", at_least=1.0, note=note)
