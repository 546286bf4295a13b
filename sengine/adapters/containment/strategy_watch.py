"""Looks after the strategies once a second: who is stalled, who may resume, whose call nobody could interrupt."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final

from sengine.adapters.containment.call_timer import CallTimer
from sengine.adapters.containment.standstill import STANDSTILLS
from sengine.clock import NS_PER_S
from sengine.domain.events import PauseStrategy, ResumeStrategy
from sengine.domain.state import NO_TICK
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.runtime.live_engine import LiveEngine

_LOOK_EVERY_S: Final = 1.0
_SLOW_WITHIN_S: Final = 60.0


class StrategyWatch:
    """``stalled_after_ns``: an active strategy without a tick for that long is stalled. So is one of which
    ``silence_of`` says why, and for how many seconds, its process has been silent. ``resume_after_ns``: one that the
    engine paused resumes by itself after that long; ``None``: a person resumes it. ``slow_budget_ns``: so much time may
    a strategy take within a minute in calls that cannot be cut short."""

    def __init__(
        self,
        live: LiveEngine,
        timer: CallTimer,
        stalled_after_ns: int,
        resume_after_ns: int | None,
        slow_budget_ns: int,
        silence_of: Callable[[str], tuple[str, float] | None] = lambda strategy_id: None,
    ) -> None:
        self._live = live
        self._timer = timer
        self._stalled_after_s = stalled_after_ns / NS_PER_S
        self._resume_after_s = None if resume_after_ns is None else resume_after_ns / NS_PER_S
        self._slow_budget_s = slow_budget_ns / NS_PER_S
        self._silence_of = silence_of
        self._last_tick: dict[str, tuple[int, float]] = {}
        """Ticks and since when there are so many, by strategy."""
        self._paused_since_s: dict[str, float] = {}
        self._slow: defaultdict[str, deque[tuple[float, float]]] = defaultdict(deque)
        """When it was seen and how long it took, of the slow calls of the last minute, by strategy."""

    async def run(self) -> None:
        while True:
            self.look(STANDSTILLS.awake_s())
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self, now_s: float) -> None:
        """What is to be seen at ``now_s``, of a clock in seconds that stands still with this process."""
        self._pause_the_slow(now_s)
        for runtime in list(self._live.engine.registry):
            self._find_stalled(runtime, now_s)
            if self._resume_after_s is not None:
                self._resume(runtime, now_s, self._resume_after_s)

    def _find_stalled(self, runtime: StrategyRuntime, now_s: float) -> None:
        was = runtime.stalled_reason
        # A tick that waits for a silent process counts as one that the strategy got, so that is looked at first.
        silence = self._silence_of(runtime.strategy_id) if runtime.is_active else None
        runtime.stalled_reason, runtime.stalled_s = silence or self._without_ticks(runtime, now_s) or ("", 0.0)
        if runtime.stalled_reason and not was:
            self._live.say(
                "warning",
                f"strategy {runtime.strategy_id} is stalled: {runtime.stalled_reason} for {runtime.stalled_s:.0f} s",
            )
        elif was and not runtime.stalled_reason and runtime.is_active:
            again = "gets ticks again" if was == NO_TICK else "is no longer stalled"
            self._live.say("info", f"strategy {runtime.strategy_id} {again}")

    def _without_ticks(self, runtime: StrategyRuntime, now_s: float) -> tuple[str, float] | None:
        ticks, since_s = self._last_tick.get(runtime.strategy_id, (-1, now_s))
        if runtime.ticks != ticks or not runtime.is_active:
            self._last_tick[runtime.strategy_id] = runtime.ticks, now_s
            return None
        age_s = now_s - since_s
        return (NO_TICK, age_s) if age_s >= self._stalled_after_s else None

    def _resume(self, runtime: StrategyRuntime, now_s: float, after_s: float) -> None:
        name = runtime.strategy_id
        if not runtime.was_paused_for_errors:
            self._paused_since_s.pop(name, None)
        elif now_s - self._paused_since_s.setdefault(name, now_s) >= after_s:
            del self._paused_since_s[name]
            self._live.process(ResumeStrategy(name))
            self._live.say("warning", f"strategy {name} resumed by itself, {after_s:g} s after it was paused")

    def _pause_the_slow(self, now_s: float) -> None:
        while self._timer.slow:
            name, ran_s = self._timer.slow.popleft()
            calls = self._slow[name]
            calls.append((now_s, ran_s))
            while calls[0][0] < now_s - _SLOW_WITHIN_S:
                calls.popleft()
            took_s = sum(each for _, each in calls)
            runtime = self._live.engine.registry.find(name)
            if runtime is None or not runtime.is_active:
                del self._slow[name]
            elif took_s > self._slow_budget_s:
                del self._slow[name]
                how_many = "one call" if len(calls) == 1 else f"{len(calls)} calls"
                reason = (
                    f"{how_many} took {took_s:.1f} s in code that cannot be interrupted; "
                    f"within a minute that may be {self._slow_budget_s:g} s (plugins.slow_budget)"
                )
                self._live.say("error", f"strategy {name} paused: {reason}", strategy_id=name)
                self._live.process(PauseStrategy(name, reason))
