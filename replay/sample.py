"""Generated quotes into a file, byte for byte the same for the same arguments."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

import polars as pl
import zstandard
from polars.io.plugins import register_io_source

from replay.synthetic import QuoteRow, quote_rows
from sengine.errors import DataError

_COLUMNS: Final[dict[str, type[pl.DataType]]] = {
    "timestamp": pl.Int64,
    "symbol": pl.String,
    "bid_price": pl.Float64,
    "bid_qty": pl.Float64,
    "ask_price": pl.Float64,
    "ask_qty": pl.Float64,
}
_LINES_AT_ONCE: Final = 8_192
_ROWS_AT_ONCE: Final = 65_536


def write_sample(path: str | Path, ticks: int, symbols: Sequence[str], seed: int) -> None:
    """Generated quotes into a file: CSV, or by its suffix ``.gz``, ``.zst`` or ``.parquet``.

    The same arguments give the same bytes (compressed: with the same version of the compressor). Raises ``DataError``
    for bad arguments and where the file cannot be written.
    """
    rows = quote_rows(ticks, symbols, seed)
    suffix = Path(path).suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            _write_parquet(path, rows)
        else:
            _write_csv(path, suffix, rows)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _write_csv(path: str | Path, suffix: str, rows: Iterator[QuoteRow]) -> None:
    with ExitStack() as stack:
        out: IO[bytes] | Any = stack.enter_context(open(path, "wb"))
        if suffix == ".gz":
            out = stack.enter_context(gzip.GzipFile("", "wb", 6, out, mtime=0))
        elif suffix == ".zst":
            out = stack.enter_context(zstandard.ZstdCompressor().stream_writer(out, closefd=False))
        out.write(f"{','.join(_COLUMNS)}\n".encode())
        lines = (
            f"{time_ns},{symbol},{bid},{bid_quantity},{ask},{ask_quantity}\n"
            for time_ns, symbol, bid, bid_quantity, ask, ask_quantity in rows
        )
        while text := "".join(islice(lines, _LINES_AT_ONCE)):
            out.write(text.encode())


def _write_parquet(path: str | Path, rows: Iterator[QuoteRow]) -> None:
    def tables(_columns: object, _predicate: object, _rows: object, _batch: object) -> Iterator[pl.DataFrame]:
        while batch := list(islice(rows, _ROWS_AT_ONCE)):
            yield pl.DataFrame(batch, schema=_COLUMNS, orient="row")

    register_io_source(tables, schema=_COLUMNS).sink_parquet(Path(path))
