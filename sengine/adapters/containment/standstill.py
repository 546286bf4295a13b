"""Time in which this process stood still: stopped, frozen, or without a processor.

Whoever was late meanwhile is not to blame, so ages that accuse somebody are counted without it. The monotonic clock
goes on while a process is stopped. What does not is what its main thread does: it uses a processor, or is woken from
waiting, by the beats of ``CallTimer`` if by nothing else. A gap with neither was a standstill. (On Linux the monotonic
clock itself stands still while the machine sleeps.)
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections import deque
from collections.abc import Callable
from time import CLOCK_MONOTONIC, clock_gettime_ns, monotonic
from typing import Final, NamedTuple

from sengine.clock import NS_PER_S

BEAT_S: Final = 0.1
QUESTIONED_S: Final = 0.5
"""Shorter gaps between two looks are everyday."""
_KEPT: Final = 64
_SINCE_BOOT: Final = getattr(time, "CLOCK_BOOTTIME", CLOCK_MONOTONIC)
_WHO: Final = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)


class Activity(NamedTuple):
    """What the main thread has done so far: seconds of processor, and times that it was woken from waiting."""

    used_s: float
    wakes: int

    def ran_s(self, until: Activity, beat_s: float) -> float:
        """For how long it ran, or waited with somebody there to wake it, as far as that shows."""
        return until.used_s - self.used_s + (until.wakes - self.wakes) * beat_s


def since_boot_ns() -> int:
    """A clock that goes on while the machine sleeps, where there is one: for what gets too old all the same."""
    return clock_gettime_ns(_SINCE_BOOT)


def activity() -> Activity:
    """Of the thread that calls, the main one."""
    usage = resource.getrusage(_WHO)
    return Activity(usage.ru_utime + usage.ru_stime, usage.ru_nvcsw)


class Standstills:
    """``watch`` looks all the time; everybody who asks looks as well, so that nobody asks before it was seen.

    ``wake_every_s``: how often a thread that waits is woken. ``on_standstill`` is told of each, with its seconds.
    """

    def __init__(
        self,
        wake_every_s: float = BEAT_S,
        clock_s: Callable[[], float] = monotonic,
        doing: Callable[[], Activity] = activity,
    ) -> None:
        self.wake_every_s = wake_every_s
        self.on_standstill: Callable[[float], None] = lambda seconds: None
        self._clock_s = clock_s
        self._doing = doing
        self._seen_s = clock_s()
        self._seen = doing()
        self._usual_wakes = 0
        self._all_s = 0.0
        self._last: deque[tuple[float, float]] = deque(maxlen=_KEPT)
        """When each ended, and how long it was."""

    async def watch(self) -> None:
        while True:
            self.look()
            await asyncio.sleep(BEAT_S)

    def look(self) -> float:
        """Now, of the monotonic clock in seconds."""
        now_s = self._clock_s()
        gap_s = now_s - self._seen_s
        if gap_s < BEAT_S / 2:
            return now_s
        doing = self._doing()
        before, self._seen = self._seen, doing
        self._seen_s = now_s
        if gap_s <= QUESTIONED_S:
            self._usual_wakes = doing.wakes - before.wakes
            return now_s
        # It was as busy as usual before it stood still; messages wake it more often than beats do.
        usual = Activity(before.used_s, min(doing.wakes, before.wakes + self._usual_wakes))
        still_s = gap_s - usual.ran_s(doing, self.wake_every_s)
        if still_s > QUESTIONED_S / 2:
            self._all_s += still_s
            self._last.append((now_s, still_s))
            self.on_standstill(still_s)
        return now_s

    def awake_s(self) -> float:
        """A clock that stands still with this process."""
        return self.look() - self._all_s

    def awake_s_since(self, began_s: float) -> float:
        """Seconds since a moment of the monotonic clock, without those in which this process stood still."""
        now_s = self.look()
        return max(0.0, now_s - began_s - sum(still_s for end_s, still_s in self._last if end_s > began_s))

    def awake_s_since_ns(self, began_ns: int) -> float:
        """The same for a moment in nanoseconds."""
        return self.awake_s_since(began_ns / NS_PER_S)


STANDSTILLS: Final = Standstills()
"""Of this process."""
