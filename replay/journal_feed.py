"""The market data of a recorded live session as a feed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sengine.adapters.journal.format import MARKET_TAGS
from sengine.adapters.journal.reader import JournalReader
from sengine.domain.events import MarketEvent
from sengine.errors import JournalError


class JournalFeed:
    """All market data that a journal holds, in the order in which the engine took it.

    Raises ``JournalError`` where there is no journal, and while iterating where it is damaged or has no market data.
    """

    def __init__(self, directory: Path) -> None:
        self._reader = JournalReader(directory)
        self.path = str(directory)
        self._sizes = {number: self._reader.size(number) for number in self._reader.paths}
        self.size_bytes = sum(self._sizes.values())
        self._place = (0, 0)

    def __iter__(self) -> Iterator[MarketEvent]:
        for entry in self._reader:
            if entry.tag in MARKET_TAGS:
                self._place = (entry.segment, entry.offset)
                yield entry.record
        if not any(self._place):
            raise JournalError(
                f"{self.path}: no market data is in it, so there is nothing to replay; a session records it unless "
                "journal.market_data is false"
            )

    def position(self) -> str:
        return f"{self.path}: segment {self._place[0]}, byte {self._place[1]}"

    def fraction_done(self) -> float | None:
        segment, offset = self._place
        before = sum(size for number, size in self._sizes.items() if number < segment)
        return min(1.0, (before + offset) / self.size_bytes) if self.size_bytes else 1.0

    def close(self) -> None:
        """Nothing stays open between two segments."""
