"""What waits to go to a strategy's process, and the figures of that way."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import msgspec

from sengine.domain.market import MarketData
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews

MOST_WAITING: Final = 4096


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A tick on its way: its number, the data, and when the engine handed it over (``perf_counter_ns``)."""

    number: int
    data: MarketData
    given_ns: int
    is_warm_up: bool = False


class Waiting(msgspec.Struct, frozen=True, gc=False):
    """A tick, a fill or news of an order with what the strategy had in flight on its symbol then. Answers up to tick
    ``heard_through`` are counted in that."""

    what: Sent | Fill | OrderNews
    in_flight: float
    heard_through: int


class RemoteCounts:
    """Counters of one remote strategy since the engine started."""

    __slots__ = ("answers", "dropped_ticks", "missed_ticks", "restarts", "sent_batches", "sent_ticks")

    def __init__(self) -> None:
        self.sent_ticks = 0
        self.sent_batches = 0
        self.answers = 0
        self.dropped_ticks = 0
        """Dropped as the oldest, because too many waited."""
        self.missed_ticks = 0
        """Came while there was no connection."""
        self.restarts = 0

    def describe(self) -> dict[str, int]:
        """Those that operators see."""
        return {name: getattr(self, name) for name in ("sent_ticks", "dropped_ticks", "missed_ticks", "restarts")}


class Outbox:
    """Ticks, fills and news of orders, in order. When ``MOST_WAITING`` wait, the oldest tick is dropped and counted;
    the others are kept, since they are facts about the strategy's own position and signals."""

    def __init__(self, figures: RemoteCounts, limit: int = MOST_WAITING) -> None:
        self.arrived = asyncio.Event()
        self.takes_orders = False
        """Whether the strategy wants news of its orders; what comes before that is known is not kept."""
        self.heard_through = 0
        """Number of the last tick whose answer the engine has settled, or is settling."""
        self._items: deque[Waiting] = deque()
        self._early: deque[Waiting] = deque()
        """What is from before the oldest tick that is left."""
        self._figures = figures
        self._limit = limit

    def __len__(self) -> int:
        return len(self._items) + len(self._early)

    def append(self, item: Sent | Fill | OrderNews, in_flight: float) -> None:
        if type(item) is OrderNews and not self.takes_orders:
            return
        items = self._items
        if len(items) >= self._limit:
            while items:
                oldest = items.popleft()
                if type(oldest.what) is Sent:
                    self._figures.dropped_ticks += 1
                    break
                self._early.append(oldest)
        items.append(Waiting(item, in_flight, self.heard_through))
        self.arrived.set()

    def pop(self, most_ticks: int) -> Waiting | list[Waiting]:
        """The next fill or news, or the ticks up to it. Empty when nothing waits."""
        if self._early:
            return self._early.popleft()
        ticks: list[Waiting] = []
        while self._items and len(ticks) < most_ticks:
            item = self._items[0]
            if type(item.what) is not Sent:
                if not ticks:
                    self._items.popleft()
                    return item
                break
            ticks.append(item)
            self._items.popleft()
        return ticks
