"""How soon the screens are there and answer a key, in a real terminal (tmux) and on a real engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from tests.adapters.served_engine import live_engine, served
from tests.engine.conftest import Actor
from tests.tui.terminal import Terminal, needs_tmux

pytestmark = needs_tmux
_POLL_S = 0.005


@asynccontextmanager
async def command(folder: Path) -> AsyncIterator[str]:
    """What attaches to an engine with five strategies."""
    actors = [Actor(f"strategy_{n}") for n in range(5)]
    async with served(live_engine(*actors), folder) as (client, _):
        yield f"{sys.executable} -m sengine attach {client.address}"


def seconds_until(terminal: Terminal, act: Callable[[], None], text: str) -> float:
    began_s = perf_counter()
    act()
    while text not in terminal.screen():
        assert perf_counter() - began_s < 20
        sleep(_POLL_S)
    return perf_counter() - began_s


async def test_the_first_paint_comes_within_a_second_of_the_command(
    tmp_path: Path, figure: Callable[..., None]
) -> None:
    async with command(tmp_path) as attach:
        with Terminal(tmp_path, 120, 40) as terminal:

            def rounds() -> tuple[list[float], list[float]]:
                first, figures = [], []
                for _ in range(6):
                    began_s = perf_counter()
                    first.append(
                        seconds_until(terminal, lambda: terminal.run(f"clear; {attach}; echo left=$?"), "1 Strategies")
                    )
                    seconds_until(terminal, lambda: None, "strategy_4")
                    figures.append(perf_counter() - began_s)
                    seconds_until(terminal, lambda: terminal.keys("q"), "left=0")
                return first[1:], figures[1:]

            first, figures = await asyncio.to_thread(rounds)
    figure("screens, command to first paint", median(first) * 1e3, "ms", at_most=1000)
    figure("screens, command to the engine's figures", median(figures) * 1e3, "ms")


async def test_a_keys_effect_is_seen_within_a_tenth_of_a_second(tmp_path: Path, figure: Callable[..., None]) -> None:
    async with command(tmp_path) as attach:
        with Terminal(tmp_path, 120, 40) as terminal:

            def rounds() -> tuple[list[float], list[float]]:
                terminal.run(attach)
                terminal.until("no market data yet", "strategy_4")
                local, round_trip = [], []
                for _ in range(20):
                    local.append(seconds_until(terminal, lambda: terminal.keys("?"), "Every key and"))
                    terminal.keys("Escape")
                    terminal.until("1 Strategies", gone="Every key and")
                for _ in range(10):
                    round_trip.append(seconds_until(terminal, lambda: terminal.keys("p"), "○ paused"))
                    terminal.keys("r")
                    terminal.until("● active", gone="○ paused")
                return local, round_trip

            local, round_trip = await asyncio.to_thread(rounds)
    figure("screens, key to help on the screen", median(local) * 1e3, "ms", at_most=100)
    figure("screens, pause key to the strategy shown paused", median(round_trip) * 1e3, "ms", at_most=100)
