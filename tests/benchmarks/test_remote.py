"""A strategy in its own process: the way there and back, and how many ticks go that way. On `sengine run`'s loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import grpc.aio
import uvloop

from sengine.adapters.remote.messages import TickEncoder
from sengine.domain.market import MarketData
from sengine.proto import strategy_pb2 as pb
from sengine.proto.strategy_pb2_grpc import StrategyServiceStub
from tests.adapters.remote_parts import book, rig
from tests.benchmarks.live_parts import HERE, frozen_heap, percentile, running

TICKS_PER_S = 500
TICKS = 2_000
TURNS = 5

QUIET = """
from sengine.strategy import BaseStrategy

class Quiet(BaseStrategy):
    def on_tick(self, data):
        return None

def create_strategy():
    return Quiet("quiet")
"""


def test_round_trip_at_500_ticks_a_second(tmp_path: Path, figure: Callable[..., None]) -> None:
    (tmp_path / "quiet.py").write_text(QUIET)
    with frozen_heap():
        remote, bare = uvloop.run(_round_trips_ms(tmp_path))
    bare_p99 = median(percentile(turn, 0.99) for turn in bare)
    ratios = [percentile(there, 0.99) / percentile(echo, 0.99) for there, echo in zip(remote, bare, strict=True)]
    every = [sample for turn in remote for sample in turn]
    note = f"{TICKS_PER_S} ticks/s, {TURNS} turns of {TICKS}, an engine and a host on two processors"
    figure("bare grpc.aio stream, round trip p50", median(percentile(turn, 0.5) for turn in bare), "ms")
    figure("bare grpc.aio stream, round trip p99", bare_p99, "ms")
    figure("remote strategy / bare stream, round trip p99, by turns", median(ratios), "x", at_most=2.0)
    figure("remote strategy, round trip p50", percentile(every, 0.5), "ms", at_most=1.0, note=note)
    p99 = median(percentile(turn, 0.99) for turn in remote)
    figure("remote strategy, round trip p99", p99, "ms", at_most=1.0, note="median of the turns")


async def _round_trips_ms(folder: Path) -> tuple[list[list[float]], list[list[float]]]:
    """From the engine's call of ``on_tick`` until the answer is back, and over a bare stream, by turns in one run."""
    remote: list[list[float]] = []
    bare: list[list[float]] = []
    address = f"unix:{folder}/bare.sock"
    async with running(str(HERE / "remote_bare_host.py"), address) as host, rig(folder) as r:
        assert host.stdout is not None
        assert await host.stdout.readline() == b"ready\n"
        link = r.load("quiet", module="quiet")
        samples: list[float] = []
        record = r.runtime("quiet").on_tick_latency.record
        r.runtime("quiet").on_tick_latency.record = lambda took_ns: (samples.append(took_ns / 1e6), record(took_ns))  # type: ignore[method-assign]
        await r.remotes.tried()
        for turn in range(TURNS + 1):  # the first is the warm-up
            samples.clear()
            async for step in _paced():
                r.live.process(book(turn * TICKS + step))
            await r.until(lambda: not link.describe()["unanswered"])
            remote.append(list(samples))
            bare.append(await _bare_ms(address))
    return remote[1:], bare[1:]


async def _bare_ms(address: str) -> list[float]:
    given_s: deque[float] = deque()
    took_ms: list[float] = []
    encode = TickEncoder().encode
    async with grpc.aio.insecure_channel(address) as channel:
        stream = StrategyServiceStub(channel).Run()

        async def read() -> None:
            while len(took_ms) < TICKS:
                await stream.read()
                took_ms.append((perf_counter() - given_s.popleft()) * 1000)

        reading = asyncio.create_task(read())
        async for step in _paced():
            event = book(step)
            given_s.append(perf_counter())
            data = MarketData(event.symbol, event.timestamp_ns, event.book)
            await stream.write(pb.EngineMessage(ticks=pb.TickBatch(ticks=[encode(step + 1, data)])))
        await reading
        stream.cancel()
    return took_ms


async def _paced() -> AsyncIterator[int]:
    loop = asyncio.get_running_loop()
    due_s = loop.time()
    for step in range(TICKS):
        due_s += 1 / TICKS_PER_S
        await asyncio.sleep(max(0.0, due_s - loop.time()))
        yield step


def test_ticks_a_second_in_batches(tmp_path: Path, figure: Callable[..., None]) -> None:
    (tmp_path / "quiet.py").write_text(QUIET)
    with frozen_heap():
        rate = uvloop.run(_ticks_a_second(tmp_path))
    figure("remote strategy, ticks a second in batches", rate, "ticks/s", at_least=5000)


async def _ticks_a_second(folder: Path) -> float:
    async with rig(folder) as r:
        link = r.load("quiet", module="quiet")
        await r.remotes.tried()
        count, began_s = 100_000, perf_counter()
        for step in range(count):
            r.live.process(book(step))
            while link.describe()["waiting"] > 2000 if step % 256 == 0 else False:
                await asyncio.sleep(0)
        await r.until(lambda: not link.describe()["unanswered"] and not link.describe()["waiting"])
        assert link.dropped_ticks == 0
        return count / (perf_counter() - began_s)
