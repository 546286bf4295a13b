"""Follows a journal while it is written, and reads what the store is made from; market data is stepped over.

A record that is not whole yet, or is torn where a killed writer left it, is waited for: it is the end so far. Damage is
told, as ``JournalReader`` does.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from time import sleep
from typing import Any, BinaryIO, Final, NamedTuple, cast
from zlib import crc32

import zstandard

from sengine.adapters.journal.continuity import Stretch, check_follows, damaged
from sengine.adapters.journal.format import (
    HEAD,
    LONGEST_RECORD,
    MARKET_TAGS,
    PREFIX,
    TAGS,
    Closed,
    Gap,
    Header,
    Sample,
    StrategyLoaded,
    StrategySwapped,
    decode,
    has_record_after,
    is_room,
    segments,
)
from sengine.adapters.journal.reader import content
from sengine.domain.events import ReloadParameters, RemoteReady, UnloadStrategy
from sengine.domain.order import Fill, OrderUpdate
from sengine.engine.checkpoint.checkpoint import Checkpoint
from sengine.engine.checkpoint.follower import Happened
from sengine.errors import JournalError

CHUNK_BYTES: Final = 1 << 13
# The system copies a frame into the file within microseconds; what stays unsound for so long is damage.
_LOOKS: Final = 10
_LOOK_EVERY_S: Final = 0.005
_NEEDED: Final = (
    Header, Checkpoint, Gap, Closed, Sample, Happened, Fill, OrderUpdate, StrategyLoaded, StrategySwapped,
    ReloadParameters, UnloadStrategy, RemoteReady,
)  # fmt: skip
_PREFIXES: Final = tuple(PREFIX[kind] for kind in _NEEDED)
_MARKET: Final = frozenset(PREFIX[kind] for kind, tag in TAGS.items() if tag in MARKET_TAGS)


class TailEntry(NamedTuple):
    """A record, where it lies, and its checksum."""

    segment: int
    offset: int
    checksum: int
    record: Any


class JournalTail:
    """The journal in ``directory`` from the beginning of ``segment`` on, or of the oldest after it that there is.

    ``segment`` and ``next`` say how far it was read: whole records up to byte ``next`` of a segment.
    """

    def __init__(self, directory: Path, segment: int = 0, chunk_bytes: int = CHUNK_BYTES) -> None:
        self.segment = 0
        self.next = 0
        self._at_least = segment
        self._directory = directory
        self._chunk = chunk_bytes
        self._path = directory
        self._file: BinaryIO | None = None
        self._is_plain = True
        self._held = b""
        self._is_finished = False
        """Whether what is read now is all that this segment will ever hold."""
        self._why = ""
        """What is unsound at ``next``, where the end so far is."""
        self._first_record = 0
        self._count = 0
        """Records of the segment so far."""
        self._before: Stretch | None = None
        """The segment before this one, where that was read."""

    def read(self) -> list[TailEntry] | None:
        """The needed records of the next piece, often none; ``None`` when nothing more is there yet. Raises
        ``JournalError`` where the journal is damaged, ``OSError`` where it cannot be read."""
        if self._file is None and not self._open():
            return None
        entries = self._next_entries()
        if entries is not None or not (self._is_finished or self._has_later()):
            return entries
        if not self._is_finished:
            # The next segment is begun once this one is written to its end, which may have been a moment ago.
            self._is_finished = True
            self._look_again()
            return []
        if self._why or not is_room(self._held):
            raise self._damaged(self.next, self._why or "it ends within a record")
        if not self._count:
            raise self._damaged(0, "it is empty")
        self.close()
        self._before = Stretch(self._path, self.segment, self.next, self._first_record + self._count)
        self._at_least = self.segment + 1
        return [] if self._open() else None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _has_later(self) -> bool:
        return any(number > self.segment for number in segments(self._directory))

    def _open(self) -> bool:
        found = [(number, path) for number, path in segments(self._directory).items() if number >= self._at_least]
        if not found:
            return False
        number, self._path = found[0]
        try:
            # Without a buffer: what was room a moment ago is read again.
            file = cast("BinaryIO", self._path.open("rb", buffering=0))
        except FileNotFoundError:
            return False  # it has just been compressed or thrown away; the next look finds what is there
        self._is_plain = self._path.suffix != ".zst"
        if not self._is_plain:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=True)
            file = cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader)))
        if self._before is not None and number != self._before.segment + 1:
            self._before = None  # some were thrown away; the checkpoint tells what is true
        self._file, self.segment, self.next, self._held, self._count = file, number, 0, b"", 0
        self._is_finished = False
        return True

    def _piece(self, file: BinaryIO) -> bytes:
        try:
            return file.read(max(self._chunk, len(self._held)))
        except zstandard.ZstdError as error:
            raise JournalError(f"{self._path}: cannot be uncompressed: {error}; the file is damaged") from error

    def _next_entries(self) -> list[TailEntry] | None:
        """Those of the next piece of this segment; ``None`` when there is no more of it, or nothing but room."""
        file = self._file
        assert file is not None
        piece = self._piece(file)
        if not piece:
            if self._held and self._is_damage(file):
                raise self._damaged(self.next, "a record's length points past the end, over whole records")
            return None
        data = self._held + piece
        unpack, size, end = HEAD.unpack_from, HEAD.size, len(data)
        at, why, entries = 0, "", []
        while end - at >= size:
            length, checksum = unpack(data, at)
            body = at + size
            if not 2 <= length <= LONGEST_RECORD:
                why = f"a record's length cannot be {length}"
                break
            if end - body < length:
                break
            payload = memoryview(data)[body : body + length]
            if crc32(payload) != checksum:
                why = "its checksum is not that of its content"
                break
            if payload[:3] not in _MARKET and data.startswith(_PREFIXES, body):
                try:
                    _, record = decode(payload)
                except JournalError as error:
                    raise JournalError(f"{self._path}: byte {self.next + at}: {error}") from error
                if isinstance(record, Header):
                    self._begin(record)
                entries.append(TailEntry(self.segment, self.next + at, checksum, record))
            at = body + length
            self._count += 1
        self.next += at
        self._held = data[at:]
        is_at_room = is_room(self._held)
        if why and self._is_damage(file):
            raise self._damaged(self.next, why)
        self._why = "" if is_at_room else why
        if (why or is_at_room) and self._is_plain:
            self._look_again()
            return entries if at else None
        return entries

    def _look_again(self) -> None:
        """What is there from ``next`` on may be written over, and is read anew."""
        if self._is_plain and self._file is not None:
            self._held = b""
            self._file.seek(self.next)

    def _begin(self, header: Header) -> None:
        if self._before is not None:
            check_follows(self._before, header, lambda: content(self._path))
        self._first_record = header.first_record

    def _is_damage(self, file: BinaryIO) -> bool:
        """Whether what is unsound at ``next`` has a whole record behind it, and is not being written either."""
        if not self._is_plain:
            self._held += file.read()
            return has_record_after(memoryview(self._held), 0)
        rest = os.pread(file.fileno(), os.fstat(file.fileno()).st_size - self.next, self.next)
        return has_record_after(memoryview(rest), 0) and not self._is_being_written(file)

    def _is_being_written(self, file: BinaryIO) -> bool:
        """Whether the bytes at ``next`` change: then a writer is in the middle of them."""
        for _ in range(_LOOKS):
            sleep(_LOOK_EVERY_S)
            if os.pread(file.fileno(), len(self._held), self.next) != self._held:
                return True
        return False

    def _damaged(self, offset: int, why: str) -> JournalError:
        return damaged(self._path, self.segment, offset, why)
