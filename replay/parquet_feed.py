"""Market data from a Parquet file: the same kinds, columns and rules as CSV, with typed cells."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from operator import length_hint
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from replay.columns import run_of
from replay.files import PARQUET_MAGIC, open_binary
from replay.formats import Layout, recognise
from replay.rows import BadRowError, OnReject, RejectedRow, RowParser
from sengine.domain.events import MarketEvent
from sengine.errors import DataError

BATCH_ROWS: Final = 65_536

# Around a bad row this many rows are looked at one by one; the rest of a batch stays fast.
_SLOW_ROWS: Final = 256
_MAX_NS: Final = 2**63 - 1
_UNIT_NS: Final = {"ns": 1, "us": 1_000, "ms": 1_000_000}
_DAY_NS: Final = 86_400_000_000_000
_TEXT: Final = (pl.String, pl.Categorical, pl.Enum, pl.Null)
# A panic of the Rust code below is no Exception; a corrupt file must not end the process with it.
_READ_ERRORS: Final = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError)


class ParquetFeed:
    """The events of a Parquet file, in file order, once: ``for event in feed``.

    The file is read in slices of 65,536 rows, so memory stays flat also where it is one single row group. Timestamps
    are Datetime or Date (no zone means UTC), ISO 8601 text, or epoch numbers in s, ms, us or ns. A row that cannot be
    an event goes to ``on_reject`` in its turn; what that raises ends the iteration. Opening raises ``DataError`` when
    the file is missing, empty, not Parquet, of no known kind or with a column of a useless type; iterating does when a
    part of it is corrupt, after the rows before that part.
    """

    def __init__(self, path: str | Path, on_reject: OnReject, *, batch_rows: int = BATCH_ROWS) -> None:
        self.path = str(path)
        self._on_reject = on_reject
        self._batch_rows = batch_rows
        self.size_bytes = _checked_size(self.path)
        try:
            source = pl.scan_parquet(self.path, glob=False, hive_partitioning=False)
            types = source.collect_schema()
            self._rows = int(source.select(pl.len()).collect().item())
        except _READ_ERRORS as error:
            raise self._corrupt(error) from None
        found = recognise(self.path, types.names())
        # The table below holds the needed columns only, by canonical name and in that order.
        places = tuple(range(len(found.names)))
        self.layout: Layout = msgspec.structs.replace(found, positions=places, width=len(places))
        dtypes = types.dtypes()
        self._known_ns = dtypes[found.positions[0]].is_temporal()
        columns = zip(found.names, found.positions, strict=True)
        self._table = source.select(
            self._column(name, types.names()[position], dtypes[position]).alias(name) for name, position in columns
        )
        self._parser = RowParser(self.layout, known_ns=self._known_ns)
        self._rows_read = 0
        self._last_row = 0
        self._rows_left: Iterator[int] = iter(())

    def __iter__(self) -> Iterator[MarketEvent]:
        return chain.from_iterable(self._runs())

    def position(self) -> str:
        """File and row (1-based) of the event that came last, as ``path: row N``."""
        return self._place(self._last_row - length_hint(self._rows_left))

    def fraction_done(self) -> float | None:
        """How much of the file was taken, 0 to 1, to the row."""
        taken = self._rows_read - length_hint(self._rows_left)
        return taken / self._rows if self._rows else 1.0

    def close(self) -> None:
        """Nothing stays open between two slices."""

    def _runs(self) -> Iterator[Iterator[MarketEvent]]:
        for first in range(0, self._rows, self._batch_rows):
            try:
                table = self._table.slice(first, self._batch_rows).collect(engine="streaming")
            except _READ_ERRORS as error:
                raise self._corrupt(error, first) from None
            yield from self._runs_of(table, first + 1)

    def _runs_of(self, table: pl.DataFrame, first_row: int) -> Iterator[Iterator[MarketEvent]]:
        run = run_of(table, self.layout, known_ns=self._known_ns)
        if run is not None:
            self._last_row = self._rows_read = first_row + table.height - 1
            self._rows_left = run.rows_left
            yield run.events
        elif table.height > _SLOW_ROWS:
            middle = table.height // 2
            yield from self._runs_of(table[:middle], first_row)
            yield from self._runs_of(table[middle:], first_row + middle)
        else:
            yield self._slow_run(table, first_row)

    def _slow_run(self, table: pl.DataFrame, first_row: int) -> Iterator[MarketEvent]:
        self._rows_left = iter(())
        for number, cells in enumerate(table.iter_rows(), first_row):
            self._rows_read = number
            try:
                event = self._parser.event(cells)
            except BadRowError as bad:
                row = RejectedRow(self.path, number, bad.reason.value, bad.detail, self._place(number))
                self._on_reject(row)
            else:
                self._last_row = number
                yield event

    def _column(self, name: str, source_name: str, dtype: pl.DataType) -> pl.Expr:
        """A needed column in the type that ``columns`` works on, cells that do not fit null."""
        column = pl.col(source_name)
        if name == "timestamp" and isinstance(dtype, pl.Datetime):
            unit_ns = _UNIT_NS[dtype.time_unit]
            count = column.to_physical()
            fits = count.is_between(-(_MAX_NS // unit_ns), _MAX_NS // unit_ns)
            return pl.when(fits).then(count * unit_ns)
        if name == "timestamp" and dtype == pl.Date:
            days = column.to_physical().cast(pl.Int64)
            return pl.when(days.is_between(-(_MAX_NS // _DAY_NS), _MAX_NS // _DAY_NS)).then(days * _DAY_NS)
        if name == "symbol" and dtype.is_integer():
            return column.cast(pl.String)
        if name in ("symbol", "side"):
            if dtype in _TEXT:
                return column.cast(pl.String)
        elif dtype == pl.String:
            return column
        elif dtype.is_integer() and name in ("timestamp", "seq"):
            return column.cast(pl.Int64, strict=False)
        elif dtype.is_numeric() or dtype == pl.Null:
            # epoch seconds with a nanosecond fraction do not fit a float
            return column if name == "timestamp" and dtype.is_decimal() else column.cast(pl.Float64, strict=False)
        expected = {"timestamp": "times, numbers or text", "symbol": "text", "side": "text"}.get(name, "numbers")
        raise DataError(f'{self.path}: the column "{source_name}" holds {dtype}; expected {expected}')

    def _place(self, row: int) -> str:
        return f"{self.path}: row {row}"

    def _corrupt(self, error: BaseException, rows_read: int = 0) -> DataError:
        first_line = (str(error).splitlines() or [type(error).__name__])[0][:200]
        read = f"; the {rows_read:,} rows before that were read" if rows_read else ""
        return DataError(f"{self.path}: the Parquet data is damaged ({first_line}){read}. Fetch the file again")


def _checked_size(path: str) -> int:
    with open_binary(path) as file:
        start = file.read(len(PARQUET_MAGIC))
        size_bytes = file.seek(0, 2)
    if not start:
        raise DataError(f"{path} is empty; expected Parquet data")
    if start != PARQUET_MAGIC:
        raise DataError(f"{path} is named like Parquet, but its content is not; rename it or write it again")
    return size_bytes
