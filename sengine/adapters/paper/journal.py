"""What the paper execution service must know after it was killed: its orders, their fills, and which are published.

One JSON line each, written to the file before the order is answered or the fill published. The page cache keeps it when
the process dies; it is no protection against a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from sengine.domain.order import Fill
from sengine.errors import ConfigError, SengineError
from sengine.proto import execution_pb2 as pb

COMPACT_FROM_BYTES: Final = 16 << 20


class OrderLine(msgspec.Struct, frozen=True, tag="order"):
    """An order and its first answer, both as serialized protocol buffers."""

    request: bytes
    reply: bytes


class FillLine(msgspec.Struct, frozen=True, tag="fill"):
    fill: Fill


class NewsLine(msgspec.Struct, frozen=True, tag="news"):
    """An order ended other than by fills (``reply``, serialized), or a fill reached the broker (its id)."""

    reply: bytes = b""
    published: str = ""


Line = OrderLine | FillLine | NewsLine


class PaperJournal:
    """Appends lines to ``path`` and reads back those of an earlier process. Raises ``ConfigError`` for a path that
    cannot be written."""

    def __init__(self, path: Path, compact_from_bytes: int = COMPACT_FROM_BYTES) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        self._compact_from = compact_from_bytes
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = _open(path)
            self._size = os.fstat(self._file).st_size
        except OSError as error:
            raise ConfigError([f"{path}: cannot be used as a journal: {error.strerror}; give another file"]) from error
        self._next_compaction = compact_from_bytes
        self._left = b""
        """Of lines that could not be written whole."""

    @property
    def is_long(self) -> bool:
        """Whether it has grown enough to be worth a ``compact``."""
        return self._size >= self._next_compaction

    def read(self) -> Sequence[Line]:
        """The lines so far; one that a killed process left unfinished ends them, and is cut off.

        Raises ``ConfigError`` when the file is no journal.
        """
        decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
        lines: list[Line] = []
        kept = 0
        for number, text in enumerate(self._path.read_bytes().splitlines(keepends=True), 1):
            if not text.endswith(b"\n"):
                os.ftruncate(self._file, kept)
                break
            try:
                lines.append(decoder.decode(text))
            except msgspec.DecodeError as error:
                raise ConfigError(
                    [f"{self._path}:{number}: expected a journal's line: {error}; move it away"]
                ) from error
            kept += len(text)
        return lines

    def append(self, line: Line) -> None:
        """Write a line. What a full disk does not take waits for the next attempt, so that no line is ever torn."""
        self._left += self._encoder.encode(line) + b"\n"
        self.flush()

    def flush(self) -> str:
        """Write what waits; why that cannot be done, empty where nothing waits."""
        try:
            while self._left:
                count = os.write(self._file, self._left)
                self._size += count
                self._left = self._left[count:]
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def compact(self, is_kept: Callable[[str], bool]) -> None:
        """Leave out what is known of orders that are no longer kept, by order id; but no fill that is unpublished.

        Raises ``SengineError`` when that cannot be done; the old file stays then.
        """
        self._next_compaction = 2 * self._size  # not again at once, should this fail
        if failure := self.flush():
            raise SengineError(f"{self._path}: the journal cannot be shortened: {failure}")
        lines = self.read()
        published = {line.published for line in lines if isinstance(line, NewsLine) and line.published}
        kept_fills: set[str] = set()
        whole = self._path.with_name(self._path.name + ".new")
        try:
            with open(whole, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                for line in lines:
                    if isinstance(line, OrderLine):
                        stays = is_kept(pb.OrderRequest.FromString(line.request).client_order_id)
                    elif isinstance(line, FillLine):
                        stays = is_kept(line.fill.order_id) or line.fill.fill_id not in published
                        if stays:
                            kept_fills.add(line.fill.fill_id)
                    elif line.published:
                        stays = line.published in kept_fills
                    else:
                        stays = is_kept(pb.OrderReply.FromString(line.reply).client_order_id)
                    if stays:
                        file.write(self._encoder.encode(line) + b"\n")
            whole.replace(self._path)
            file_now = _open(self._path)
        except OSError as error:
            raise SengineError(f"{self._path}: the journal cannot be shortened: {error.strerror}") from error
        os.close(self._file)
        self._file = file_now
        self._size = os.fstat(file_now).st_size
        self._next_compaction = 2 * self._size + self._compact_from

    def close(self) -> None:
        os.close(self._file)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
