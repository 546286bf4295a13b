"""What the paper execution service must know after it was killed: its orders, their fills, and which are published.

One JSON line each, written to the file before the order is answered or the fill published. The page cache keeps it when
the process dies; it is no protection against a power cut.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from sengine.domain.order import Fill
from sengine.errors import ConfigError


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

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoder = msgspec.json.Encoder()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError([f"{path}: cannot be used as a journal: {error.strerror}; give another file"]) from error

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
        os.write(self._file, self._encoder.encode(line) + b"\n")

    def close(self) -> None:
        os.close(self._file)
