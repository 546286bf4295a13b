"""Rows as a table, CSV, JSON or Parquet, to a file or standard output."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from sengine.cli.console import unfiltered
from sengine.clock import format_timestamp
from sengine.errors import ConfigError, DataError
from sengine.printable import printable, printable_json

Columns = Sequence[tuple[str, str]]
Row = Sequence[Any]
_IN_FILES_ONLY: Final = ("segment", "offset", "config", "sequence", "updated_ns", "fill_id", "version", "code")
"""Columns that a table has no room for."""


def write_rows(form: str, columns: Columns, rows: Iterator[Row], output: Path | None) -> int:
    """Write all rows; how many there were. Raises ``DataError`` for a file that cannot be written, and ``ConfigError``
    for Parquet without one."""
    if form == "parquet" and output is None:
        raise ConfigError(["--format parquet: expected a file to write to; name one with -o FILE"])
    # Before the file is opened: a question that cannot be answered must not empty it.
    rows = chain([first], rows) if (first := next(rows, None)) is not None else rows
    counted = _Counted(rows)
    try:
        if form == "parquet":
            assert output is not None
            _parquet(output, columns, counted)
        elif output is None:
            _TEXTS[form](sys.stdout if sys.stdout.isatty() else unfiltered(sys.stdout), columns, counted)
        else:
            with output.open("w", newline="", encoding="utf-8") as file:
                _TEXTS[form](file, columns, counted)
    except OSError as error:
        if output is None:
            raise
        raise DataError(f"{output}: cannot be written: {error.strerror}") from None
    return counted.count


class _Counted:
    def __init__(self, rows: Iterator[Row]) -> None:
        self.count = 0
        self._rows = rows

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.count += 1
            yield row


def _names(columns: Columns) -> list[str]:
    return [name.removesuffix("_ns") for name, _ in columns]


def _shown(columns: Columns, row: Row) -> list[Any]:
    """A row with its times as text."""
    return [
        format_timestamp(value) if name.endswith("_ns") and value is not None else value
        for (name, _), value in zip(columns, row, strict=True)
    ]


def _csv(file: TextIO, columns: Columns, rows: _Counted) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_names(columns))
    writer.writerows(_shown(columns, row) for row in rows)


def _json(file: TextIO, columns: Columns, rows: _Counted) -> None:
    """An array, one row a line."""
    names = _names(columns)
    for row in rows:
        text = msgspec.json.encode(dict(zip(names, _shown(columns, row), strict=True))).decode()
        file.write(f"{'[' if rows.count == 1 else ','}\n{printable_json(text)}")
    file.write("\n]\n" if rows.count else "[]\n")


def _table(file: TextIO, columns: Columns, rows: _Counted) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sengine.cli.console import open_console

    kept = [place for place, (name, _) in enumerate(columns) if name not in _IN_FILES_ONLY]
    names = _names(columns)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for place in kept:
        table.add_column(names[place].replace("_", " "), justify="right" if columns[place][1] == "REAL" else "left")
    for row in rows:
        shown = _shown(columns, row)
        table.add_row(*(escape(printable(_cell(shown[place]))) for place in kept))
    if not rows.count:
        return
    console = open_console()
    if file is not sys.stdout:
        console = Console(file=file, highlight=False, color_system=None, width=_WIDE)
    console.print(table)


def _parquet(output: Path, columns: Columns, rows: _Counted) -> None:
    import polars

    kinds: dict[str, Any] = {"TEXT": polars.String, "REAL": polars.Float64, "INTEGER": polars.Int64}
    names = _names(columns)
    schema = {name: kinds[kind] for name, (_, kind) in zip(names, columns, strict=True)}
    times = [name for name, (column, _) in zip(names, columns, strict=True) if column.endswith("_ns")]
    frame = polars.DataFrame(list(rows), schema=schema, orient="row")
    frame.with_columns(polars.col(name).cast(polars.Datetime("ns", "UTC")) for name in times).write_parquet(output)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)


_WIDE: Final = 240
_TEXTS: Final = {"table": _table, "csv": _csv, "json": _json}
