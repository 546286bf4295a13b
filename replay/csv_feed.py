"""Market data from a CSV file, plain, gzip or zstd."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain
from operator import length_hint
from pathlib import Path
from typing import Final

from replay.files import BLOCK_BYTES, MAX_LINE_BYTES, LineBlock, LineFile
from replay.formats import Layout, recognise
from replay.plain_quotes import COLUMNS, plain_quotes
from replay.rows import BadRowError, OnReject, Reason, RejectedRow, RowParser
from replay.runs import Run
from sengine.domain.events import MarketEvent

# Around a bad row this many lines are parsed one by one; the halves of a block that are clean stay fast.
_SLOW_LINES: Final = 256


class CsvFeed:
    """The events of a CSV file, in file order, once: ``for event in feed``.

    A row that cannot be an event goes to ``on_reject`` in its turn; what that raises ends the iteration. Opening raises
    ``DataError`` when the file is missing, empty or of no known kind; iterating does when its compression is damaged,
    after the rows before the damage.
    """

    def __init__(
        self,
        path: str | Path,
        on_reject: OnReject,
        *,
        block_bytes: int = BLOCK_BYTES,
        max_line_bytes: int = MAX_LINE_BYTES,
    ) -> None:
        self.path = str(path)
        self._on_reject = on_reject
        self._file = LineFile(self.path, block_bytes=block_bytes, max_line_bytes=max_line_bytes)
        try:
            header = self._file.header.decode("utf-8", "replace")
            self.layout: Layout = recognise(self.path, _cells(header))
        except BaseException:
            self._file.close()
            raise
        self._parser = RowParser(self.layout)
        self._is_plain = self.layout.names == COLUMNS and self.layout.width == len(COLUMNS)
        self._last_line = 1
        self._block = (2, 0, 0.0)
        """First line and number of lines of the block at hand, and the fraction of the file that is before it."""
        self._fraction_read = 0.0
        self._rows_left: Iterator[int] = iter(())

    def __iter__(self) -> Iterator[MarketEvent]:
        return chain.from_iterable(self._runs())

    def position(self) -> str:
        """File and line of the event that came last, as ``path:line``."""
        return f"{self.path}:{self._last_line - length_hint(self._rows_left)}"

    @property
    def size_bytes(self) -> int:
        """Size of the file on disk; 0 for a pipe."""
        return self._file.size_bytes

    def fraction_done(self) -> float | None:
        """How much of the file was taken, 0 to 1, to the line; ``None`` for a pipe."""
        until = self._file.fraction_done()
        if until is None or self._file.closed:
            return until
        first_line, lines, since = self._block
        taken = min(max(self._last_line - length_hint(self._rows_left) - first_line + 1, 0), lines)
        return since + (until - since) * taken / lines if lines else since

    def close(self) -> None:
        self._file.close()

    def _runs(self) -> Iterator[Iterator[MarketEvent]]:
        try:
            for block in self._file.blocks():
                self._block = (block.first_line, block.lines, self._fraction_read)
                self._fraction_read = self._file.fraction_done() or 0.0
                if block.too_long:
                    self._reject(block.first_line, Reason.LINE_TOO_LONG, "the line is too long to be a row; skipped")
                else:
                    yield from self._runs_of(block)
        finally:
            self._file.close()

    def _runs_of(self, block: LineBlock) -> Iterator[Iterator[MarketEvent]]:
        run = self._fast_run(block)
        if run is not None:
            self._last_line = block.first_line + block.lines - 1
            self._rows_left = run.rows_left
            yield run.events
        elif block.lines > _SLOW_LINES:
            for half in _halves(block):
                yield from self._runs_of(half)
        else:
            yield self._slow_run(block)

    def _fast_run(self, block: LineBlock) -> Run | None:
        if self._is_plain:
            run = plain_quotes(block.text, block.lines)
            if run is not None:
                return run
        if b'"' in block.text:
            return None
        # Imported when first needed: plain quotes do not, and it takes longer than reading 500,000 of them.
        from replay.csv_table import table_run

        return table_run(block, self.layout)

    def _slow_run(self, block: LineBlock) -> Iterator[MarketEvent]:
        self._rows_left = iter(())
        for number, line in enumerate(block.text[:-1].split(b"\n"), block.first_line):
            if not line.strip():
                continue
            try:
                event = self._parser.event(_cells(line.decode("utf-8", "surrogateescape")))
            except BadRowError as bad:
                self._reject(number, bad.reason, bad.detail)
            else:
                self._last_line = number
                yield event

    def _reject(self, line: int, reason: Reason, detail: str) -> None:
        self._on_reject(RejectedRow(self.path, line, reason.value, detail, f"{self.path}:{line}"))


def _cells(line: str) -> list[str]:
    """The cells of a line, quoted or not. A quote that is not closed takes the rest of the line with it."""
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line.rstrip("\r")]), [])
    except csv.Error:  # a quoted cell larger than the csv module takes
        return []


def _halves(block: LineBlock) -> tuple[LineBlock, LineBlock]:
    """A block of at least two lines, cut at the line end nearest before its middle, or else after it."""
    text = block.text
    middle = len(text) // 2
    cut = text.rfind(b"\n", 0, middle) + 1 or text.index(b"\n", middle) + 1
    lines = text.count(b"\n", 0, cut)
    return (
        LineBlock(block.first_line, lines, text[:cut]),
        LineBlock(block.first_line + lines, block.lines - lines, text[cut:]),
    )
