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
_SUFFIXES: Final = (".csv", ".csv.gz", ".csv.zst", *_PARQUET_SUFFIXES)


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
    """The feed of a file: Parquet told from its first bytes (or its suffix), all else is CSV. A folder is a journal, or
    has one in it.

    Raises ``DataError`` when the file cannot be market data; see the feeds.
    """
    name = str(path)
    if isdir(name):
        from replay.journal_feed import JournalFeed
        from sengine.adapters.journal.format import journal_folder, segments

        folder = journal_folder(Path(name))
        if not segments(folder):
            raise DataError(_no_journal(Path(name)))
        return JournalFeed(folder)
    if not _is_parquet(name):
        return CsvFeed(name, on_reject)
    from replay.parquet_feed import ParquetFeed

    return ParquetFeed(name, on_reject)


def _no_journal(folder: Path) -> str:
    """What to do about a folder that is no journal: most hold the files that were meant."""
    takes = "expected files of market data (CSV, plain, .gz or .zst, or Parquet), or the folder of a journal"
    files = sorted(path for path in folder.iterdir() if path.name.lower().endswith(_SUFFIXES) and path.is_file())
    if not files:
        return f"{folder}: a folder with neither a journal nor market data; {takes}"
    count = "one file" if len(files) == 1 else f"{len(files)} files"
    return f"{folder}: a folder without a journal; {takes}. It holds {count} of market data: name them, as {files[0]}"


def _is_parquet(name: str) -> bool:
    if name.lower().endswith(_PARQUET_SUFFIXES):
        return True
    if not isfile(name):  # a pipe cannot be looked into: the bytes would be gone for the feed
        return False
    with open_binary(name) as file:
        return file.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
