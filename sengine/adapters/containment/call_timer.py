"""The time limit on calls into strategies: a timer signal that raises inside a call that goes on for too long.

The timer beats a few times within the limit. Each beat looks at which call runs; one that is still the same after as
many beats as the limit has gets ``StrategyTimeout`` raised in its own Python code, and again at every step that it
takes after catching that, until it has ended. Beats are counted rather than time, so that a process that gets no
processor does not take it out on its strategies.
"""

from __future__ import annotations

import math
import signal
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import current_thread, main_thread
from time import monotonic
from types import FrameType
from typing import Final, NamedTuple

from sengine.adapters.containment.standstill import activity
from sengine.engine.strategies.guard import Guard, StrategyTimeout

BEATS: Final = 4
"""Beats within the time limit of a tick; a call is cut at most a quarter of the limit too late."""
_AT_ONCE_S: Final = 1e-6
_SLOW_KEPT: Final = 1024
# Between beats when the time that all calls share is used up.
_LAST_PERIOD_S: Final = 0.001
_OURS: Final = "sengine."


class _Again:
    """``again[seconds]`` sets the timer. A subscript, because Python looks for signals after a call, but not here: the
    next beat comes after the handler has raised, at the first step of the code that catches it."""

    __getitem__ = partial(signal.setitimer, signal.ITIMER_REAL)


class SlowCall(NamedTuple):
    """A call that let no beat through for longer than a tick may take: a long call of C code. ``ran_s`` is for how long
    it ran, without the time in which the process stood still or got no processor."""

    strategy_id: str
    ran_s: float


class CallTimer:
    """Cuts calls short that run for longer than ``tick_timeout_ms``, or ``setup_timeout_ms`` where more is allowed.
    What cannot be cut is noted in ``slow``.

    For the main thread, where signal handlers run. It takes ``SIGALRM`` and the process's real-time timer for itself.
    """

    def __init__(self, guard: Guard, tick_timeout_ms: float, setup_timeout_ms: float) -> None:
        self._guard = guard
        self.period_s = tick_timeout_ms / 1000 / BEATS
        self._patience = max(BEATS, math.ceil(setup_timeout_ms / tick_timeout_ms * BEATS))
        self._limits_ms = (tick_timeout_ms, setup_timeout_ms)
        self._again = _Again()
        self._seen: tuple[object, int, int] | None = None
        self._beats_seen = 0
        self._left: int | None = None
        """Beats that all calls together may still take, where they share a time."""
        self._slow_s = tick_timeout_ms / 1000
        self._last_beat_s = math.inf
        self._last_activity = activity()
        self.slow: deque[SlowCall] = deque(maxlen=_SLOW_KEPT)
        """For ``StrategyWatch`` to take."""

    def start(self) -> None:
        signal.signal(signal.SIGALRM, self._beat)
        # System calls of libraries go on after a beat.
        signal.siginterrupt(signal.SIGALRM, False)
        self._tick_on()

    def share(self, seconds: float) -> None:
        """From now on all calls together may take so long, each of them a half of what is left: one that hangs leaves
        the others time, and however many hang, it ends."""
        self._left = int(seconds / self.period_s)

    def stop(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        # A last beat that is on its way must not end the process.
        signal.signal(signal.SIGALRM, signal.SIG_IGN)

    def _tick_on(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, self.period_s, self.period_s)

    def _beat(self, number: int, frame: FrameType | None) -> None:
        guard = self._guard
        runtime = guard.running
        now_s, doing = monotonic(), activity()
        gap_s, self._last_beat_s = now_s - self._last_beat_s, now_s
        before, self._last_activity = self._last_activity, doing
        if gap_s > self._slow_s and runtime is not None and not guard.has_patience:
            ran_s = min(gap_s, before.ran_s(doing, self.period_s))
            if ran_s > self._slow_s:
                self.slow.append(SlowCall(runtime.strategy_id, ran_s))
        call = None if runtime is None else (runtime, runtime.ticks, guard.entered)
        if call is None or call != self._seen:
            if self._beats_seen > BEATS:
                self._tick_on()
            self._seen = call
            self._beats_seen = 0
            return
        self._beats_seen += 1
        limit = self._patience if guard.has_patience else BEATS
        if self._left is not None:
            self._left -= 1
            # One grows and the other shrinks as the call goes on: at a half of what was left they meet.
            limit = min(limit, max(1, self._left))
            if self._left <= 0:
                self.period_s = _LAST_PERIOD_S
        if self._beats_seen < limit:
            return
        if frame is None or not _is_of_a_strategy(frame):
            # The call has just returned, or not begun: what is raised here would hit the engine.
            self._tick_on()
            return
        limit_ms = self._limits_ms[guard.has_patience] if self._left is None else limit * self.period_s * 1000
        error = StrategyTimeout(f"interrupted after {limit_ms:g} ms")
        self._again[_AT_ONCE_S]
        raise error


@contextmanager
def time_limit(guard: Guard, tick_timeout_ms: float, setup_timeout_ms: float) -> Iterator[None]:
    """Cut calls under ``guard`` short while entered; outside of the main thread, which cannot, let them be."""
    if current_thread() is not main_thread():
        yield
        return
    timer = CallTimer(guard, tick_timeout_ms, setup_timeout_ms)
    timer.start()
    try:
        yield
    finally:
        timer.stop()


def _is_of_a_strategy(frame: FrameType) -> bool:
    """Whether the innermost code is not our own."""
    name = frame.f_globals.get("__name__", "")
    return not (isinstance(name, str) and name.startswith(_OURS))
