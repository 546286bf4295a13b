"""Simulated execution in event time: an order that arrives late still meets the books it would have met.

Orders and market data reach the paper service on different connections, so either can come first. The venue keeps each
symbol's recent books: an order stamped *t* meets the first book at or after *t* + latency, out of the past or yet to
come, and every book after that. Its fills are those of replay, whatever the arrival order was.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from sengine.adapters.execution.messages import book_crc
from sengine.clock import NS_PER_MS
from sengine.config.schema import ExecutionConfig
from sengine.domain.events import BarEvent, BookEvent, MarketEvent
from sengine.domain.market import OrderBook
from sengine.domain.order import Order
from sengine.engine.orders.simulated_venue import SimulatedVenue, VenueReport
from sengine.engine.state.markets import bar_fault, book_fault, close_touch
from sengine.engine.state.saved import NEVER_NS
from sengine.engine.time_jumps import TIME_BACKWARDS, JumpGate, JumpRule

BOOKS_KEPT: Final = 4096
SYMBOLS_KEPT: Final = 10_000


class RecentBooks:
    """The newest books of a symbol with their times; at least ``limit`` of them, at most twice as many."""

    __slots__ = (
        "_limit",
        "bar_interval_ns",
        "bar_ns",
        "books",
        "born_ns",
        "dropped_until_ns",
        "has_book",
        "horizon_ns",
        "last_ns",
        "symbol",
        "times_ns",
    )

    def __init__(self, symbol: str, limit: int) -> None:
        self.symbol = symbol
        self.last_ns = NEVER_NS
        """Time of the newest event, which never goes back."""
        # As of an engine's market: see there.
        self.born_ns = self.horizon_ns = self.bar_ns = NEVER_NS
        self.bar_interval_ns = 0
        self.has_book = False
        """Whether the symbol has real books; one that only has bars is priced at their close."""
        self.times_ns: list[int] = []
        self.books: list[OrderBook] = []
        self.dropped_until_ns: int | None = None
        """Time of the newest book that is no longer kept."""
        self._limit = limit

    def restart(self) -> None:
        """The times were wrong."""
        self.last_ns = self.born_ns = self.horizon_ns = self.bar_ns = NEVER_NS
        self.bar_interval_ns = 0
        self.times_ns.clear()
        self.books.clear()
        self.dropped_until_ns = None

    def add(self, time_ns: int, book: OrderBook) -> None:
        """Append the newest book. Old ones leave in bulk, so that a book costs two appends."""
        if len(self.times_ns) >= 2 * self._limit:
            self.dropped_until_ns = self.times_ns[self._limit - 1]
            del self.times_ns[: self._limit]
            del self.books[: self._limit]
        self.times_ns.append(time_ns)
        self.books.append(book)


class EventTimeVenue:
    """The simulated venue of replay, behind a memory of recent books.

    Orders do not use up each other's liquidity, so each has a ``SimulatedVenue`` of its own, and one that arrives late
    can catch up on past books alone. ``jumps`` is the engine's, so that both take the same events; a symbol that
    ``is_reserved`` always has its place.
    """

    def __init__(
        self,
        execution: ExecutionConfig,
        books_kept: int = BOOKS_KEPT,
        jumps: JumpRule | None = None,
        is_reserved: Callable[[str], bool] = lambda symbol: False,
    ) -> None:
        self._execution = execution
        self._latency_ns = int(execution.latency_ms * NS_PER_MS)
        self._books_kept = books_kept
        self._is_reserved = is_reserved
        self._recent: dict[str, RecentBooks] = {}
        self._jumps: JumpGate[RecentBooks] = JumpGate(jumps, self._recent, RecentBooks.restart)
        self._open: dict[str, dict[str, SimulatedVenue]] = {}
        """Venues with something in them, by symbol and order id, oldest first."""
        self._symbol_of: dict[str, str] = {}
        self._decided_on: dict[str, tuple[int, int]] = {}
        """Time and CRC of the book that an order waits for, by order id."""
        self.rejected: Counter[str] = Counter()
        """Market data that was not used, by reason; the reasons are the engine's."""
        self.too_late = 0
        """Orders whose book was no longer kept; they met the oldest one that was."""

    @property
    def open_orders(self) -> int:
        return len(self._symbol_of)

    def newest_ns(self, symbol: str) -> int:
        """Time of the symbol's newest book; 0 when there is none."""
        recent = self._recent.get(symbol)
        return recent.times_ns[-1] if recent is not None and recent.times_ns else 0

    def on_book(self, event: BookEvent) -> Sequence[VenueReport]:
        """Take a book and match what waits for it."""
        return self._on_event(event, book_fault(event.book))

    def on_bar(self, event: BarEvent) -> Sequence[VenueReport]:
        """Take a bar; where the symbol has no books, orders meet its close."""
        return self._on_event(event, bar_fault(event))

    def submit(self, order: Order, crc: int = 0, *, has_rested: bool = False) -> Sequence[VenueReport]:
        """Take an order and match it against the kept books from its due time on. ``has_rested``: after a restart.

        Without latency and with the ``crc`` of a book (``book_crc``), books with the order's very timestamp are passed
        over, or waited for, until that one.
        """
        execution = self._execution
        venue = SimulatedVenue(self._latency_ns, execution.commission_bps, execution.slippage_bps, execution.depth)
        due_ns = order.timestamp_ns + self._latency_ns
        recent = self._recent.get(order.symbol)
        times_ns = recent.times_ns if recent is not None else []
        first = bisect_left(times_ns, due_ns)
        reports: list[VenueReport] = []
        if crc and recent is not None and not self._latency_ns:
            while first < len(times_ns) and times_ns[first] == due_ns and book_crc(recent.books[first]) != crc:
                first += 1
        if recent is None or first == len(times_ns):
            if crc and not self._latency_ns:
                self._decided_on[order.order_id] = (due_ns, crc)
            venue.submit(order, None, order.timestamp_ns, has_rested=has_rested)
        else:
            if first == 0 and recent.dropped_until_ns is not None and recent.dropped_until_ns >= due_ns:
                self.too_late += 1
            reports.extend(venue.submit(order, recent.books[first], times_ns[first], has_rested=has_rested))
            for place in range(first + 1, len(times_ns)):
                if not venue.waiting:
                    break
                reports.extend(venue.on_book(order.symbol, recent.books[place], times_ns[place]))
        if venue.waiting:
            self._open.setdefault(order.symbol, {})[order.order_id] = venue
            self._symbol_of[order.order_id] = order.symbol
        return reports

    def cancel(self, order_id: str, at_ns: int) -> Sequence[VenueReport]:
        """Ask for a cancellation, ``at_ns`` in event time. With latency it arrives with a later book."""
        symbol = self._symbol_of.get(order_id)
        if symbol is None:
            return ()
        venue = self._open[symbol][order_id]
        reports = venue.cancel(order_id, at_ns)
        if not venue.waiting:
            self._close(symbol, order_id)
        return reports

    def _recent_of(self, symbol: str) -> RecentBooks | None:
        recent = self._recent.get(symbol)
        if recent is None:
            if len(self._recent) >= SYMBOLS_KEPT and not self._is_reserved(symbol):
                self.rejected["too_many_symbols"] += 1
                return None
            recent = self._recent[symbol] = RecentBooks(symbol, self._books_kept)
        return recent

    def _on_event(self, event: BookEvent | BarEvent, fault: str | None) -> Sequence[VenueReport]:
        recent = self._recent_of(event.symbol)
        if recent is None:
            return ()
        if fault is not None:
            self.rejected[fault] += 1
            return ()
        if not recent.last_ns <= event.timestamp_ns <= recent.horizon_ns:
            outcome = self._jumps.judge(event, recent)
            if outcome is not None:
                self.rejected.update(reason for _, reason in outcome.dropped)
                reports: list[VenueReport] = []
                while (due := self._jumps.take()) is not None:
                    reports.extend(self._take(due, self._recent[due.symbol]))
                return reports
        return self._take(event, recent)

    def _take(self, event: MarketEvent, recent: RecentBooks) -> Sequence[VenueReport]:
        """An event whose time is believed."""
        time_ns = event.timestamp_ns
        if time_ns < recent.last_ns:
            self.rejected[TIME_BACKWARDS] += 1
            return ()
        recent.last_ns = time_ns
        if isinstance(event, BookEvent):
            recent.has_book = True
            return self._on_touch(recent, event.book, time_ns)
        assert isinstance(event, BarEvent)
        if time_ns > recent.bar_ns != NEVER_NS:
            recent.bar_interval_ns = time_ns - recent.bar_ns
        recent.bar_ns = time_ns
        return () if recent.has_book else self._on_touch(recent, close_touch(event.bar), time_ns)

    def _on_touch(self, recent: RecentBooks, touch: OrderBook, time_ns: int) -> Sequence[VenueReport]:
        recent.add(time_ns, touch)
        symbol = recent.symbol
        venues = self._open.get(symbol)
        if venues is None:
            return ()
        reports: list[VenueReport] = []
        for order_id, venue in tuple(venues.items()):
            if order_id in self._decided_on:
                due_ns, crc = self._decided_on[order_id]
                if time_ns == due_ns and book_crc(touch) != crc:
                    continue
                del self._decided_on[order_id]
            reports.extend(venue.on_book(symbol, touch, time_ns))
            if not venue.waiting:
                self._close(symbol, order_id)
        return reports

    def _close(self, symbol: str, order_id: str) -> None:
        del self._symbol_of[order_id]
        self._decided_on.pop(order_id, None)
        venues = self._open[symbol]
        del venues[order_id]
        if not venues:
            del self._open[symbol]
