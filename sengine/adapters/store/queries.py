"""What can be asked of the store: rows by time, strategy and symbol, oldest first, as they are to be shown."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sengine.adapters.store.schema import open_to_read, unreadable


class Question(msgspec.Struct, frozen=True):
    """Which rows: from ``since_ns`` on and before ``until_ns``, of a strategy and symbol where they are given, and the
    newest ``limit`` of them, 0 for all."""

    since_ns: int | None = None
    until_ns: int | None = None
    strategy_id: str = ""
    symbol: str = ""
    limit: int = 0


class Kind(msgspec.Struct, frozen=True):
    """A kind of rows: its columns and where they come from. ``time_ns`` comes first and is shown as a time."""

    columns: Sequence[tuple[str, str]]
    """Name and SQL type."""
    select: str
    source: str
    strategy: str = "strategy_id = :strategy_id"
    has_symbol: bool = True
    order: str = "time_ns, segment, offset, n"


_TIME: Final = ("time_ns", "INTEGER")
_AUTHOR: Final = (("strategy_id", "TEXT"), ("symbol", "TEXT"))
_FROM: Final = (("segment", "INTEGER"), ("offset", "INTEGER"))
_HELD: Final = (
    _TIME, *_AUTHOR, ("quantity", "REAL"), ("average_price", "REAL"), ("realized_pnl", "REAL"), ("commission", "REAL"),
    *_FROM,
)  # fmt: skip
_AS_OF: Final = (
    "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY strategy_id, symbol "
    "ORDER BY segment DESC, offset DESC, n DESC) AS age FROM positions "
    "WHERE :until_ns IS NULL OR time_ns < :until_ns) WHERE age = 1)"
)


def _plain(columns: Sequence[tuple[str, str]], source: str, **more: Any) -> Kind:
    return Kind(columns, ", ".join(name for name, _ in columns), source, **more)


KINDS: Final[dict[str, Kind]] = {
    "signals": Kind(
        (
            _TIME, *_AUTHOR, ("direction", "TEXT"), ("confidence", "REAL"), ("size", "REAL"), ("limit_price", "REAL"),
            ("disposition", "TEXT"), ("check", "TEXT"), ("code", "TEXT"), ("reason", "TEXT"), ("version", "TEXT"),
            ("sequence", "INTEGER"), *_FROM,
        ),
        "time_ns, strategy_id, symbol, direction, confidence, size, limit_price, disposition, check_name, code, "
        "reason, version, sequence, segment, offset",
        "signals",
    ),
    "orders": Kind(
        (
            _TIME, ("strategies", "TEXT"), ("symbol", "TEXT"), ("side", "TEXT"), ("type", "TEXT"), ("quantity", "REAL"),
            ("limit_price", "REAL"), ("status", "TEXT"), ("filled", "REAL"), ("average_price", "REAL"),
            ("commission", "REAL"), ("updated_ns", "INTEGER"), ("reason", "TEXT"), ("order_id", "TEXT"), *_FROM,
        ),
        "time_ns, strategies, symbol, side, type, quantity, limit_price, status, filled, "
        "CASE WHEN filled > 0 AND notional > 0 THEN notional / filled END, commission, updated_ns, reason, order_id, "
        "segment, offset",
        "orders",
        strategy="instr(',' || strategies || ',', ',' || :strategy_id || ',') > 0",
    ),
    "fills": _plain(
        (
            _TIME, *_AUTHOR, ("side", "TEXT"), ("price", "REAL"), ("quantity", "REAL"), ("commission", "REAL"),
            ("realized", "REAL"), ("order_id", "TEXT"), ("fill_id", "TEXT"), *_FROM,
        ),
        "fills",
    ),
    "positions": _plain(_HELD, _AS_OF, order="strategy_id, symbol"),
    "position-changes": _plain(_HELD, "positions"),
    "pnl": _plain(
        (
            _TIME, ("strategy_id", "TEXT"), ("realized", "REAL"), ("unrealized", "REAL"), ("equity", "REAL"),
            ("max_drawdown", "REAL"), *_FROM,
        ),
        "pnl", has_symbol=False,
    ),
    "strategies": _plain(
        (
            _TIME, ("strategy_id", "TEXT"), ("what", "TEXT"), ("version", "TEXT"), ("failure", "TEXT"),
            ("config", "TEXT"), *_FROM,
        ),
        "strategies", has_symbol=False,
    ),
}  # fmt: skip


def ask(path: Path, kind: str, question: Question) -> Iterator[tuple[Any, ...]]:
    """The rows, oldest first. Raises ``StoreError``."""
    what = KINDS[kind]
    conditions = []
    if question.since_ns is not None:
        conditions.append("time_ns >= :since_ns")
    if question.until_ns is not None:
        conditions.append("time_ns < :until_ns")
    if question.strategy_id:
        conditions.append(what.strategy)
    if question.symbol and what.has_symbol:
        conditions.append("symbol = :symbol")
    where = " AND ".join(conditions) or "1"
    newest_first = ", ".join(f"{column} DESC" for column in what.order.split(", "))
    order = newest_first if question.limit else what.order
    sql = f"SELECT {what.select} FROM {what.source} WHERE {where} ORDER BY {order}"
    if question.limit:
        sql += " LIMIT :limit"
    connection = open_to_read(path)
    try:
        found = connection.execute(sql, msgspec.structs.asdict(question))
        yield from reversed(found.fetchall()) if question.limit else found
    except sqlite3.Error as error:
        raise unreadable(path, error) from error
    finally:
        connection.close()
