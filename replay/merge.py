"""Several feeds as one, in order of event time."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from heapq import heapify, heappop, heapreplace
from itertools import islice
from typing import Final

from replay.feed import Feed
from sengine.domain.events import MarketEvent
from sengine.engine.state.trading_record import DAY_NS

_LOOK_AHEAD: Final = 4


class MergedFeed:
    """The events of several feeds by ``timestamp_ns``; at equal times the earlier feed of the list comes first.

    It streams and holds one event a feed, and a few more where one jumps ahead. Each feed keeps its own order: an event
    that goes back in time comes out where its file has it, for the engine to refuse. So does one that is more than
    ``max_jump_ns`` after one of the next of its file: its time is wrong, and its file must not wait for it.
    """

    def __init__(self, feeds: Sequence[Feed], max_jump_ns: int = DAY_NS) -> None:
        self._feeds = tuple(feeds)
        self._max_jump_ns = max_jump_ns
        self._ahead: tuple[deque[tuple[MarketEvent, str]], ...] = tuple(deque() for _ in self._feeds)
        """What was read ahead of each feed, and the positions."""
        self._places = [""] * len(self._feeds)
        """The position of each feed's event at hand, where the feed has read ahead of it."""
        self._rank = 0
        self.without_events: list[str] = []
        """Paths of feeds that gave nothing; known once the iteration has begun."""
        self.path = ", ".join(feed.path for feed in self._feeds)
        self.size_bytes = sum(feed.size_bytes for feed in self._feeds)

    def __iter__(self) -> Iterator[MarketEvent]:
        heads: list[tuple[int, int, MarketEvent, Iterator[MarketEvent]]] = []
        for rank, feed in enumerate(self._feeds):
            events = iter(feed)
            for event in events:
                heads.append((event.timestamp_ns, rank, event, events))
                break
            else:
                self.without_events.append(feed.path)
        begin_ns = min(heads)[0] if heads else 0
        for place, (time_ns, rank, event, events) in enumerate(heads):
            if time_ns - begin_ns > self._max_jump_ns:
                heads[place] = (self._earliest_ns(event, rank, events), rank, event, events)
        heapify(heads)
        while len(heads) > 1:
            _, rank, event, events = heads[0]
            self._rank = rank
            # This feed goes on without the heap for as long as it is ahead of the next one.
            next_ns, next_rank = min(heads[1:3])[:2]
            limit_ns = next_ns if rank > next_rank else next_ns + 1
            yield event
            later = yield from self._until(limit_ns, rank, events)
            if later is None:
                heappop(heads)
            else:
                heapreplace(heads, (later[0], rank, later[1], events))
        for _, rank, event, events in heads:
            self._rank = rank
            yield event
            for ahead, position in self._ahead[rank]:
                self._places[rank] = position
                yield ahead
            self._places[rank] = ""
            yield from events

    def _until(
        self, limit_ns: int, rank: int, events: Iterator[MarketEvent]
    ) -> Generator[MarketEvent, None, tuple[int, MarketEvent] | None]:
        """The events of a feed before ``limit_ns``; the first that is not, and where it belongs, ``None`` where there
        is none."""
        ahead, far_ns = self._ahead[rank], limit_ns + self._max_jump_ns
        while True:
            while ahead:
                event, self._places[rank] = ahead.popleft()
                time_ns = event.timestamp_ns
                if time_ns > far_ns:
                    time_ns = self._earliest_ns(event, rank, events)
                if time_ns >= limit_ns:
                    return time_ns, event
                yield event
            self._places[rank] = ""
            for event in events:
                time_ns = event.timestamp_ns
                if time_ns < limit_ns:
                    yield event
                    continue
                if time_ns > far_ns:
                    time_ns = self._earliest_ns(event, rank, events)
                if time_ns >= limit_ns:
                    return time_ns, event
                yield event
                break
            else:
                return None

    def _earliest_ns(self, event: MarketEvent, rank: int, events: Iterator[MarketEvent]) -> int:
        """An event's own time, or that of the next ones of its feed where it is far after them."""
        ahead, feed = self._ahead[rank], self._feeds[rank]
        self._places[rank] = self._places[rank] or feed.position()
        ahead.extend((each, feed.position()) for each in islice(events, _LOOK_AHEAD - len(ahead)))
        earliest_ns = min([each.timestamp_ns for each, _ in ahead], default=event.timestamp_ns)
        return earliest_ns if event.timestamp_ns - earliest_ns > self._max_jump_ns else event.timestamp_ns

    def position(self) -> str:
        """File and line or row of the event that came last."""
        return self._places[self._rank] or self._feeds[self._rank].position()

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


def merge_feeds(feeds: Sequence[Feed], max_jump_ns: int = DAY_NS) -> Feed:
    """All feeds as one; a single feed is given back as it is. Raises ``ValueError`` without any."""
    if not feeds:
        raise ValueError("expected at least one feed to merge")
    return feeds[0] if len(feeds) == 1 else MergedFeed(feeds, max_jump_ns)
