"""Several feeds as one, in order of event time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heappop, heapreplace

from replay.feed import Feed
from sengine.domain.events import MarketEvent


class MergedFeed:
    """The events of several feeds by ``timestamp_ns``; at equal times the earlier feed of the list comes first.

    It streams and holds one event a feed. Each feed keeps its own order: an event that goes back in time comes out
    where its file has it, for the engine to refuse.
    """

    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds = tuple(feeds)
        self._current = self._feeds[0]
        self.path = ", ".join(feed.path for feed in self._feeds)
        self.size_bytes = sum(feed.size_bytes for feed in self._feeds)

    def __iter__(self) -> Iterator[MarketEvent]:
        heads: list[tuple[int, int, MarketEvent, Iterator[MarketEvent]]] = []
        for rank, feed in enumerate(self._feeds):
            events = iter(feed)
            for event in events:
                heads.append((event.timestamp_ns, rank, event, events))
                break
        heapify(heads)
        while len(heads) > 1:
            _, rank, event, events = heads[0]
            self._current = self._feeds[rank]
            # This feed goes on without the heap for as long as it is ahead of the next one.
            next_ns, next_rank = min(heads[1:3])[:2]
            limit_ns = next_ns if rank > next_rank else next_ns + 1
            yield event
            for event in events:
                if event.timestamp_ns >= limit_ns:
                    heapreplace(heads, (event.timestamp_ns, rank, event, events))
                    break
                yield event
            else:
                heappop(heads)
        for _, rank, event, events in heads:
            self._current = self._feeds[rank]
            yield event
            yield from events

    def position(self) -> str:
        """File and line or row of the event that came last."""
        return self._current.position()

    def fraction_done(self) -> float | None:
        """How much of all the files was read, 0 to 1; ``None`` while one of them is a pipe."""
        done = 0.0
        for feed in self._feeds:
            fraction = feed.fraction_done()
            if fraction is None:
                return None
            done += fraction * feed.size_bytes
        return done / self.size_bytes if self.size_bytes else 1.0

    def close(self) -> None:
        for feed in self._feeds:
            feed.close()


def merge_feeds(feeds: Sequence[Feed]) -> Feed:
    """All feeds as one; a single feed is given back as it is. Raises ``ValueError`` without any."""
    if not feeds:
        raise ValueError("expected at least one feed to merge")
    return feeds[0] if len(feeds) == 1 else MergedFeed(feeds)
