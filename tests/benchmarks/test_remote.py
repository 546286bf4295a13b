"""A strategy in its own process: the way there and back, and how many ticks go that way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from tests.adapters.remote_parts import book, rig

QUIET = """
from sengine.strategy import BaseStrategy

class Quiet(BaseStrategy):
    def on_tick(self, data):
        return None

def create_strategy():
    return Quiet("quiet")
"""


async def test_round_trip_at_500_ticks_a_second(tmp_path: Path, figure: Callable[..., None]) -> None:
    (tmp_path / "quiet.py").write_text(QUIET)
    async with rig(tmp_path) as r:
        link = r.load("quiet", module="quiet")
        await r.remotes.tried()
        loop = asyncio.get_running_loop()
        due_s = loop.time()
        for step in range(5000):
            due_s += 0.002
            await asyncio.sleep(max(0.0, due_s - loop.time()))
            r.live.take(book(step))
        await r.until(lambda: not link.describe()["unanswered"])
        latency = r.guest("quiet").on_tick_latency
        figure("remote strategy, round trip p50", latency.percentile_ns(0.5) / 1e6, "ms", at_most=1.0)
        figure("remote strategy, round trip p99", latency.percentile_ns(0.99) / 1e6, "ms", at_most=1.0)


async def test_ticks_a_second_in_batches(tmp_path: Path, figure: Callable[..., None]) -> None:
    (tmp_path / "quiet.py").write_text(QUIET)
    async with rig(tmp_path) as r:
        link = r.load("quiet", module="quiet")
        await r.remotes.tried()
        count, began_s = 100_000, perf_counter()
        for step in range(count):
            r.live.take(book(step))
            while link.describe()["waiting"] > 2000 if step % 256 == 0 else False:
                await asyncio.sleep(0)
        await r.until(lambda: not link.describe()["unanswered"] and not link.describe()["waiting"])
        assert link.dropped_ticks == 0
        rate = count / (perf_counter() - began_s)
        figure("remote strategy, ticks a second in batches", rate, "ticks/s", at_least=5000)
