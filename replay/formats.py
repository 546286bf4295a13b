"""Which market data a table holds, told from its column names alone.

Names may stand in any order and in any case, with spaces around them; columns that no kind knows are ignored.

======  =======================================================================
kind    columns (each may add ``seq``, the publisher's sequence number)
======  =======================================================================
quotes  ``timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty``
depth   ``timestamp,symbol,bid_price_1,bid_qty_1,...,ask_price_1,ask_qty_1,...``
trades  ``timestamp,symbol,price,quantity,side``
bars    ``timestamp,symbol,open,high,low,close,volume``
======  =======================================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from sengine.errors import DataError


class Kind(StrEnum):
    QUOTES = "quotes"
    DEPTH = "depth"
    TRADES = "trades"
    BARS = "bars"


_NUMBERS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.QUOTES: ("bid_price", "bid_qty", "ask_price", "ask_qty"),
    Kind.DEPTH: ("bid_price_1", "bid_qty_1", "ask_price_1", "ask_qty_1"),
    Kind.TRADES: ("price", "quantity"),
    Kind.BARS: ("open", "high", "low", "close", "volume"),
}
_LEVEL: Final = re.compile(r"(bid|ask)_(?:price|qty)_([1-9]\d{0,3})", re.ASCII)
_KNOWN: Final = (
    "quotes  timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty",
    "depth   timestamp,symbol,bid_price_1,bid_qty_1,...,ask_price_1,ask_qty_1,...",
    "trades  timestamp,symbol,price,quantity,side",
    "bars    timestamp,symbol,open,high,low,close,volume",
)


class Layout(msgspec.Struct, frozen=True):
    """The columns that a kind needs, by canonical name, and where they stand in the file.

    ``names`` is ``timestamp``, ``symbol``, the ``numbers``, then ``side`` (trades only) and ``seq`` (where the file has
    it). The numbers of a book alternate price and quantity, best level first, all bids before all asks.
    """

    kind: Kind
    names: tuple[str, ...]
    """Canonical names of the needed columns."""
    positions: tuple[int, ...]
    """0-based place in the file of each of ``names``."""
    width: int
    """Number of columns in the file, unknown ones included."""
    bid_levels: int = 0
    ask_levels: int = 0

    @property
    def has_sequence(self) -> bool:
        return self.names[-1] == "seq"

    @property
    def numbers(self) -> tuple[str, ...]:
        if self.kind in (Kind.QUOTES, Kind.DEPTH):
            return self.names[2 : 2 + 2 * (self.bid_levels + self.ask_levels)]
        return _NUMBERS[self.kind]


def recognise(path: str, header: Sequence[str]) -> Layout:
    """The layout of a file with these column names. Raises ``DataError`` when they are of no known kind."""
    names = [name.strip().lower() for name in header]
    known = set(names)
    for kind, numbers in _NUMBERS.items():
        if not known.issuperset(_needed(kind, numbers)):
            continue
        levels = {"bid": 1, "ask": 1} if kind is Kind.QUOTES else {"bid": 0, "ask": 0}
        if kind is Kind.DEPTH:
            levels = _count_levels(path, names)
            numbers = tuple(
                f"{side}_{part}_{level}"
                for side, count in levels.items()
                for level in range(1, count + 1)
                for part in ("price", "qty")
            )
        needed = _needed(kind, numbers) + (("seq",) if "seq" in known else ())
        for name in needed:
            if names.count(name) > 1:
                raise DataError(f'{path}: the column "{name}" stands twice in the header; remove or rename one of them')
        positions = tuple(names.index(name) for name in needed)
        return Layout(kind, needed, positions, len(names), levels["bid"], levels["ask"])
    found = ",".join(header)
    shown = found if len(found) <= 200 else f"{found[:200]}..."
    kinds = "\n  ".join(_KNOWN)
    raise DataError(
        f"{path}: the header is of no known kind of market data.\n"
        f"found:\n  {shown!r}\nexpected the columns of one of:\n  {kinds}\n"
        "Rename the columns in the first line; their order does not matter and more columns are ignored."
    )


def _needed(kind: Kind, numbers: tuple[str, ...]) -> tuple[str, ...]:
    return ("timestamp", "symbol", *numbers, *(("side",) if kind is Kind.TRADES else ()))


def _count_levels(path: str, names: Sequence[str]) -> dict[str, int]:
    """Levels a side. A hole in the numbering is a mistake in the header, not the end of the book."""
    levels = {"bid": 0, "ask": 0}
    for match in filter(None, map(_LEVEL.fullmatch, names)):
        levels[match[1]] = max(levels[match[1]], int(match[2]))
    present = set(names)
    for side, count in levels.items():
        for level in range(1, count + 1):
            for column in (f"{side}_price_{level}", f"{side}_qty_{level}"):
                if column not in present:
                    raise DataError(
                        f'{path}: the header has {side} levels up to {count}, but no column "{column}"; '
                        "number the levels from 1 without a hole, each with a price and a qty"
                    )
    return levels
