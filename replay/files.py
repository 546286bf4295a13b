"""Text files as blocks of whole lines: plain, gzip or zstd (told from the content), in flat memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from io import BufferedReader
from itertools import chain
from typing import Final, NamedTuple

from replay.decompress import DamageError, decompressed, foreign_format
from sengine.errors import DataError

BLOCK_BYTES: Final = 1 << 16
MAX_LINE_BYTES: Final = 1 << 20

PARQUET_MAGIC: Final = b"PAR1"
_BOM: Final = b"\xef\xbb\xbf"


class LineBlock(NamedTuple):
    """Consecutive lines of a file."""

    first_line: int
    """1-based number in the file of the first line."""
    lines: int
    text: bytes
    """The lines, each ending in a newline."""
    too_long: bool = False
    """This stands for one line that was longer than allowed; its text was thrown away."""


class LineFile:
    """A text file that is open, is not empty and has a header line; ``blocks`` gives what follows the header.

    Raises ``DataError`` when the file is missing, a directory, unreadable, empty, or has no header line.
    """

    def __init__(self, path: str, *, block_bytes: int = BLOCK_BYTES, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.path = path
        self._block_bytes = block_bytes
        self._max_line_bytes = max_line_bytes
        self._file = open_binary(path)
        self._damage = ""
        self._pending_bytes = 0
        try:
            if foreign := foreign_format(self._file):
                raise DataError(f"{path} holds {foreign} data; expected CSV text, plain or as .gz or .zst")
            self._size_bytes = os.fstat(self._file.fileno()).st_size
            self._pieces = _grouped(self._content(), block_bytes)
            self.header, self._rest = self._read_header()
        except BaseException:
            self._file.close()
            raise

    def blocks(self) -> Iterator[LineBlock]:
        """Whole lines, about 4 MB at a time, once.

        A compressed file that is damaged gives all lines before the damage and then raises ``DataError``.
        """
        line = 2
        carry = b""
        in_long_line = False
        start, self._rest = self._rest, b""
        for piece in chain((start,), self._pieces):
            text = piece
            if in_long_line:
                end = text.find(b"\n")
                if end < 0:
                    continue
                in_long_line = False
                yield LineBlock(line, 1, b"", too_long=True)
                line += 1
                text = text[end + 1 :]
            end = text.rfind(b"\n") + 1
            if end:
                for block in self._without_long_lines(line, carry + text[:end]):
                    yield block
                    line += block.lines
                carry = b""
            carry += text[end:]
            if len(carry) > self._max_line_bytes:
                carry = b""
                in_long_line = True
        if self._damage:
            raise DataError(
                f"{self.path}: {self._damage}; the {line - 1:,} lines before that were read. "
                "Fetch or compress the file again"
            )
        if in_long_line:
            yield LineBlock(line, 1, b"", too_long=True)
        elif carry:
            yield LineBlock(line, 1, carry + b"\n")

    @property
    def size_bytes(self) -> int:
        """Size on disk, compressed; 0 for a pipe."""
        return self._size_bytes

    def fraction_done(self) -> float | None:
        """How much of the file on disk was read, 0 to 1; ``None`` for a pipe, whose size nobody knows."""
        if self._file.closed:
            return 1.0
        return min(1.0, (self._file.tell() - self._pending_bytes) / self._size_bytes) if self._size_bytes else None

    @property
    def closed(self) -> bool:
        return self._file.closed

    def close(self) -> None:
        self._file.close()

    def _read_header(self) -> tuple[bytes, bytes]:
        """The first line without BOM and line end, and what was read behind it."""
        text = b""
        for piece in self._pieces:
            text += piece
            if b"\n" in text or len(text) > self._max_line_bytes:
                break
        header, newline, rest = text.partition(b"\n")
        if self._damage and not newline:
            raise DataError(f"{self.path}: {self._damage}, before the end of the first line. Fetch the file again")
        if not text.strip():
            raise DataError(f"{self.path} is empty; expected a header line and rows of market data")
        if len(header) > self._max_line_bytes:
            raise DataError(
                f"{self.path}: the first line is longer than {self._max_line_bytes:,} bytes; expected a header line "
                "of column names separated by commas"
            )
        return header.removeprefix(_BOM).strip(), rest

    def _without_long_lines(self, first_line: int, text: bytes) -> Iterator[LineBlock]:
        if not text:
            return
        # A line longer than the limit covers at least one whole window of half the limit: looking for a
        # newline in each window finds it without a look at every line.
        window = self._max_line_bytes // 2
        starts = range(0, len(text) - window + 1, window)
        if all(text.find(b"\n", start, start + window) >= 0 for start in starts):
            yield LineBlock(first_line, text.count(b"\n"), text)
            return
        line = first_line
        kept: list[bytes] = []
        for row in text[:-1].split(b"\n"):
            if len(row) <= self._max_line_bytes:
                kept.append(row + b"\n")
                continue
            if kept:
                yield LineBlock(line, len(kept), b"".join(kept))
                line += len(kept)
                kept = []
            yield LineBlock(line, 1, b"", too_long=True)
            line += 1
        if kept:
            yield LineBlock(line, len(kept), b"".join(kept))

    def _note_pending(self, count: int) -> None:
        self._pending_bytes = count

    def _content(self) -> Iterator[bytes]:
        """The decompressed content in pieces. Damage ends it, and is noted for when all before it was used."""
        try:
            yield from decompressed(self._file, self._block_bytes, self._note_pending)
        except DamageError as damage:
            self._damage = str(damage)
        except OSError as error:
            self._damage = f"reading failed ({error.strerror or error})"


def open_binary(path: str) -> BufferedReader:
    """An existing file, opened for reading bytes. Raises ``DataError`` with a sentence when that is impossible."""
    try:
        return open(path, "rb")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the path") from None
    except IsADirectoryError:
        raise DataError(f"{path} is a directory; expected a file of market data") from None
    except PermissionError:
        raise DataError(f"{path}: permission to read it was denied") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path!r} cannot be opened: {error}") from None


def _grouped(pieces: Iterator[bytes], group_bytes: int) -> Iterator[bytes]:
    """The same bytes in pieces of at least ``group_bytes``, but for the last one."""
    group: list[bytes] = []
    size = 0
    for piece in pieces:
        group.append(piece)
        size += len(piece)
        if size >= group_bytes:
            yield b"".join(group)
            group, size = [], 0
    if size:
        yield b"".join(group)
