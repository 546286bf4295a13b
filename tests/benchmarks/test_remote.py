"""A strategy in its own process: the way there and back, and how many ticks go that way. On `sengine run`'s loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import uvloop

from tests.adapters.remote_parts import book, rig

QUIET = """
from sengine.strategy import BaseStrategy

class Quiet(BaseStrategy):
    def on_tick(self, data):
        return None

def create_strategy():
    return Quiet("quiet")
"""


def test_round_trip_at_500_ticks_a_second(tmp_path: Path, figure: Callable[..., None]) -> None:
    p50_ms, p99_ms = uvloop.run(_round_trip_ms(tmp_path))
    figure("remote strategy, round trip p50", p50_ms, "ms", at_most=1.0)
    figure("remote strategy, round trip p99", p99_ms, "ms", at_most=1.0)


async def _round_trip_ms(folder: Path) -> tuple[float, float]:
    """From the engine's call of ``on_tick`` until the answer is back, at the 50th and the 99th percentile."""
    (folder / "quiet.py").write_text(QUIET)
    async with rig(folder) as r:
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
        return latency.percentile_ns(0.5) / 1e6, latency.percentile_ns(0.99) / 1e6


def test_ticks_a_second_in_batches(tmp_path: Path, figure: Callable[..., None]) -> None:
    figure(
        "remote strategy, ticks a second in batches", uvloop.run(_ticks_a_second(tmp_path)), "ticks/s", at_least=5000
    )


async def _ticks_a_second(folder: Path) -> float:
    (folder / "quiet.py").write_text(QUIET)
    async with rig(folder) as r:
        link = r.load("quiet", module="quiet")
        await r.remotes.tried()
        count, began_s = 100_000, perf_counter()
        for step in range(count):
            r.live.take(book(step))
            while link.describe()["waiting"] > 2000 if step % 256 == 0 else False:
                await asyncio.sleep(0)
        await r.until(lambda: not link.describe()["unanswered"] and not link.describe()["waiting"])
        assert link.dropped_ticks == 0
        return count / (perf_counter() - began_s)
