"""What has arrived and is not processed yet: one queue in the order of arrival, bounded in messages and in bytes."""

from __future__ import annotations

from collections import deque
from enum import IntEnum
from typing import Final

import msgspec

MAX_PENDING_BYTES: Final = 256 << 20
# Fewer waiting messages than this are a burst and not an overload, and nothing is conflated.
CONFLATE_FROM: Final = 512


class Kind(IntEnum):
    BOOK = 0
    TRADE = 1
    BAR = 2


class Arrival(msgspec.Struct, gc=False):
    """A message as it came; ``replaced`` when a newer one took its place."""

    kind: Kind
    subject: bytes
    payload: bytes
    headers: bytes | None
    received_ns: int
    replaced: bool = False


class Inbox:
    """The waiting messages. With ``conflate``, a book that finds many waiting replaces the one of its subject that
    waits, and takes its turn where it came itself, so that books, trades and bars stay in their order."""

    def __init__(self, limit: int, *, conflate: bool, max_bytes: int = MAX_PENDING_BYTES) -> None:
        self._arrivals: deque[Arrival] = deque()
        self._newest: dict[bytes, Arrival] | None = {} if conflate else None
        """The waiting book of each subject."""
        self._limit = limit
        self._max_bytes = max_bytes
        self._bytes = 0
        self.waiting = 0
        self.conflated = 0

    def append(self, arrival: Arrival) -> bool:
        """Queue a message; whether there was room."""
        newest = self._newest
        conflating = newest is not None and arrival.kind is Kind.BOOK
        if conflating and self.waiting >= CONFLATE_FROM:
            assert newest is not None
            older = newest.pop(arrival.subject, None)
            if older is not None:
                self._bytes -= len(older.payload)
                older.replaced = True
                older.payload = b""
                self.waiting -= 1
                self.conflated += 1
        size = self._bytes + len(arrival.payload)
        if self.waiting >= self._limit or size > self._max_bytes:
            return False
        if conflating:
            assert newest is not None
            newest[arrival.subject] = arrival
        self._bytes = size
        self.waiting += 1
        self._arrivals.append(arrival)
        return True

    def pop(self) -> Arrival | None:
        """The message that waits longest; ``None`` when none does."""
        arrivals = self._arrivals
        while arrivals:
            arrival = arrivals.popleft()
            if arrival.replaced:
                continue
            self._bytes -= len(arrival.payload)
            self.waiting -= 1
            if self._newest is not None and self._newest.get(arrival.subject) is arrival:
                del self._newest[arrival.subject]
            return arrival
        return None
