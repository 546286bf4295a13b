"""Follows a journal while it is written, and reads what the store is made from; market data is stepped over.

A record that is not whole yet is waited for. Damage is told, as ``JournalReader`` does.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple, cast
from zlib import crc32

import zstandard

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
    segments,
)
from sengine.domain.events import ReloadParameters, RemoteReady, UnloadStrategy
from sengine.domain.order import Fill, OrderUpdate
from sengine.engine.checkpoint import Checkpoint
from sengine.engine.following import Happened
from sengine.errors import JournalError

CHUNK_BYTES: Final = 1 << 13
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
        self._held = b""

    def read(self) -> list[TailEntry] | None:
        """The needed records of the next piece, often none; ``None`` when nothing more is there yet. Raises
        ``JournalError`` where the journal is damaged, ``OSError`` where it cannot be read."""
        if self._file is None and not self._open():
            return None
        piece = self._piece()
        if not piece and not self._goes_on():
            return None
        return self._entries(piece)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _goes_on(self) -> bool:
        """Whether there is more after all: the last of a segment, or the next one."""
        later = [number for number in segments(self._directory) if number > self.segment]
        if not later:
            return False
        # The next segment is begun once this one is written to its end, which may have been a moment ago.
        assert self._file is not None
        if self._peek():
            return True
        if self._held:
            raise self._damaged(self.next, "it ends within a record")
        self.close()
        self._at_least = self.segment + 1
        return self._open()

    def _open(self) -> bool:
        found = [(number, path) for number, path in segments(self._directory).items() if number >= self._at_least]
        if not found:
            return False
        number, self._path = found[0]
        try:
            file = cast("BinaryIO", self._path.open("rb"))
        except FileNotFoundError:
            return False  # it has just been compressed or thrown away; the next look finds what is there
        if self._path.suffix == ".zst":
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True, closefd=True)
            file = cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", reader)))
        self._file, self.segment, self.next, self._held = file, number, 0, b""
        return True

    def _peek(self) -> bool:
        more = self._piece()
        self._held += more
        return bool(more)

    def _piece(self) -> bytes:
        assert self._file is not None
        try:
            return self._file.read(max(self._chunk, len(self._held)))
        except zstandard.ZstdError as error:
            raise JournalError(f"{self._path}: cannot be uncompressed: {error}; the file is damaged") from error

    def _entries(self, piece: bytes) -> list[TailEntry]:
        data = self._held + piece
        unpack, size, end = HEAD.unpack_from, HEAD.size, len(data)
        at, entries = 0, []
        while end - at >= size:
            length, checksum = unpack(data, at)
            body = at + size
            if not 2 <= length <= LONGEST_RECORD:
                raise self._damaged(self.next + at, f"a record's length cannot be {length}")
            if end - body < length:
                break
            if data[body : body + 3] not in _MARKET and data.startswith(_PREFIXES, body):
                payload = memoryview(data)[body : body + length]
                if crc32(payload) != checksum:
                    raise self._damaged(self.next + at, "its checksum is not that of its content")
                try:
                    _, record = decode(payload)
                except JournalError as error:
                    raise JournalError(f"{self._path}: byte {self.next + at}: {error}") from error
                entries.append(TailEntry(self.segment, self.next + at, checksum, record))
            at = body + length
        self._held = data[at:]
        self.next += at
        return entries

    def _damaged(self, offset: int, why: str) -> JournalError:
        return JournalError(f"{self._path}: byte {offset}: damaged: {why}")
