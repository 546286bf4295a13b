"""The market state of each symbol: its book, recent trades and current bar, and the validation that guards them."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from math import inf, isfinite
from typing import Final

from sengine.clock import NS_PER_S
from sengine.domain.events import BarEvent, TradeEvent
from sengine.domain.market import EMPTY_BOOK, OHLCV, DataKind, MarketData, OrderBook, PriceLevel, Quote, Trade
from sengine.engine.state.saved import NEVER_NS, SavedMarket

RECENT_TRADES: Final = 100
BAR_NS: Final = 60 * NS_PER_S
MOST_MISSING: Final = 1_000_000
"""A sequence number further ahead than this is not so many messages that are missing, but one that jumped."""
ANEW_AFTER: Final = 3
"""So many numbers in a row that are not newer than the last: the publisher counts anew."""
REFERENCE_NS: Final = NS_PER_S
"""How long a mid is what later ones are compared with to find jumps."""


def book_fault(book: OrderBook) -> str | None:
    """Why a book may not be used, as a stable reason code; ``None`` when it is sound."""
    bids, asks = book.bids, book.asks
    # One level a side is the common case, and one chained comparison refuses NaN, infinity and crossing at once. Equal
    # prices are a locked market, which there is: both sides wait for the other to move.
    if len(bids) == 1 and len(asks) == 1:
        bid, ask = bids[0], asks[0]
        if 0.0 < bid.price <= ask.price < inf and 0.0 <= bid.quantity < inf and 0.0 <= ask.quantity < inf:
            return None
    if not bids or not asks:
        return "one_sided_book"
    for level in (*bids, *asks):
        fault = _level_fault(level)
        if fault is not None:
            return fault
    if any(upper.price <= lower.price for upper, lower in pairwise(bids)):
        return "bids_not_descending"
    if any(lower.price >= upper.price for lower, upper in pairwise(asks)):
        return "asks_not_ascending"
    return None if bids[0].price <= asks[0].price else "crossed_book"


def _level_fault(level: PriceLevel) -> str | None:
    return price_fault(level.price) or quantity_fault(level.quantity)


def price_fault(price: float) -> str | None:
    if not isfinite(price):
        return "not_finite"
    return None if price > 0.0 else "price_not_positive"


def quantity_fault(quantity: float) -> str | None:
    if not isfinite(quantity):
        return "not_finite"
    return None if quantity >= 0.0 else "negative_quantity"


def trade_fault(event: TradeEvent) -> str | None:
    fault = price_fault(event.price) or quantity_fault(event.quantity)
    if fault is None and event.side not in ("buy", "sell"):
        return "bad_side"
    return fault


def bar_fault(event: BarEvent) -> str | None:
    bar = event.bar
    for price in (bar.open, bar.high, bar.low, bar.close):
        fault = price_fault(price)
        if fault is not None:
            return fault
    if not bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high:
        return "bar_out_of_range"
    return quantity_fault(bar.volume)


def close_touch(bar: OHLCV) -> OrderBook:
    """What simulated orders meet of a symbol that only has bars: the close, for the bar's volume. A bar tells of what
    was traded and not of what waits: where it says 0, as much data without volume does, any size is taken."""
    close = PriceLevel(bar.close, bar.volume or inf)
    return OrderBook((close,), (close,))


class Market:
    """What is known of one symbol. ``last_ns`` never goes back; ``mid`` is 0.0 until there is a price."""

    __slots__ = (
        "_bar_start_ns",
        "_bar_touch",
        "_behind",
        "_book",
        "_doubted",
        "_followed",
        "_followed_ns",
        "_quote",
        "_trades",
        "bar",
        "bar_interval_ns",
        "bar_ns",
        "book_sequence",
        "born_ns",
        "has_book",
        "horizon_ns",
        "last_ns",
        "look_ns",
        "mid",
        "recent",
        "recent_trades",
        "reference_mid",
        "reference_until_ns",
        "routed",
        "sequences",
        "symbol",
    )

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.routed = False
        """Whether any strategy is subscribed to the symbol."""
        self.last_ns = NEVER_NS
        self.born_ns = NEVER_NS
        """The time of the first event; while it is the last one's too, nothing confirms it."""
        self.horizon_ns = NEVER_NS
        """An event after this is judged (``time_jumps``): up to here it is no jump."""
        self.bar_ns = NEVER_NS
        self.bar_interval_ns = 0
        """The last bar's time, and how long after the one before it came."""
        self._book: OrderBook | None = EMPTY_BOOK
        self._quote: Quote | None = None
        """What the book is made of when somebody asks for it; ``None`` where a whole book came."""
        self.has_book = False
        self._bar_touch: OrderBook | None = None
        self.mid = 0.0
        self.bar: OHLCV | None = None
        self._bar_start_ns = 0
        self._trades: deque[Trade] = deque(maxlen=RECENT_TRADES)
        self.recent_trades: tuple[Trade, ...] = ()
        """The last trades, oldest first; one tuple for all ticks until the next trade."""
        self.book_sequence = -1
        """The publisher's number of the last book; -1 before the first."""
        self.sequences: dict[DataKind, int] = {}
        """The same for trades and bars."""
        self.recent: deque[tuple[int, MarketData]] | None = None
        """The last ticks with their numbers, where the engine keeps them."""
        self.reference_mid = 0.0
        """The mid of up to a second ago, for finding jumps; 0.0 until the mid first changed."""
        self.reference_until_ns = NEVER_NS
        self.look_ns = NEVER_NS
        """When the reference or the day may change: at the first change of the mid from here on."""
        # Books are known by identity, so that a new one is no work: the one that trades or bars came after and its
        # time, and the one that an unsound one came after.
        self._followed: OrderBook | Quote | None = None
        self._followed_ns = 0
        self._doubted: OrderBook | Quote | None = None
        # Numbers that were not newer: the last one, how many in a row, and the newest number then.
        self._behind: dict[DataKind, tuple[int, int, int]] = {}

    @property
    def book(self) -> OrderBook:
        """The last sound book; empty before the first."""
        book = self._book
        if book is None:
            assert self._quote is not None
            book = self._book = self._quote.book
        return book

    @property
    def _latest(self) -> OrderBook | Quote:
        """What came last: the quote or the book itself, so that it can be known again."""
        return self._quote or self.book

    def update_from_book(self, book: OrderBook) -> None:
        self._book, self._quote = book, None
        self.has_book = True

    def update_from_quote(self, quote: Quote) -> None:
        self._book, self._quote = None, quote
        self.has_book = True

    @property
    def touch(self) -> OrderBook | None:
        """What simulated orders meet: the book, or for a symbol that only has bars, their close."""
        return self.book if self.has_book else self._bar_touch

    @property
    def price_ns(self) -> int:
        """When the touch came: the book, or for a symbol that only has bars, the last bar."""
        return self._followed_ns if self._latest is self._followed else self.last_ns

    @property
    def is_doubted(self) -> bool:
        """Whether an unsound book came after the one in use."""
        return self._latest is self._doubted

    def doubt(self) -> None:
        """An unsound book came; the one in use is old news until a sound one comes."""
        self._doubted = self._latest

    def refer(self, day_ends_ns: int, now_ns: int) -> None:
        """Compare the mids of the next second, or up to the day's end, with the one that is about to go."""
        self.reference_mid = self.mid
        self.reference_until_ns = min(now_ns + REFERENCE_NS, day_ends_ns)

    def follow_book(self) -> None:
        """Something else than a book is coming: remember how old the book is."""
        if self.has_book and self._latest is not self._followed:
            self._followed, self._followed_ns = self._latest, self.last_ns

    def update_from_trade(self, event: TradeEvent) -> None:
        """Add a trade to the recent ones and to the current one-minute bar."""
        self._trades.append(Trade(event.price, event.quantity, event.timestamp_ns, event.side))
        self.recent_trades = tuple(self._trades)
        start_ns = event.timestamp_ns // BAR_NS * BAR_NS
        bar, price = self.bar, event.price
        if bar is None or start_ns != self._bar_start_ns:
            self._bar_start_ns = start_ns
            self.bar = OHLCV(price, price, price, price, event.quantity)
        else:
            self.bar = OHLCV(bar.open, max(bar.high, price), min(bar.low, price), price, bar.volume + event.quantity)

    def update_from_bar(self, event: BarEvent) -> None:
        """Make a published bar the current one. A symbol without a book is priced at its close."""
        if event.timestamp_ns > self.bar_ns != NEVER_NS:
            self.bar_interval_ns = event.timestamp_ns - self.bar_ns
        self.bar_ns = event.timestamp_ns
        self.bar = event.bar
        self._bar_start_ns = event.timestamp_ns // BAR_NS * BAR_NS
        if not self.has_book:
            self._bar_touch = close_touch(event.bar)
            self._followed, self._followed_ns = self._latest, event.timestamp_ns
            self.mid = event.bar.close

    def missed(self, kind: DataKind, sequence: int) -> int:
        """How many messages of this kind are missing before ``sequence``; -1 when it is not newer than the last.

        A publisher that goes on counting from an older number is followed there: one number from the future does not
        make all later ones old.
        """
        last = self.book_sequence if kind is DataKind.BOOK else self.sequences.get(kind, -1)
        if sequence <= last:
            before, in_a_row, newest = self._behind.get(kind, (-2, 0, last))
            in_a_row = in_a_row + 1 if (sequence, last) == (before + 1, newest) else 1
            self._behind[kind] = (sequence, in_a_row, last)
            if in_a_row < ANEW_AFTER:
                return -1
        if kind is DataKind.BOOK:
            self.book_sequence = sequence
        else:
            self.sequences[kind] = sequence
        return 0 if last == -1 or sequence <= last else sequence - last - 1

    def restart(self) -> None:
        """Forget the times and the publisher's numbers: they were wrong. What is known of prices stays."""
        self.last_ns = self.born_ns = self.horizon_ns = self.bar_ns = NEVER_NS
        self.reference_until_ns = self.look_ns = NEVER_NS
        self.bar_interval_ns = self._bar_start_ns = self._followed_ns = 0
        self.book_sequence = -1
        self.sequences.clear()
        self._behind.clear()
        self._trades.clear()
        self.recent_trades = ()
        self.bar = None

    def state(self) -> SavedMarket:
        return SavedMarket(
            self.symbol,
            self.last_ns,
            self.book,
            self.has_book,
            self._bar_touch,
            self.mid,
            self.bar,
            self._bar_start_ns,
            list(self._trades),
            self.book_sequence,
            dict(self.sequences),
            self.reference_mid,
            self.reference_until_ns,
            self._latest is self._followed,
            self._followed_ns,
            self._latest is self._doubted,
            self.look_ns,
            self.born_ns,
            self.horizon_ns,
            self.bar_ns,
            self.bar_interval_ns,
            dict(self._behind),
        )

    def restore(self, state: SavedMarket) -> None:
        """Take up a checkpoint's market; whether anybody wants the symbol is not of it."""
        self.last_ns, self.mid = state.last_ns, state.mid
        self._book, self.has_book, self._bar_touch = state.book, state.has_book, state.bar_touch
        self.bar, self._bar_start_ns = state.bar, state.bar_start_ns
        self._trades.extend(state.trades)
        self.recent_trades = tuple(self._trades)
        self.book_sequence = state.book_sequence
        self.sequences.update(state.sequences)
        self.reference_mid, self.reference_until_ns = state.reference_mid, state.reference_until_ns
        self._followed, self._followed_ns = self._latest if state.is_followed else None, state.followed_ns
        self._doubted = self._latest if state.is_doubted else None
        self.look_ns, self.born_ns, self.horizon_ns = state.look_ns, state.born_ns, state.horizon_ns
        self.bar_ns, self.bar_interval_ns = state.bar_ns, state.bar_interval_ns
        self._behind.update(state.behind)
