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
