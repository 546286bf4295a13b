"""Makes the store anew from the journal. What the journal no longer has is taken from the store that was there."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.store.keeper import Store, in_words
from sengine.adapters.store.schema import ENDED, TABLES, OtherVersionError, is_damage, open_to_write, set_aside
from sengine.engine.checkpoint.checkpoint import Checkpoint
from sengine.errors import SengineError, StoreError


class Rebuilt(msgspec.Struct, frozen=True):
    """How many rows there are, of them from the store before, and where that one is now."""

    rows: int
    carried_over: int
    aside: Path | None


def rebuild(path: Path, directory: Path) -> Rebuilt:
    """Make the store at ``path`` from the journal in ``directory``. No engine may be writing it.

    Raises ``JournalError``, ``StoreError`` and, where it cannot be written, ``SengineError``; the store is then as it
    was.
    """
    reader = JournalReader(directory)
    new = path.with_name(path.name + ".new")
    try:
        for suffix in ("", "-wal", "-shm"):
            new.with_name(new.name + suffix).unlink(missing_ok=True)
        carried_over = _carry_over(path, new, reader) if path.exists() else 0
        store = Store(new, directory, chunk_bytes=1 << 20, at_once=2000)
        try:
            while store.advance():
                pass
            rows = _count(store.connection)
            store.connection.execute("PRAGMA optimize")
        finally:
            store.close()
        aside = set_aside(path) if path.exists() else None
        new.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise SengineError(f"{path}: the store cannot be made: {in_words(error)}") from error
    return Rebuilt(rows, carried_over, aside)


def _count(connection: sqlite3.Connection) -> int:
    return sum(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES)


def _carry_over(old: Path, new: Path, reader: JournalReader) -> int:
    """Copy rows of segments that are gone; how many. A store that cannot be read has none to give."""
    first = min(reader.paths)
    try:
        open_to_write(old).close()
    except OtherVersionError:
        return 0  # it is set aside, and can be asked by the version that made it
    except sqlite3.DatabaseError as error:
        if is_damage(error):
            return 0
        raise
    connection = open_to_write(new)
    try:
        connection.execute("ATTACH ? AS old", (str(old),))
        connection.execute("BEGIN")
        with connection:
            for table in TABLES:
                connection.execute(f"INSERT INTO {table} SELECT * FROM old.{table} WHERE segment < ?", (first,))
            _take_back(connection, reader, first)
        return _count(connection)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        raise StoreError(f"{old}: its rows from before the journal cannot be read: {error}; move it away") from error
    finally:
        connection.close()


def _take_back(connection: sqlite3.Connection, reader: JournalReader, first: int) -> None:
    """Orders that were open when the journal begins are to be as they were then: it tells the rest."""
    states = [entry.record for entry in reader.of_segment(first) if isinstance(entry.record, Checkpoint)][:1]
    for working in [working for state in states for working in state.orders.open]:
        order = working.order
        shares = connection.execute(
            "SELECT price, quantity, commission FROM fills WHERE order_id = ? ORDER BY segment, offset, n",
            (order.order_id,),
        ).fetchall()
        notional, commission = sum(price * quantity for price, quantity, _ in shares), sum(row[2] for row in shares)
        connection.execute(
            "UPDATE orders SET filled = ?, notional = ?, commission = ?, "
            f"reason = CASE WHEN {ENDED} THEN '' ELSE reason END, status = CASE WHEN {ENDED} THEN ? ELSE status END "
            "WHERE order_id = ?",
            (working.filled, notional, commission, "partially_filled" if working.filled else "sent", order.order_id),
        )
