"""A table of checked columns to events, without a line of Python run per row.

``map`` and ``zip`` over whole columns call the structs' constructors from C; that is about a fifth of what a loop
over rows costs. It is all or nothing: one doubtful cell and the caller takes ``rows`` for that part of the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from math import inf

import polars as pl

from replay.formats import Kind, Layout
from replay.rows import BadRowError, clean_side, clean_symbol
from replay.runs import Run
from sengine.clock import epoch_unit_ns
from sengine.domain.epoch_numbers import EARLY_NS, are_all_taken, is_misread_ns, market_time_ns
from sengine.domain.events import BarEvent, BookEvent, MarketEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel, Quote


def run_of(table: pl.DataFrame, layout: Layout, *, known_ns: bool = False) -> Run | None:
    """The events of all rows, or ``None`` when the row parser has to look at them.

    ``table`` has the columns ``layout.names``. ``known_ns`` says that timestamps are nanoseconds already.
    """
    columns = dict(zip(layout.names, table.get_columns(), strict=True))
    try:
        times = _times_ns(columns["timestamp"], known_ns)
        symbols = _translated(columns["symbol"], clean_symbol)
        sides = _translated(columns["side"], clean_side) if layout.kind is Kind.TRADES else None
        numbers = [columns[name] for name in layout.numbers]
        is_sound = _all_sound(numbers, layout)
        bodies = [column.to_list() for column in numbers] if is_sound else _bodies(numbers, layout)
    except (BadRowError, ValueError, ArithmeticError):
        return None
    sequences: tuple[list[int], ...] = ()
    if layout.has_sequence:
        if columns["seq"].dtype != pl.Int64 or columns["seq"].null_count():
            return None
        sequences = (columns["seq"].to_list(),)
    rows_left = iter(times)
    events: Iterator[MarketEvent]
    if sides is not None:
        events = map(TradeEvent, symbols, rows_left, *bodies, sides, *sequences)
    elif is_sound:
        events = map(Quote, symbols, rows_left, *bodies, *sequences)
    elif layout.kind is Kind.BARS:
        events = map(BarEvent, symbols, rows_left, map(OHLCV, *bodies), *sequences)
    else:
        events = map(BookEvent, symbols, rows_left, map(OrderBook, *bodies), *sequences)
    return Run(events, rows_left)


def _all_sound(numbers: list[pl.Series], layout: Layout) -> bool:
    """Whether every one of these quotes is a book that the engine would take: finite, positive, not crossed."""
    if layout.kind is not Kind.QUOTES or any(column.dtype != pl.Float64 or column.null_count() for column in numbers):
        return False
    bid, bid_quantity, ask, ask_quantity = numbers
    sound = (bid > 0.0) & (bid <= ask) & (ask < inf)
    for quantity in (bid_quantity, ask_quantity):
        sound &= (quantity >= 0.0) & (quantity < inf)
    return bool(sound.all())


def _times_ns(column: pl.Series, known_ns: bool) -> list[int]:
    if column.null_count():
        raise ValueError("a timestamp is missing")
    if column.is_empty():
        return []
    if known_ns:
        return _checked(column.to_list())
    if column.dtype == pl.Int64:
        low, high = _bounds(column)
        if are_all_taken(low, high):
            unit_ns = epoch_unit_ns(low)
            return (column * unit_ns if unit_ns > 1 else column).to_list()
    times = list(map(market_time_ns, column.to_list()))
    return _checked(times) if column.dtype == pl.String else times


def _checked(times: list[int]) -> list[int]:
    """The same, unless one is so early that the row parser has to look at it."""
    if min(times) < EARLY_NS and any(map(is_misread_ns, times)):
        raise ValueError("a number that was taken for a time since 1970")
    return times


def _bounds(column: pl.Series) -> tuple[int, int]:
    low, high = column.min(), column.max()
    assert isinstance(low, int)
    assert isinstance(high, int)
    return low, high


def _translated(column: pl.Series, clean: Callable[[object], str]) -> Iterable[str]:
    """Each text cleaned, with one shared object for each that differs."""
    cleaned = {raw: clean(raw) for raw in column.unique().to_list()}
    if len(cleaned) == 1:
        return repeat(next(iter(cleaned.values())))
    return map(cleaned.__getitem__, column.to_list())


def _bodies(numbers: list[pl.Series], layout: Layout) -> list[Iterable[object]]:
    """What stands in an event besides time and symbol, column by column: bids and asks, or the bare numbers."""
    if any(column.dtype != pl.Float64 for column in numbers):
        raise ValueError("expected numbers")
    if layout.kind in (Kind.QUOTES, Kind.DEPTH):
        split = 2 * layout.bid_levels
        return [_side(numbers[:split]), _side(numbers[split:])]
    if any(column.null_count() for column in numbers):
        raise ValueError("a number is missing")
    return [column.to_list() for column in numbers]


def _side(columns: list[pl.Series]) -> Iterable[tuple[PriceLevel, ...]]:
    if any(column.null_count() for column in columns):
        return _ragged_side(columns)
    lists = [column.to_list() for column in columns]
    return zip(*map(map, repeat(PriceLevel), lists[::2], lists[1::2]), strict=False)


def _ragged_side(columns: list[pl.Series]) -> list[tuple[PriceLevel, ...]]:
    """One side of books of different depth: the first empty level below the best one ends a row's side."""
    if columns[0].null_count() or columns[1].null_count():
        raise ValueError("the best level is missing")
    levels = [
        list(map(_level, price.to_list(), quantity.to_list()))
        for price, quantity in zip(columns[::2], columns[1::2], strict=True)
    ]
    return [row[: row.index(None)] if None in row else row for row in zip(*levels, strict=True)]


def _level(price: float | None, quantity: float | None) -> PriceLevel | None:
    if price is None and quantity is None:
        return None
    if price is None or quantity is None:
        raise ValueError("half a level is missing")
    return PriceLevel(price, quantity)
