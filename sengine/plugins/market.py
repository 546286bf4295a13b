"""The market that strategies are checked on: gone through again and again, from memory or from its files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from sengine.domain.events import MarketEvent

_KEPT: Final = 200_000
_TOLD_EVERY: Final = 1_000


class Market:
    """``read`` gives the events from the beginning. It is done once at first, to count them; few of them are kept.

    ``on_progress`` is told, now and then, how many passes were begun, and the share of this one that is done.
    """

    def __init__(self, read: Callable[[], Iterable[MarketEvent]]) -> None:
        self.count = 0
        self.passes = 0
        self.on_progress: Callable[[int, float], None] = lambda passes, share: None
        self._events: Callable[[], Iterable[MarketEvent]] = read
        kept: list[MarketEvent] = []
        for self.count, event in enumerate(read(), 1):
            if self.count <= _KEPT:
                kept.append(event)
        if self.count <= _KEPT:
            self._events = lambda: kept

    def __iter__(self) -> Iterator[MarketEvent]:
        self.passes += 1
        for number, event in enumerate(self._events()):
            if not number % _TOLD_EVERY:
                self.on_progress(self.passes, number / self.count)
            yield event
