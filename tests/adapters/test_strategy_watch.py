"""What is said of strategies in processes of their own that are silent."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from time import monotonic

import pytest

from sengine.adapters.containment.call_timer import CallTimer
from sengine.adapters.containment.strategy_watch import StrategyWatch
from sengine.adapters.control.strategy_state import strategy_state
from sengine.clock import NS_PER_S
from sengine.domain.events import PauseStrategy
from tests.adapters.remote_parts import Rig, book, rig, write_echo

pytestmark = pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")


def look(r: Rig, watch: StrategyWatch) -> tuple[str, float]:
    watch.look(monotonic())
    state = strategy_state(r.live.engine, r.runtime())
    return state.stalled_reason, state.stalled_s


def watch_over(r: Rig) -> StrategyWatch:
    timer = CallTimer(r.live.engine.guard, 50.0, 10_000.0)
    return StrategyWatch(r.live, timer, 60 * NS_PER_S, None, NS_PER_S, r.remotes.silence_of)


async def test_a_frozen_process_makes_its_strategy_stalled_until_it_answers(tmp_path: Path) -> None:
    write_echo(tmp_path)
    async with rig(tmp_path) as r:
        link, watch = r.load(module="echo"), watch_over(r)
        await r.remotes.tried()
        r.live.process(book(1))
        await r.signals(1)
        assert look(r, watch) == ("", 0.0)
        os.kill(link.describe()["pid"], signal.SIGSTOP)
        for step in range(2, 6):
            r.live.process(book(step))
        await r.until(lambda: look(r, watch)[0] == "its process does not answer")
        assert look(r, watch)[1] > 1.0
        os.kill(link.describe()["pid"], signal.SIGCONT)
        await r.until(lambda: look(r, watch) == ("", 0.0))
    assert [line.event for line in r.said if "stalled" in line.event] == [
        "strategy echo is stalled: its process does not answer for 1 s",
        "strategy echo is no longer stalled",
    ]


async def test_a_process_that_is_not_there_makes_its_strategy_stalled_although_ticks_come(tmp_path: Path) -> None:
    async with rig(tmp_path) as r:
        r.load(address=f"unix:{tmp_path}/nobody.sock")
        watch, step = watch_over(r), 0

        def is_stalled() -> bool:
            nonlocal step
            step += 1
            r.live.process(book(step))
            reason, for_s = look(r, watch)
            return reason.startswith("its process is not connected: unavailable: ") and for_s > 2.0

        await r.until(is_stalled)
        r.live.process(PauseStrategy("echo", "by a person"))
        assert look(r, watch) == ("", 0.0)
