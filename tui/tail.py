"""The last so many of a stream, with a count of what the screen has not shown."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")


class Tail(Generic[T]):
    """Takes any rate, keeps ``size`` items. Items that are pushed out before a screen has taken them count as dropped,
    and so does what the engine says this stream has missed."""

    def __init__(self, size: int = 500) -> None:
        self.size = size
        self.items: deque[T] = deque(maxlen=size)
        self.total = 0
        """All that have come since the start or ``restart``; the last item's number."""
        self.restarts = 0
        self._taken = 0
        self._dropped_here = 0
        self._dropped_by_engine = 0

    @property
    def dropped(self) -> int:
        return self._dropped_here + self._dropped_by_engine

    def extend(self, items: Iterable[T], dropped_by_engine: int = 0) -> None:
        """Add a batch, oldest first; ``dropped_by_engine`` is the stream's own running count."""
        for item in items:
            self.items.append(item)
            self.total += 1
            if self.total - self._taken > self.size:
                self._dropped_here += 1
                self._taken += 1
        self._dropped_by_engine = dropped_by_engine

    def drain(self) -> bool:
        """Whether anything has come since the last call."""
        has_news = self.total > self._taken
        self._taken = self.total
        return has_news

    def restart(self, history: Iterable[T] = ()) -> None:
        """The stream begins anew. What of its history finds no room was never to be shown, and is not dropped."""
        self.restarts += 1
        self.items.clear()
        self.items.extend(history)
        self.total = len(self.items)
        self._taken = self._dropped_here = self._dropped_by_engine = 0
