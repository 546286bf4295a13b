"""Market data as strategies see it. All of it is immutable; times are nanoseconds, UTC."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from sengine.clock import to_datetime


class DataKind(StrEnum):
    """What a market data event is about. A strategy is called for ``BOOK`` unless it asks for more."""

    BOOK = "book"
    TRADE = "trade"
    BAR = "bar"


class PriceLevel(msgspec.Struct, frozen=True, gc=False):
    """One level of an order book: a price and the quantity that waits there."""

    price: float
    quantity: float


class OrderBook(msgspec.Struct, frozen=True, gc=False):
    """Order book snapshot: ``bids`` best (highest) first, ``asks`` best (lowest) first."""

    bids: tuple[PriceLevel, ...]
    asks: tuple[PriceLevel, ...]

    @property
    def best_bid(self) -> float:
        """Highest bid price. Raises ``IndexError`` on an empty side."""
        return self.bids[0].price

    @property
    def best_ask(self) -> float:
        """Lowest ask price. Raises ``IndexError`` on an empty side."""
        return self.asks[0].price

    @property
    def mid(self) -> float:
        """(best bid + best ask) / 2. Raises ``IndexError`` on an empty side."""
        return (self.bids[0].price + self.asks[0].price) / 2

    @property
    def spread(self) -> float:
        """Best ask - best bid, in price units. Raises ``IndexError`` on an empty side."""
        return self.asks[0].price - self.bids[0].price


EMPTY_BOOK = OrderBook((), ())


class Quote(msgspec.Struct, frozen=True, gc=False):
    """The best bid and the best ask of a symbol, and when: an event of the engine, of which nearly all of a file of
    quotes is made. Only sound ones are: finite, positive, bid <= ask. ``sequence`` is the publisher's, -1 where it
    sends none."""

    symbol: str
    timestamp_ns: int
    bid: float
    bid_quantity: float
    ask: float
    ask_quantity: float
    sequence: int = -1
    received_ns: int = 0
    late_ns: int = 0

    @property
    def book(self) -> OrderBook:
        """The same as a book of one level a side."""
        return OrderBook((PriceLevel(self.bid, self.bid_quantity),), (PriceLevel(self.ask, self.ask_quantity),))


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A trade that happened in the market; ``side`` is the taker's, ``buy`` or ``sell``."""

    price: float
    quantity: float
    timestamp_ns: int
    side: str

    @property
    def timestamp(self) -> datetime:
        return to_datetime(self.timestamp_ns)


class OHLCV(msgspec.Struct, frozen=True, gc=False):
    """A bar: open, high, low and close price, and the volume traded."""

    open: float
    high: float
    low: float
    close: float
    volume: float


class MarketData(msgspec.Struct, frozen=True, gc=False):
    """What ``on_tick`` gets: the state of one symbol right after one event.

    ``recent_trades`` is oldest first and bounded. ``ohlcv`` is the current bar, ``None`` before the first one.
    ``kind`` says which kind of event this call is for.
    """

    symbol: str
    timestamp_ns: int
    orderbook: OrderBook
    recent_trades: tuple[Trade, ...] = ()
    ohlcv: OHLCV | None = None
    kind: DataKind = DataKind.BOOK

    @property
    def timestamp(self) -> datetime:
        return to_datetime(self.timestamp_ns)

    @property
    def mid(self) -> float:
        """Mid of the book; where the symbol has no book, the close of its current bar."""
        book = self.orderbook
        if book.bids:
            return (book.bids[0].price + book.asks[0].price) / 2
        if self.ohlcv is None:
            raise ValueError(f"{self.symbol} has neither a book nor a bar yet")
        return self.ohlcv.close

    @property
    def best_bid(self) -> float:
        """Highest bid price. Raises ``IndexError`` where the symbol has no book."""
        return self.orderbook.bids[0].price

    @property
    def best_ask(self) -> float:
        """Lowest ask price. Raises ``IndexError`` where the symbol has no book."""
        return self.orderbook.asks[0].price


class QuoteData(MarketData, frozen=True, gc=False):
    """What ``on_tick`` gets after a quote: its ``orderbook`` is made when it is asked for, and prices need none."""

    quote: Quote = Quote("", 0, 0.0, 0.0, 0.0, 0.0)

    @property  # type: ignore[misc]  # the base keeps the book itself, this one what it is made of
    def orderbook(self) -> OrderBook:
        return self.quote.book

    @property
    def mid(self) -> float:
        quote = self.quote
        return (quote.bid + quote.ask) / 2

    @property
    def best_bid(self) -> float:
        return self.quote.bid

    @property
    def best_ask(self) -> float:
        return self.quote.ask
