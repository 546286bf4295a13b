"""A generated market: quotes that are the same for the same arguments, on every machine and on every day.

All randomness is ``random.Random(seed).random()`` and all arithmetic on it is ``+ - * /``, which IEEE 754 fixes to the
last bit; logarithms and sines differ between C libraries and stay out.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import count, islice
from pathlib import Path
from random import Random
from typing import IO, Any, Final
from zlib import crc32

import polars as pl
import zstandard
from polars.io.plugins import register_io_source

from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.errors import DataError

START_NS: Final = 1_704_153_600_000_000_000
"""Time of the first quote's day: 2024-01-02T00:00:00Z."""

_HEADER: Final = "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n"
_LINES_AT_ONCE: Final = 8_192
_ROWS_AT_ONCE: Final = 65_536
_MEAN_GAP_NS: Final = 100_000_000
_PRICES: Final = {"BTCUSDT": (60_000, 10), "ETHUSDT": (2_500, 100)}
"""Known symbols' first price and ticks per unit of price."""
_NOTIONAL: Final = 50_000
_VOLATILITY: Final = 2e-5
"""Typical move from one quote to the next, as a fraction of the price."""
_HOME_PULL: Final = 5e-6
_ANCHOR_PULL: Final = 0.02


def generate_quotes(ticks: int | None, symbols: Sequence[str], seed: int) -> Iterator[BookEvent]:
    """``ticks`` quotes (``None``: without end) of ``symbols`` in order of time, in constant memory.

    Each symbol trends and reverts to a mean by turns, at ten quotes a second on average. Raises ``DataError`` when
    ``ticks`` is below 1 or a symbol is no name.
    """
    if ticks is not None and ticks < 1:
        raise DataError(f"expected at least 1 tick to generate, got {ticks}")
    if not symbols:
        raise DataError("expected at least one symbol to generate quotes of, got none; name some like BTCUSDT,ETHUSDT")
    for symbol in symbols:
        if not symbol or not symbol.isprintable() or set(symbol) & set(' ,"'):
            raise DataError(f"expected a symbol without spaces, commas and quotes, got {symbol!r}")
        if symbols.count(symbol) > 1:
            raise DataError(f"the symbol {symbol} is given twice; each may be given once")
    return _quotes(ticks, symbols, Random(seed))


def write_sample(path: str | Path, ticks: int, symbols: Sequence[str], seed: int) -> None:
    """Generated quotes into a file: CSV, or by its suffix ``.gz``, ``.zst`` or ``.parquet``.

    The same arguments give the same bytes (compressed: with the same version of the compressor). Raises ``DataError``
    for bad arguments and where the file cannot be written.
    """
    quotes = generate_quotes(ticks, symbols, seed)
    suffix = Path(path).suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            _write_parquet(path, quotes)
        else:
            _write_csv(path, suffix, quotes)
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise DataError(f"{path} cannot be written: {getattr(error, 'strerror', None) or error}") from None


def _quotes(ticks: int | None, symbols: Sequence[str], random: Random) -> Iterator[BookEvent]:
    draw = random.random
    markets = [(symbol, *_market(symbol, draw)) for symbol in symbols]
    several = len(markets)
    gap_ns = _MEAN_GAP_NS / several * 5
    time_ns = START_NS
    for _ in count() if ticks is None else range(ticks):
        # The fourth power of a uniform draw averages 1/5: bursts of quotes with pauses between them.
        squared = draw()
        squared *= squared
        time_ns += 1_000 + int(squared * squared * gap_ns)
        symbol, per_unit, lots, lots_per_unit, walk = markets[int(draw() * several)]
        bid = next(walk)
        luck = draw()
        ask = bid + (1 if luck < 0.8 else 2 if luck < 0.95 else 3)
        big, small = draw(), draw()
        yield BookEvent(
            symbol,
            time_ns,
            OrderBook(
                (PriceLevel(bid / per_unit, (1 + int(big * big * lots)) / lots_per_unit),),
                (PriceLevel(ask / per_unit, (1 + int(small * small * lots)) / lots_per_unit),),
            ),
        )


def _market(symbol: str, draw: Callable[[], float]) -> tuple[int, float, int, Iterator[int]]:
    """Ticks per unit of price, largest quantity in lots, lots per unit of quantity, and the bid's walk in ticks."""
    if symbol in _PRICES:
        price, per_unit = _PRICES[symbol]
    else:
        number = crc32(symbol.encode())
        digits = number // 900 % 4
        price = (1 + number % 9) * 10**digits + number // 9 % 10**digits
        per_unit = 10 ** max(2, 4 - digits)
    decimals = max(0, min(3, len(str(price)) - 1))
    lots_per_unit: int = 10**decimals
    lots = 3 * _NOTIONAL * lots_per_unit / price
    return per_unit, lots, lots_per_unit, _walk(float(price * per_unit), draw)


def _walk(home: float, draw: Callable[[], float]) -> Iterator[int]:
    """The bid in ticks: trends up and down and reversion to a mean, by turns, weakly tied to ``home``."""
    step = home * _VOLATILITY
    noise = 3.4 * step
    floor = home / 10
    fair = anchor = home
    while True:
        kind = draw()
        length = 100 + int(draw() * 900)
        anchor, pull, drift = fair, 0.0, 0.0
        if kind < 0.4:
            pull = _ANCHOR_PULL
        else:
            drift = step * (0.1 + 0.3 * draw()) * (1.0 if kind < 0.7 else -1.0)
        for _ in range(length):
            fair += drift + pull * (anchor - fair) + _HOME_PULL * (home - fair) + noise * (draw() - 0.5)
            if fair < floor:
                fair = floor
            yield int(fair)


def _write_csv(path: str | Path, suffix: str, quotes: Iterator[BookEvent]) -> None:
    with ExitStack() as stack:
        out: IO[bytes] | Any = stack.enter_context(open(path, "wb"))
        if suffix == ".gz":
            out = stack.enter_context(gzip.GzipFile("", "wb", 6, out, mtime=0))
        elif suffix == ".zst":
            out = stack.enter_context(zstandard.ZstdCompressor().stream_writer(out, closefd=False))
        out.write(_HEADER.encode())
        lines = (
            f"{quote.timestamp_ns},{quote.symbol},{bid.price},{bid.quantity},{ask.price},{ask.quantity}\n"
            for quote in quotes
            for bid in quote.book.bids
            for ask in quote.book.asks
        )
        while text := "".join(islice(lines, _LINES_AT_ONCE)):
            out.write(text.encode())


def _write_parquet(path: str | Path, quotes: Iterator[BookEvent]) -> None:
    schema = {"timestamp": pl.Int64, "symbol": pl.String} | dict.fromkeys(
        ("bid_price", "bid_qty", "ask_price", "ask_qty"), pl.Float64
    )

    def tables(_columns: object, _predicate: object, _rows: object, _batch: object) -> Iterator[pl.DataFrame]:
        while batch := list(islice(quotes, _ROWS_AT_ONCE)):
            bids = [quote.book.bids[0] for quote in batch]
            asks = [quote.book.asks[0] for quote in batch]
            columns = [
                [quote.timestamp_ns for quote in batch],
                [quote.symbol for quote in batch],
                [level.price for level in bids],
                [level.quantity for level in bids],
                [level.price for level in asks],
                [level.quantity for level in asks],
            ]
            yield pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema)

    register_io_source(tables, schema=schema).sink_parquet(Path(path))
