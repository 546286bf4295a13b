"""A block of CSV lines as one table, all at once or not at all."""

from __future__ import annotations

from typing import Final

import polars as pl

from replay.columns import run_of
from replay.files import LineBlock
from replay.formats import Kind, Layout
from replay.runs import Run

# polars unpacks a buffer that begins like a gzip, zstd or zlib stream; in the middle of a text that is a broken row.
_LOOKS_PACKED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"x\x01", b"x^", b"x\x9c", b"x\xda")


def table_run(block: LineBlock, layout: Layout) -> Run | None:
    """The events of all rows of an unquoted block, or ``None`` when the row parser has to look at them."""
    text = block.text
    if text.startswith(_LOOKS_PACKED):
        return None
    try:
        table = pl.read_csv(text, has_header=False, schema=_schema(text, layout), quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    if table.height != block.lines:
        return None
    table = table.select(layout.names)
    # A row cut short looks like one with empty levels at the end; only its commas tell.
    if (
        layout.kind is Kind.DEPTH
        and any(column.null_count() for column in table.get_columns())
        and text.count(b",") != block.lines * (layout.width - 1)
    ):
        return None
    return run_of(table, layout)


def _schema(text: bytes, layout: Layout) -> dict[str, type[pl.DataType]]:
    """Types by column. The first row tells whether timestamps are whole numbers or text."""
    timestamp_at = layout.positions[0]
    first_row = text[: text.index(b"\n")].split(b",", timestamp_at + 1)
    whole = len(first_row) > timestamp_at and first_row[timestamp_at].strip().isdigit()
    types: dict[str, type[pl.DataType]] = dict.fromkeys(layout.numbers, pl.Float64)
    types |= {"timestamp": pl.Int64 if whole else pl.String, "seq": pl.Int64}
    names = dict(zip(layout.positions, layout.names, strict=True))
    # Columns that nobody asked for are parsed too, as text: leaving them out would hide a row with too many cells.
    columns = (names.get(at, f"column {at}") for at in range(layout.width))
    return {name: types.get(name, pl.String) for name in columns}
