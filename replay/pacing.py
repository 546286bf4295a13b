"""The pace of a replay that somebody watches: its own times a factor, as fast as it goes, paused, or event by event."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator
from time import perf_counter
from typing import Final

from replay.feed import Feed
from replay.session import ReplaySession
from sengine.clock import NS_PER_S
from sengine.domain.events import MarketEvent
from sengine.errors import LifecycleError

# Between slices the control API has its turn, so a slice is some milliseconds at most.
_SLICE: Final = 512
_LEAST_WAIT_S: Final = 0.01
_END_OF_TIME_NS: Final = 2**63


class DueEvents:
    """Hands out the events whose time has come, and reads no further ahead than the first whose time has not.

    One that is more than ``max_jump_ns`` after the one before it is handed out at once: the engine, which holds it back
    until others confirm its time, is not to be waited for by a person who watches.
    """

    def __init__(self, events: Iterable[MarketEvent], max_jump_ns: int | None = None) -> None:
        self._events = iter(events)
        self._max_jump_ns = max_jump_ns
        self._last_ns: int | None = None
        self._held: MarketEvent | None = None
        self.are_over = False

    def due(self, until_ns: int, most: int = _SLICE) -> Iterator[MarketEvent]:
        """Up to ``most`` events that are not later than ``until_ns``."""
        for _ in range(most):
            next_ns = self.next_ns()
            if next_ns is None or (next_ns > until_ns and not self._is_jump(next_ns)):
                return
            self._last_ns = next_ns
            event, self._held = self._held, None
            assert event is not None
            yield event

    def _is_jump(self, next_ns: int) -> bool:
        last_ns, most_ns = self._last_ns, self._max_jump_ns
        return most_ns is not None and last_ns is not None and next_ns - last_ns > most_ns

    def next_ns(self) -> int | None:
        """When the next event is; ``None`` when there is none."""
        if self._held is None and not self.are_over:
            self._held = next(self._events, None)
            self.are_over = self._held is None
        return None if self._held is None else self._held.timestamp_ns


class PacedReplay:
    """Drives a session on an asyncio loop. ``speed`` is a factor on the files' own pace; 0 is as fast as it goes."""

    def __init__(self, feed: Feed, session: ReplaySession, speed: float) -> None:
        self.source = feed.path
        self.speed = speed
        self.is_paused = False
        self.elapsed_s = 0.0
        """Seconds of work, pauses and waiting left out."""
        self._feed, self._session = feed, session
        rule = session.engine.jumps.rule
        self._events = DueEvents(feed, rule.max_jump_ns if rule is not None else None)
        self._steps = 0
        self._is_ended = False
        self._ends_when_over = False
        self._changed = asyncio.Event()
        self._since = (0, 0.0)

    @property
    def fraction_done(self) -> float | None:
        return 1.0 if self.is_over else self._feed.fraction_done()

    @property
    def is_over(self) -> bool:
        return self._events.are_over

    async def run(self) -> None:
        """Process events until ``end`` or, after a ``drive`` that asked to finish, to the last one.

        A replay that is over is kept as it is, to be looked at. Raises what the files and the accounts raise.
        """
        self._count_from_here()
        while not (self._is_ended or (self._ends_when_over and self.is_over)):
            wait_s = self._slice()
            if wait_s == 0.0:
                await asyncio.sleep(0)
                continue
            self._session.engine.fold_next()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait_s)
            self._changed.clear()

    def drive(self, *, is_paused: bool | None, speed: float | None, steps: int, finish: bool) -> str:
        """See ``DriveReplayRequest`` of the API. Returns what was done; raises ``LifecycleError`` after the end."""
        if self.is_over and not finish:
            raise LifecycleError("the replay is over; leaving the screens prints its result")
        if speed is not None:
            self.speed = speed
        if is_paused is not None:
            self.is_paused, self._steps = is_paused, 0
        if steps:
            self.is_paused = True
            self._steps += steps
        if finish:
            self.is_paused, self.speed, self._ends_when_over = False, 0.0, True
        self._count_from_here()
        self._changed.set()
        if finish:
            return "the rest is replayed as fast as it goes"
        pace = f"replaying at {self.speed:g}x" if self.speed else "replaying as fast as it goes"
        return "the replay is paused" if self.is_paused else pace

    def end(self) -> None:
        """Have ``run`` return where it is."""
        self._is_ended = True
        self._changed.set()

    def _slice(self) -> float | None:
        """Process what is due; seconds to wait then, ``None`` for until something changes."""
        if self.is_over or (self.is_paused and not self._steps):
            return None
        began_s = perf_counter()
        most = min(self._steps, _SLICE) if self.is_paused else _SLICE
        is_paced = self.speed and not self.is_paused
        self._session.advance(self._events.due(self._now_ns() if is_paced else _END_OF_TIME_NS, most))
        self._steps -= most if self.is_paused else 0
        self.elapsed_s += perf_counter() - began_s
        if not is_paced:
            return 0.0
        next_ns = self._events.next_ns()
        ahead_ns = 0 if next_ns is None else next_ns - self._now_ns()
        return max(_LEAST_WAIT_S, ahead_ns / NS_PER_S / self.speed) if ahead_ns > 0 else 0.0

    def _now_ns(self) -> int:
        """Where the replay is to be by now, in event time."""
        begin_ns, begin_s = self._since
        return begin_ns + int((perf_counter() - begin_s) * self.speed * NS_PER_S)

    def _count_from_here(self) -> None:
        at_ns = self._session.engine.now_ns or self._events.next_ns() or 0
        self._since = (at_ns, perf_counter())
