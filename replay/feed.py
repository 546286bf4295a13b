"""What a feed is, and which one reads a file."""

from __future__ import annotations

from collections.abc import Iterator
from os.path import isdir, isfile
from pathlib import Path
from typing import Final, Protocol

from replay.csv_feed import CsvFeed
from replay.files import PARQUET_MAGIC, open_binary
from replay.rows import OnReject
from sengine.domain.events import MarketEvent
from sengine.errors import DataError

_PARQUET_SUFFIXES: Final = (".parquet", ".pq")


class Feed(Protocol):
    """Market data in order, once. Iterating costs nothing per event beyond making it."""

    @property
    def path(self) -> str: ...

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, 0 where unknown."""
        ...

    def __iter__(self) -> Iterator[MarketEvent]: ...

    def position(self) -> str:
        """File and line or row of the event that came last, for a person to look up."""
        ...

    def fraction_done(self) -> float | None:
        """How much was read, 0 to 1; ``None`` where nobody knows how much there is."""
        ...

    def close(self) -> None:
        """Let go of the file; an iteration that ran to its end has done so."""
        ...


def open_feed(path: str | Path, on_reject: OnReject) -> Feed:
    """The feed of a file: Parquet told from its first bytes (or its suffix), all else is CSV; a folder is a journal.

    Raises ``DataError`` when the file cannot be market data; see the feeds.
    """
    name = str(path)
    if isdir(name):
        from replay.journal_feed import JournalFeed
        from sengine.adapters.journal_format import segments

        if not segments(Path(name)):
            raise DataError(f"{name} is a directory and holds no journal; expected a file of market data or a journal")
        return JournalFeed(Path(name))
    if not _is_parquet(name):
        return CsvFeed(name, on_reject)
    from replay.parquet_feed import ParquetFeed

    return ParquetFeed(name, on_reject)


def _is_parquet(name: str) -> bool:
    if name.lower().endswith(_PARQUET_SUFFIXES):
        return True
    if not isfile(name):  # a pipe cannot be looked into: the bytes would be gone for the feed
        return False
    with open_binary(name) as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
