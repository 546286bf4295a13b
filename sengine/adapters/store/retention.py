"""What the store no longer keeps: rows that are too old, and the oldest ones where there are too many.

What is open or held stays. It is done in small pieces between the keeper's own, and what goes is told before.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final, NamedTuple

from sengine.adapters.store.schema import ENDED
from sengine.clock import format_timestamp

ROWS_AT_ONCE: Final = 500
"""Of each table."""
PAGES_AT_ONCE: Final = 64
EVERY_S: Final = 60.0
_ENOUGH: Final = 0.95
"""To this part of what is allowed they are brought, so that it is not exceeded again at once."""

_NOT_HELD: Final = (
    "EXISTS (SELECT 1 FROM positions AS later WHERE later.strategy_id = positions.strategy_id "
    "AND later.symbol = positions.symbol "
    "AND (later.segment, later.offset, later.n) > (positions.segment, positions.offset, positions.n))"
)
_GOES: Final = {"pnl": "true", "signals": "true", "fills": "true", "orders": ENDED, "positions": _NOT_HELD}
"""Tables with times, and which of their rows may go."""
_PARTS: Final = (
    "DELETE FROM order_parts WHERE (segment, offset, n) IN (SELECT p.segment, p.offset, p.n FROM orders "
    "JOIN order_parts AS p ON p.segment = orders.segment AND p.offset = orders.offset "
    "AND p.order_id = orders.order_id WHERE id IN"
)


class Bound(NamedTuple):
    """Which rows are to go: an SQL condition, with its values, and the columns that say which go first."""

    condition: str
    values: Sequence[Any]
    order: str


def by_time(time_ns: int) -> Bound:
    return Bound("time_ns < ?", (time_ns,), "time_ns")


def by_place(segment: int, offset: int) -> Bound:
    """Up to this record of the journal."""
    return Bound("(segment, offset) <= (?, ?)", (segment, offset), "segment, offset, n")


class StoreRetention:
    """``step`` does a piece of what ``retain_for_ns`` and ``retain_bytes`` ask for, 0 for nothing.

    How old a row is, the rows themselves say, by the newest of each table that has any: of these the least counts. Some
    are of event time and some the wall clock's, and either may have jumped. Which are the oldest of too many, their
    order in the journal says.
    """

    def __init__(self, retain_for_ns: int, retain_bytes: int, say: Callable[[str, str], None]) -> None:
        self._for_ns = retain_for_ns
        self._bytes = retain_bytes
        self._say = say
        self._next_s = 0.0
        self._too_old: Bound | None = None
        self._shrinks_to = 0

    def step(self, connection: sqlite3.Connection) -> bool:
        """Whether there is more to do at once. Raises ``sqlite3.Error``."""
        if self._too_old is None and not self._shrinks_to and monotonic() >= self._next_s:
            self._next_s = monotonic() + EVERY_S
            self._begin(connection)
        if self._too_old is not None:
            if not forget(connection, self._too_old):
                self._too_old = None
            return True
        if self._shrinks_to:
            oldest = _oldest(connection)
            if oldest is None or _used_bytes(connection) <= self._shrinks_to or not forget(connection, oldest):
                self._shrinks_to = 0
            return True
        return _give_back(connection)

    def _begin(self, connection: sqlite3.Connection) -> None:
        newest = [connection.execute(f"SELECT max(time_ns) FROM {table}").fetchone()[0] for table in _GOES]
        known = [time_ns for time_ns in newest if time_ns is not None]
        if self._for_ns and known:
            before_ns = min(known) - self._for_ns
            bound = by_time(before_ns)
            if before_ns > 0 and any(_has_any(connection, table, bound) for table in _GOES):
                self._too_old = bound
                self._say("info", f"records before {format_timestamp(before_ns)} go, by position_tracker.retain_for")
        used = _used_bytes(connection)
        if self._bytes and used > self._bytes and _oldest(connection) is not None:
            self._shrinks_to = max(1, int(self._bytes * _ENOUGH))
            limit = f"position_tracker.retain_bytes, {self._bytes:,}"
            self._say("info", f"the oldest records go: all together have {used:,} bytes, more than {limit}")


def forget(connection: sqlite3.Connection, bound: Bound, at_once: int = ROWS_AT_ONCE) -> int:
    """Throw the first rows of each table within the bound away, so many at most; how many went."""
    count = 0
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        for table in _GOES:
            key = "id" if table == "orders" else "segment, offset, n"
            chosen = f"SELECT {key} FROM {table} {_where(table, bound)}"
            values = (*bound.values, at_once)
            if table == "orders":
                connection.execute(f"{_PARTS} ({chosen}))", values)
            count += connection.execute(f"DELETE FROM {table} WHERE ({key}) IN ({chosen})", values).rowcount
    return count


def _where(table: str, bound: Bound) -> str:
    return f"WHERE {bound.condition} AND {_GOES[table]} ORDER BY {bound.order} LIMIT ?"


def _has_any(connection: sqlite3.Connection, table: str, bound: Bound) -> bool:
    return (
        connection.execute(f"SELECT 1 FROM {table} {_where(table, bound)}", (*bound.values, 1)).fetchone() is not None
    )


def _oldest(connection: sqlite3.Connection) -> Bound | None:
    """A piece of the oldest rows that may go; ``None`` where none may."""
    ends = []
    for table, goes in _GOES.items():
        rows = connection.execute(
            f"SELECT segment, offset FROM {table} WHERE {goes} ORDER BY segment, offset, n LIMIT ?", (ROWS_AT_ONCE,)
        ).fetchall()
        ends += rows[-1:]
    return by_place(*min(ends)) if ends else None


def _used_bytes(connection: sqlite3.Connection) -> int:
    return (_pragma(connection, "page_count") - _pragma(connection, "freelist_count")) * _pragma(
        connection, "page_size"
    )


def _give_back(connection: sqlite3.Connection) -> bool:
    """Give a few free pages back to the disk, where the store was made for that; else they are used again."""
    if _pragma(connection, "freelist_count") < PAGES_AT_ONCE or _pragma(connection, "auto_vacuum") != 2:
        return False
    connection.execute(f"PRAGMA incremental_vacuum({PAGES_AT_ONCE})").fetchall()
    return True


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])
