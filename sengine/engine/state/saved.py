"""What a checkpoint keeps of the engine's state: plain values, one for each thing that lives and changes.

A live thing makes its saved value and takes it up again. The names of the fields are those of journals.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from sengine.domain.market import OHLCV, DataKind, OrderBook, Trade
from sengine.domain.order import Order

NEVER_NS: Final = -(2**63)
"""Before all time: nothing was seen yet."""
Twin: TypeAlias = tuple[str, str, str, float, float]
"""Strategies, symbol, side, quantity and limit price (0.0 for a market order) of an order."""


class SavedMarket(msgspec.Struct, frozen=True):
    """A market."""

    symbol: str
    last_ns: int
    book: OrderBook
    has_book: bool
    bar_touch: OrderBook | None
    mid: float
    bar: OHLCV | None
    bar_start_ns: int
    trades: list[Trade]
    book_sequence: int
    sequences: dict[DataKind, int]
    reference_mid: float
    reference_until_ns: int
    is_followed: bool
    followed_ns: int
    is_doubted: bool
    look_ns: int = 0
    born_ns: int = NEVER_NS
    horizon_ns: int = NEVER_NS
    bar_ns: int = NEVER_NS
    bar_interval_ns: int = 0
    behind: dict[DataKind, tuple[int, int, int]] = {}


class SavedPosition(msgspec.Struct, frozen=True):
    """One strategy's holding of one symbol."""

    strategy_id: str
    symbol: str
    quantity: float = 0.0
    average_price: float = 0.0
    realized_pnl: float = 0.0
    commission: float = 0.0
    mark_price: float = 0.0
    largest: float = 0.0


class SavedAccount(msgspec.Struct, frozen=True):
    """What an account has earned so far."""

    realized: float
    unrealized: float
    peak: float
    max_drawdown: float


class SavedBooks(msgspec.Struct, frozen=True):
    """All books: ``counted`` is each position's unrealized P&L as its account has it, ``open`` the
    strategies that hold a symbol, in the order in which they are marked."""

    positions: list[SavedPosition]
    counted: list[float]
    open: dict[str, list[str]]
    accounts: dict[str, SavedAccount]
    total: SavedAccount


class SavedOrder(msgspec.Struct, frozen=True):
    """An order that was sent and may still fill, or was closed not long ago."""

    order: Order
    filled: float = 0.0
    fills: int = 0
    is_cancelling: bool = False
    sent_at_price: float = 0.0
    withdrawn_by: int = 0


class SavedOrders(msgspec.Struct, frozen=True):
    """Every order and fill that is remembered, oldest first."""

    open: list[SavedOrder]
    closed: list[SavedOrder]
    seen: list[str]
    filled: list[SavedOrder] = []


class SavedResting(msgspec.Struct, frozen=True):
    """An order at the simulated venue."""

    order: Order
    due_ns: int
    remaining: float
    arrived: bool = False
    cancel_ns: int | None = None
    fills: int = 0


class SavedRun(msgspec.Struct, frozen=True):
    """Executions of a strategy in a symbol, one after the other on the same side; ``times_ns`` oldest first."""

    side: str = ""
    times_ns: list[int] = msgspec.field(default_factory=list)


class SavedRejections(msgspec.Struct, frozen=True):
    """Rejections in a row of a strategy's orders on a symbol, and the last pause that they led to."""

    in_a_row: int = 0
    since_ns: int = 0
    until_ns: int = 0
    pause_ns: int = 0


class SavedTradingRecord(msgspec.Struct, frozen=True):
    """What was sent and executed."""

    sent_ns: dict[tuple[str, str], list[int]] = msgspec.field(default_factory=dict)
    twins: dict[Twin, int] = msgspec.field(default_factory=dict)
    runs: dict[tuple[str, str], SavedRun] = msgspec.field(default_factory=dict)
    day_equity: dict[str, float] = msgspec.field(default_factory=dict)
    day_ends_ns: int = 0
    rejections: dict[tuple[str, str], SavedRejections] = msgspec.field(default_factory=dict)
    next_day_ends_ns: int = 0
    next_day_equity: dict[str, float] = msgspec.field(default_factory=dict)


class Flattening(msgspec.Struct):
    """A pair on its way to zero: the orders sent for it."""

    order_ids: list[str] = []
