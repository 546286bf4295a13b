"""What the screens cost: the engine they are attached to, their own process, and their memory."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, median
from time import perf_counter

import msgspec
import pytest
import uvloop

from sengine.adapters.control.client import ControlClient
from tests.benchmarks.live_parts import HERE, START_S, running, said
from tests.benchmarks.terminal_process import Terminal, attached, in_terminal
from tests.benchmarks.test_live_api import TICKS_PER_S, _market, _write_config

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

STRATEGIES, SYMBOLS = 50, 20
COLUMNS, ROWS = 120, 40
ROUNDS = 4
WINDOW_S = 8.0
# Ten minutes at ten a second, which is the most that the engine sends.
PAINTS = 6_000
LONGEST_S = 600.0


async def _costs(folder: Path) -> tuple[list[float], list[float], list[float], list[float]]:
    """p99 of ticks without and with screens, in us, by turns in one run; CPU share and memory of the screens."""
    symbols = [f"SYM{number:02}USDT" for number in range(SYMBOLS)]
    plugins = ("momentum", "rsi", "holder", "momentum", "rsi")
    strategies: list[dict[str, object]] = [
        {"id": f"{plugins[number % 5]}_{number}", "plugin": plugins[number % 5], "symbols": [symbols[number % SYMBOLS]]}
        for number in range(STRATEGIES)
    ]
    log = folder / "engine.log"
    without, with_screens, cpu, memory = [], [], [], []
    async with _market(folder, symbols) as broker_url:
        config = _write_config(folder, broker_url, strategies)
        for name in ("momentum", "rsi"):
            (folder / f"{name}.py").write_text((Path("strategies") / f"{name}.py").read_text())
        async with running("-m", "sengine", "run", "--no-tui", "-c", str(config), log=log):
            await said(log, "connected to NATS")
            (socket,) = (folder / "data").glob("*.sock")
            address = f"unix:{socket}"
            async with ControlClient(address) as client:
                for _ in range(ROUNDS):
                    without.append(await _p99_us(client))
                    async with attached(address, COLUMNS, ROWS) as terminal:
                        await _painted(terminal)
                        began_s, used_s = perf_counter(), terminal.cpu_s()
                        with_screens.append(await _p99_us(client))
                        cpu.append((terminal.cpu_s() - used_s) / (perf_counter() - began_s))
                        memory.append(terminal.memory_mb())
    return without, with_screens, cpu, memory


async def _painted(terminal: Terminal) -> None:
    """Until the first pictures are over; the start is not what is measured."""
    deadline = perf_counter() + START_S
    while terminal.written < 20_000:
        assert perf_counter() < deadline, f"expected a picture, got {terminal.written} bytes"
        await asyncio.sleep(0.05)
    await asyncio.sleep(2.0)


async def _p99_us(client: ControlClient) -> float:
    """The 99th percentile of the ticks of one window, straight between the edges of its octave."""
    before = await client.snapshot()
    await asyncio.sleep(WINDOW_S)
    after = await client.snapshot()
    rate = (after.ticks - before.ticks) / WINDOW_S
    assert rate > 0.8 * TICKS_PER_S, f"expected {TICKS_PER_S} ticks/s, got {rate:.0f}"
    earlier = [*before.tick.octave_counts, *[0] * 64]
    return quantile_us([now - then for now, then in zip(after.tick.octave_counts, earlier, strict=False)], 0.99)


def quantile_us(octaves: Sequence[int], quantile: float) -> float:
    wanted = sum(octaves) * quantile
    for octave, count in enumerate(octaves):
        if count >= wanted > 0:
            return 2.0**octave * (1 + wanted / count) / 1000
        wanted -= count
    raise ValueError("no tick was counted")


def test_screens_cost_the_engine_nothing_and_little_themselves(tmp_path: Path, figure: Callable[..., None]) -> None:
    without, with_screens, cpu, memory = uvloop.run(_costs(tmp_path))
    note = f"{STRATEGIES} strategies, {SYMBOLS} symbols, {TICKS_PER_S} ticks/s, {COLUMNS}x{ROWS}"
    figure("tick p99 without screens", median(without), "us")
    figure("tick p99 with screens attached", median(with_screens), "us")
    pairs = [attached_us / headless_us for attached_us, headless_us in zip(with_screens, without, strict=True)]
    figure("tick p99 with screens / without, by turns in one run", median(pairs), "x", at_most=1.1, note=note)
    figure("screens, share of one core", median(cpu) * 100, "%", at_most=25.0, note=note)
    figure("screens, memory", max(memory), "MB")


async def _memory_mb(folder: Path) -> list[float]:
    """Memory of the screens after each hundred of as many updates as ten minutes have."""
    file, deadline = folder / "memory.json", perf_counter() + LONGEST_S
    # Without a cap on the rate at which it draws, each update is drawn.
    script = str(HERE / "terminal_paints.py")
    async with in_terminal(COLUMNS, ROWS, script, str(file), str(PAINTS), TEXTUAL_FPS="1000") as terminal:
        while not file.exists():
            assert perf_counter() < deadline, f"expected {PAINTS} paints within {LONGEST_S} s"
            assert terminal.memory_mb() or file.exists(), "the screens have ended by themselves"
            await asyncio.sleep(0.1)
        assert terminal.written > PAINTS * 100, f"expected {PAINTS} pictures, got {terminal.written} bytes"
    return msgspec.json.decode(file.read_bytes(), type=list[float])


def test_ten_minutes_of_updates_leave_memory_as_it_was(tmp_path: Path, figure: Callable[..., None]) -> None:
    used_mb = asyncio.run(_memory_mb(tmp_path))
    half = len(used_mb) // 2
    grown = fmean(used_mb[half:]) - fmean(used_mb[:half])
    note = f"{PAINTS:,} updates, as in 10 minutes at 10 a second, one after the other"
    figure("screens, memory after 10 minutes' updates", used_mb[-1], "MB", note=note)
    figure("screens, memory, second half of the updates less first half", grown, "MB", at_most=3.0, note=note)
