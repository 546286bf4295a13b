"""Keeps the store of records: a thread follows the journal's files and writes what is new, in batches.

The engine's loop has no part in it: the journal is what it hands over. A store that cannot be written lags behind and
catches up, and whatever becomes of it, trading goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import monotonic, sleep
from typing import Final

from sengine.adapters.journal.format import segments
from sengine.adapters.store.projection import Projection
from sengine.adapters.store.retention import StoreRetention
from sengine.adapters.store.schema import OtherVersionError, is_damage, open_to_write, set_aside
from sengine.adapters.store.tail import CHUNK_BYTES, JournalTail, TailEntry
from sengine.errors import JournalError, StoreError

EVERY_S: Final = 0.2
AGAIN_S: Final = 2.0
BETWEEN_PIECES_S: Final = 0.02
# So short that the loop, which waits for the interpreter meanwhile, does not notice.
_AT_ONCE: Final = 8
_AT_PLACE: Final = "INSERT OR REPLACE INTO place VALUES (1, ?, ?, ?)"


class OtherJournalError(StoreError):
    """The journal is not the one that the store was made from."""


class Store:
    """An open store and its place in the journal of ``directory``. ``advance`` brings it on by a piece.

    Raises ``StoreError``, ``JournalError``, ``sqlite3.Error`` and ``OSError``; where making the store anew would help,
    ``OtherVersionError`` and ``OtherJournalError``. After a ``sqlite3.OperationalError`` of ``advance`` the same piece
    can be tried again.
    """

    def __init__(self, path: Path, directory: Path, *, chunk_bytes: int = CHUNK_BYTES, at_once: int = _AT_ONCE) -> None:
        self.changes = 0
        """Rows written, or written over."""
        self.connection = open_to_write(path)
        self._at_once = at_once
        self._projection = Projection()
        self._read: list[TailEntry] = []
        self._last: TailEntry | None = None
        """Of what is projected and not written yet."""
        self._tail = JournalTail(directory, chunk_bytes=chunk_bytes)
        try:
            place = self.connection.execute("SELECT segment, offset, checksum FROM place").fetchone()
            if place is not None:
                self._tail = JournalTail(directory, place[0], chunk_bytes)
                self._find(directory, *place)
        except BaseException:
            self.close()
            raise

    def advance(self) -> bool:
        """Read and write a little; whether there may be more."""
        if self._last is None:
            if not self._read:
                entries = self._tail.read()
                if entries is None:
                    return False
                self._read = entries
            now, self._read = self._read[: self._at_once], self._read[self._at_once :]
            for entry in now:
                self._projection.apply(entry)
                self._last = entry
        if self._last is not None:
            self._write(self._last)
            self._last = None
        return True

    def close(self) -> None:
        self._tail.close()
        self.connection.close()

    def _find(self, directory: Path, segment: int, offset: int, checksum: int) -> None:
        """Go through the segment that the store ends in, up to its place, and see that it is the same journal."""
        there = segments(directory)
        if segment not in there and there and max(there) > segment:
            return  # it was thrown away; the next one begins with a checkpoint
        is_found = False
        while not self._read and (entries := self._tail.read()) is not None:
            for number, entry in enumerate(entries):
                if (entry.segment, entry.offset) > (segment, offset):
                    self._read = entries[number:]
                    break
                self._projection.apply(entry)
                is_found = (entry.segment, entry.offset, entry.checksum) == (segment, offset, checksum)
        if not is_found:
            raise OtherJournalError(f"the records are not those of the journal in {directory}")
        self._projection.statements.clear()

    def _write(self, last: TailEntry) -> None:
        execute, statements = self.connection.execute, self._projection.statements
        try:
            execute("BEGIN IMMEDIATE")
            for statement, values in statements:
                execute(statement, values)
            execute(_AT_PLACE, (last.segment, last.offset, last.checksum))
            execute("COMMIT")
        except sqlite3.Error:
            if self.connection.in_transaction:
                execute("ROLLBACK")
            raise
        self.changes += len(statements)
        statements.clear()


class StoreKeeper:
    """Keeps the store at ``path`` up with the journal in ``directory``, on a thread, from ``start`` to ``stop``.

    ``say`` is called, on that thread, with a level and a sentence. Rows older than ``retain_for_ns`` go, and the oldest
    where there are more than ``retain_bytes``; 0 keeps all.
    """

    def __init__(
        self,
        path: Path,
        directory: Path,
        say: Callable[[str, str], None],
        retain_for_ns: int = 0,
        retain_bytes: int = 0,
        again_s: float = AGAIN_S,
    ) -> None:
        self.failure = ""
        """Why the store is not kept up; empty while it is."""
        self.changes = 0
        self.path = path
        self._directory = directory
        self._say = say
        self._retention = StoreRetention(retain_for_ns, retain_bytes, say)
        self._again_s = again_s
        self._has_set_aside = False
        self._has_more = False
        """Old rows that wait to be thrown away."""
        self._store: Store | None = None
        self._deadline_s = 0.0
        self._stop = Event()
        self._thread = Thread(target=self._run, name="store", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Write what the journal still has, as far as the time allows; the next start does the rest."""
        self._deadline_s = monotonic() + timeout_s
        self._stop.set()
        self._thread.join(timeout_s + 1.0)

    def _run(self) -> None:
        is_last = False
        while not is_last:
            is_last = self._stop.is_set()
            try:
                self._keep_up()
            except (sqlite3.Error, OSError, StoreError, JournalError, OverflowError, ValueError) as error:
                if not isinstance(error, sqlite3.OperationalError):
                    self._close()
                self._failed(error)
            else:
                self._mended()
            if not is_last:
                self._stop.wait(self._again_s if self.failure else BETWEEN_PIECES_S if self._has_more else EVERY_S)
        self._close()

    def _keep_up(self) -> None:
        self._has_more = False
        store = self._store
        if store is None:
            store = self._store = self._open()
        before = store.changes
        try:
            while store.advance():
                if self._deadline_s and monotonic() > self._deadline_s:
                    return
                sleep(0)  # the loop's turn
        finally:
            self.changes += store.changes - before
        if self._retention.step(store.connection):
            self._has_more = True

    def _open(self) -> Store:
        try:
            return Store(self.path, self._directory)
        except (OtherVersionError, OtherJournalError) as other:
            aside = set_aside(self.path)
            self._say("warning", f"{other}; they were set aside as {aside}, and are made anew from the journal")
            return Store(self.path, self._directory)

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _failed(self, error: Exception) -> None:
        if is_damage(error) and not self._has_set_aside:
            # Once: a disk that damages files would damage the next one too.
            self._has_set_aside = True
            self._close()
            try:
                aside = set_aside(self.path)
            except OSError as why:
                error = why
            else:
                self._say("warning", f"{self.path}: {error}; set aside as {aside}, and made anew from the journal")
                return
        reason = in_words(error)
        if reason != self.failure:
            self.failure = reason
            self._say("error", f"the store {self.path} is not kept up: {reason}; trading goes on")

    def _mended(self) -> None:
        if self.failure:
            self.failure = ""
            self._say("info", f"the store {self.path} is kept up again")


def in_words(error: Exception) -> str:
    """What is wrong with a store, and what to do."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith("SQLITE_FULL"):
        return "the disk is full; once there is room it catches up by itself"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another process has it locked; once that lets go it catches up by itself"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return f"it cannot be written ({error}); look at the permissions of the file and its folder"
    if is_damage(error):
        return f"it is damaged ({error}); stop the engine and make it anew with `sengine journal rebuild`"
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be used: {error.strerror}"
    return str(error)
