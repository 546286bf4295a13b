"""One row at a time: cells to an event, or the reason why not.

The feeds build events column by column and come here only for the rows around a mistake, so this is where a row's
rules are written down. ``columns`` must accept nothing that is refused here, and make the same events.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from replay.formats import Kind, Layout
from sengine.clock import is_epoch_text
from sengine.domain.epoch_numbers import NotEpochError, is_misread_ns, market_time_ns, misread_sentence
from sengine.domain.events import BarEvent, BookEvent, MarketEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel

_INTEGER: Final = re.compile(r"[+-]?\d{1,19}", re.ASCII)
_MAX_INT64: Final = 2**63 - 1
NO_SEQUENCE: Final = -1


class Reason(StrEnum):
    """Why a row gave no event."""

    MISSING_COLUMN = "missing_column"
    EXTRA_COLUMN = "extra_column"
    NOT_A_NUMBER = "not_a_number"
    BAD_TIMESTAMP = "bad_timestamp"
    NOT_EPOCH = "not_an_epoch_number"
    EMPTY_SYMBOL = "empty_symbol"
    BAD_SYMBOL = "bad_symbol"
    BAD_SIDE = "bad_side"
    LINE_TOO_LONG = "line_too_long"


class RejectedRow(msgspec.Struct, frozen=True):
    """A row that gave no event. ``line`` is 1-based: the file's line, or in Parquet the row.

    ``place`` is path and line as a person wants to read them.
    """

    path: str
    line: int
    reason: str
    detail: str
    place: str

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}"


OnReject = Callable[[RejectedRow], None]


class BadRowError(ValueError):
    """A row cannot be an event."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(detail)


def clean_symbol(cell: object) -> str:
    """The symbol without spaces around it, one shared object a symbol. Raises ``BadRowError``."""
    symbol = cell.strip() if isinstance(cell, str) else "" if cell is None else str(cell)
    if not symbol:
        raise BadRowError(Reason.EMPTY_SYMBOL, "symbol: expected a name, got nothing")
    if not symbol.isprintable():
        raise BadRowError(Reason.BAD_SYMBOL, f"symbol: expected printable UTF-8 text, got {_shown(cell)}")
    return sys.intern(symbol)


def clean_side(cell: object) -> str:
    """``buy`` or ``sell``. Raises ``BadRowError``."""
    side = cell.strip().lower() if isinstance(cell, str) else ""
    if side == "buy" or side == "sell":
        return "buy" if side == "buy" else "sell"
    raise BadRowError(Reason.BAD_SIDE, f"side: expected buy or sell, got {_shown(cell)}")


class RowParser:
    """Makes events of rows of one layout. ``known_ns`` says that timestamps are nanoseconds, not of any epoch unit."""

    def __init__(self, layout: Layout, *, known_ns: bool = False) -> None:
        self._width = layout.width
        self._numbers = layout.numbers
        self._kind = layout.kind
        self._bid_numbers = 2 * layout.bid_levels
        self._has_sequence = layout.has_sequence
        self._positions = layout.positions
        self._last_position = max(layout.positions)
        self._known_ns = known_ns

    def event(self, cells: Sequence[object]) -> MarketEvent:
        """The event of a row with the cells of the whole file row. Raises ``BadRowError``."""
        if len(cells) <= self._last_position:
            raise BadRowError(Reason.MISSING_COLUMN, f"expected {self._width} columns, got {len(cells)}")
        if len(cells) > self._width:
            raise BadRowError(Reason.EXTRA_COLUMN, f"expected {self._width} columns, got {len(cells)}")
        needed = [cells[position] for position in self._positions]
        timestamp_ns = self._timestamp_ns(needed[0])
        symbol = clean_symbol(needed[1])
        numbers = needed[2 : 2 + len(self._numbers)]
        if self._kind is Kind.TRADES:
            price, quantity = map(_number, numbers, self._numbers)
            side = clean_side(needed[2 + len(numbers)])
            return TradeEvent(symbol, timestamp_ns, price, quantity, side, self._sequence(needed))
        if self._kind is Kind.BARS:
            bar = OHLCV(*map(_number, numbers, self._numbers))
            return BarEvent(symbol, timestamp_ns, bar, self._sequence(needed))
        split = self._bid_numbers
        book = OrderBook(
            _levels(numbers[:split], self._numbers[:split]),
            _levels(numbers[split:], self._numbers[split:]),
        )
        return BookEvent(symbol, timestamp_ns, book, self._sequence(needed))

    def _timestamp_ns(self, cell: object) -> int:
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            raise BadRowError(Reason.BAD_TIMESTAMP, "timestamp: expected a time from 1678 to 2262, got nothing")
        try:
            is_ns = self._known_ns and isinstance(cell, int)
            time_ns: int = cell if is_ns else market_time_ns(cell)  # type: ignore[arg-type, assignment]
        except NotEpochError as error:
            raise BadRowError(Reason.NOT_EPOCH, f"timestamp: {error}") from None
        except (ValueError, ArithmeticError, TypeError) as error:
            raise BadRowError(Reason.BAD_TIMESTAMP, f"timestamp: {error}") from None
        if is_misread_ns(time_ns) and (is_ns or (isinstance(cell, str) and not is_epoch_text(cell))):
            raise BadRowError(Reason.NOT_EPOCH, f"timestamp: {misread_sentence(time_ns)}")
        return time_ns

    def _sequence(self, needed: Sequence[object]) -> int:
        if not self._has_sequence:
            return NO_SEQUENCE
        cell = needed[-1]
        if _is_empty(cell):
            return NO_SEQUENCE
        if isinstance(cell, str) and _INTEGER.fullmatch(cell.strip()):
            number = int(cell.strip())  # int() itself leaves some of what strip() takes
        else:  # tables with gaps in an integer column are often written with it as float
            value = _number(cell, "seq")
            number = int(value) if value.is_integer() else _MAX_INT64 + 1
        if abs(number) > _MAX_INT64:
            raise BadRowError(Reason.NOT_A_NUMBER, f"seq: expected a whole number of 64 bits, got {_shown(cell)}")
        return number


def _levels(cells: Sequence[object], names: Sequence[str]) -> tuple[PriceLevel, ...]:
    """One side of a book. The first empty level below the best one ends it."""
    levels: list[PriceLevel] = []
    for at in range(0, len(cells), 2):
        price, quantity = cells[at : at + 2]
        if at and _is_empty(price) and _is_empty(quantity):
            break
        levels.append(PriceLevel(_number(price, names[at]), _number(quantity, names[at + 1])))
    return tuple(levels)


def _number(cell: object, name: str) -> float:
    # Python's float also takes 1_000 and digits of other scripts; a data file that holds those is broken.
    if isinstance(cell, str):
        plain = cell.isascii() and "_" not in cell
    else:
        plain = cell is not None and not isinstance(cell, bool)
    if plain:
        try:
            return float(cell)  # type: ignore[arg-type]
        except (ValueError, TypeError, OverflowError):
            pass
    raise BadRowError(Reason.NOT_A_NUMBER, f"{name}: expected a number, got {_shown(cell)}")


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _shown(cell: object) -> str:
    if _is_empty(cell):
        return "nothing"
    return ascii(cell[:60]) if isinstance(cell, str) else ascii(cell)[:80]
