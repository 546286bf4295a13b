"""The store of records: an SQLite file with what became of signals, orders, fills and positions.

It is a projection of the journal: each row names the record that it was made from, by segment and byte, and
``sengine journal rebuild`` makes all of it again. There is no migration from an older ``VERSION``: it is made anew.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from sengine.errors import StoreError

VERSION: Final = 1
FILE_NAME: Final = "positions.db"
APPLICATION_ID: Final = 0x53454E47
BUSY_MS: Final = 500

TABLES: Final = ("sessions", "strategies", "signals", "orders", "order_parts", "fills", "positions", "pnl")
"""Every table of rows. ``segment`` and ``offset`` are the journal's record that a row comes from, ``n`` tells the rows
of one record apart."""

ENDED: Final = "status IN ('filled', 'cancelled', 'rejected', 'lost')"
"""Of orders of which nothing more is expected."""
_PLACE: Final = "segment INTEGER NOT NULL, offset INTEGER NOT NULL, n INTEGER NOT NULL"
_KEY: Final = "PRIMARY KEY (segment, offset, n)) WITHOUT ROWID, STRICT"
_DDL: Final = f"""
CREATE TABLE place (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    segment INTEGER NOT NULL, offset INTEGER NOT NULL, checksum INTEGER NOT NULL
) STRICT;
CREATE TABLE sessions ({_PLACE}, time_ns INTEGER NOT NULL, session TEXT NOT NULL, program TEXT NOT NULL,
    ended_ns INTEGER, {_KEY};
CREATE TABLE strategies ({_PLACE}, time_ns INTEGER NOT NULL, strategy_id TEXT NOT NULL, what TEXT NOT NULL,
    version TEXT NOT NULL, config TEXT NOT NULL, failure TEXT NOT NULL, {_KEY};
CREATE TABLE signals ({_PLACE}, time_ns INTEGER NOT NULL, sequence INTEGER NOT NULL, strategy_id TEXT NOT NULL,
    version TEXT NOT NULL, symbol TEXT NOT NULL, direction TEXT NOT NULL, confidence REAL NOT NULL, size REAL NOT NULL,
    limit_price REAL, disposition TEXT NOT NULL, check_name TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL,
    {_KEY};
CREATE TABLE orders (id INTEGER PRIMARY KEY, {_PLACE}, time_ns INTEGER NOT NULL, order_id TEXT NOT NULL,
    strategies TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, type TEXT NOT NULL, quantity REAL NOT NULL,
    limit_price REAL, status TEXT NOT NULL, filled REAL NOT NULL, notional REAL NOT NULL, commission REAL NOT NULL,
    updated_ns INTEGER NOT NULL, cancel_asked INTEGER NOT NULL, reason TEXT NOT NULL,
    UNIQUE (segment, offset, n)) STRICT;
CREATE TABLE order_parts ({_PLACE}, order_id TEXT NOT NULL, strategy_id TEXT NOT NULL, quantity REAL NOT NULL,
    signal_sequence INTEGER NOT NULL, {_KEY};
CREATE TABLE fills ({_PLACE}, time_ns INTEGER NOT NULL, fill_id TEXT NOT NULL, order_id TEXT NOT NULL,
    strategy_id TEXT NOT NULL, symbol TEXT NOT NULL, side TEXT NOT NULL, price REAL NOT NULL, quantity REAL NOT NULL,
    commission REAL NOT NULL, realized REAL, {_KEY};
CREATE TABLE positions ({_PLACE}, time_ns INTEGER NOT NULL, strategy_id TEXT NOT NULL, symbol TEXT NOT NULL,
    quantity REAL, average_price REAL, realized_pnl REAL, commission REAL, {_KEY};
CREATE TABLE pnl ({_PLACE}, time_ns INTEGER NOT NULL, strategy_id TEXT NOT NULL, realized REAL,
    unrealized REAL, equity REAL, max_drawdown REAL, {_KEY};
CREATE INDEX signals_by_time ON signals (time_ns);
CREATE INDEX orders_by_time ON orders (time_ns);
CREATE INDEX orders_by_id ON orders (order_id);
CREATE INDEX orders_open ON orders (status) WHERE NOT ({ENDED});
CREATE INDEX fills_by_time ON fills (time_ns);
CREATE INDEX positions_by_time ON positions (time_ns);
CREATE INDEX positions_by_pair ON positions (strategy_id, symbol, segment, offset, n);
CREATE INDEX pnl_by_time ON pnl (time_ns);
CREATE VIEW held AS SELECT * FROM positions WHERE (strategy_id, symbol, segment, offset, n) IN (
    SELECT strategy_id, symbol, segment, offset, n FROM (
        SELECT *, row_number() OVER (PARTITION BY strategy_id, symbol ORDER BY segment DESC, offset DESC, n DESC) AS age
        FROM positions) WHERE age = 1);
"""


class OtherVersionError(StoreError):
    """A store that another version of sengine made."""


def open_to_write(path: Path, *, busy_ms: int = BUSY_MS) -> sqlite3.Connection:
    """Open the store, made where there is none, for its owner only. Raises ``StoreError``, ``OtherVersionError``,
    ``sqlite3.Error`` and ``OSError``."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives its other files the permissions of this one.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
    path.chmod(0o600)
    is_new = not _check_is_ours(path)
    connection = sqlite3.connect(path, timeout=busy_ms / 1000, isolation_level=None, check_same_thread=False)
    try:
        if is_new:
            # Before the file has a WAL: what it is must stand in the file itself.
            # So that room which becomes free can be given back in small pieces.
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        if not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            connection.executescript(f"BEGIN IMMEDIATE; {_DDL} PRAGMA user_version = {VERSION}; COMMIT")
        _check_version(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_to_read(path: Path) -> sqlite3.Connection:
    """Open a store while an engine may be writing it. Raises ``StoreError``."""
    if not path.is_file():
        raise StoreError(
            f"{path}: there are no records here; an engine with position_tracker.persistence and journal.enabled makes "
            "them. Name the engine's configuration with -c, or the file with --db"
        )
    try:
        _check_is_ours(path)
    except OSError as error:
        raise StoreError(f"{path}: the records cannot be read: {error.strerror}") from error
    name = path.absolute().as_uri()
    for mode in ("mode=ro", "mode=ro&immutable=1"):  # the second where its folder cannot be written either
        try:
            connection = sqlite3.connect(f"{name}?{mode}", uri=True, timeout=5.0, isolation_level=None)
            _check_version(path, connection)
        except sqlite3.OperationalError as error:
            trouble: sqlite3.Error = error
        except sqlite3.Error as error:
            trouble = error
            break
        else:
            return connection
    raise unreadable(path, trouble)


def unreadable(path: Path, trouble: sqlite3.Error) -> StoreError:
    """For a person who asked for records."""
    return StoreError(
        f"{path}: the records cannot be read: {trouble}; stop the engine and make them anew with `sengine journal "
        "rebuild`"
    )


def _check_is_ours(path: Path) -> bool:
    """Whether the file is a store; false for an empty one. Raises ``StoreError`` for anything else, and leaves it."""
    with path.open("rb") as file:
        head = file.read(100)
    if head and (head[:16] != b"SQLite format 3\0" or head[68:72] != APPLICATION_ID.to_bytes(4, "big")):
        raise StoreError(
            f"{path}: expected sengine's records, found another file; move it away, or give position_tracker.db_path"
        )
    return bool(head)


def _check_version(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        raise OtherVersionError(
            f"{path}: made by another version of sengine (format {version}, this one has {VERSION}); stop the engine "
            "and make the records anew with `sengine journal rebuild`"
        )


def set_aside(path: Path) -> Path:
    """Move a store out of the way, with what SQLite keeps beside it; where it is now. Raises ``OSError``."""
    number = 1
    while (aside := path.with_name(f"{path.name}.aside-{number}")).exists():
        number += 1
    for suffix in ("-wal", "-shm", ""):
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.replace(aside.with_name(aside.name + suffix))
    return aside


def is_damage(error: Exception) -> bool:
    """Whether the file's content is at fault, so that only making it anew helps."""
    name = getattr(error, "sqlite_errorname", "")
    return name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) or isinstance(error, sqlite3.IntegrityError)
