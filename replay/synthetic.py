"""A generated market: quotes that are the same for the same arguments, on every machine and on every day.

All randomness is ``random.Random(seed).random()`` and all arithmetic on it is ``+ - * /``, which IEEE 754 fixes to the
last bit; logarithms and sines differ between C libraries and stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count, starmap
from random import Random
from typing import Final, TypeAlias
from zlib import crc32

from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.errors import DataError

START_NS: Final = 1_704_153_600_000_000_000
"""Time of the first quote's day: 2024-01-02T00:00:00Z."""

QuoteRow: TypeAlias = tuple[int, str, float, float, float, float]
"""Timestamp in ns, symbol, bid price and quantity, ask price and quantity."""
_MEAN_GAP_NS: Final = 10_000_000
_MOVE_CHANCE: Final = 0.006
_MOVE_AGAIN_CHANCE: Final = 0.8
"""Chance that a quote moves the price, after one that did not and after one that did; the others change quantities
only. That makes 3% of the quotes, in bursts, as in captured quotes of a BTCUSDT perpetual (spot: 9%)."""
_PRICES: Final = {"BTCUSDT": (60_000, 10), "ETHUSDT": (2_500, 100)}
"""Known symbols' first price and ticks per unit of price."""
_NOTIONAL: Final = 50_000
_VOLATILITY: Final = 2e-5
"""Typical move of the price, as a fraction of it."""
_HOME_PULL: Final = 5e-6
_ANCHOR_PULL: Final = 0.02


def generate_quotes(ticks: int | None, symbols: Sequence[str], seed: int) -> Iterator[BookEvent]:
    """``ticks`` quotes (``None``: without end) of ``symbols`` in order of time, in constant memory.

    Each symbol trends and reverts to a mean by turns, with a hundred quotes a second on average. Raises
    ``DataError`` when ``ticks`` is below 1 or a symbol is no name.
    """
    return starmap(_event, quote_rows(ticks, symbols, seed))


def quote_rows(ticks: int | None, symbols: Sequence[str], seed: int) -> Iterator[QuoteRow]:
    """``generate_quotes`` as plain rows, for writing them into a file."""
    if ticks is not None and ticks < 1:
        raise DataError(f"expected at least 1 tick to generate, got {ticks}")
    if not symbols:
        raise DataError("expected at least one symbol to generate quotes of, got none; name some like BTCUSDT,ETHUSDT")
    for symbol in symbols:
        if not symbol or not symbol.isprintable() or set(symbol) & set(' ,"'):
            raise DataError(f"expected a symbol without spaces, commas and quotes, got {symbol!r}")
        if symbols.count(symbol) > 1:
            raise DataError(f"the symbol {symbol} is given twice; each may be given once")
    return _rows(ticks, symbols, Random(seed).random)  # noqa: S311 - a market to be had again, not a secret


def _event(time_ns: int, symbol: str, bid: float, bid_quantity: float, ask: float, ask_quantity: float) -> BookEvent:
    book = OrderBook((PriceLevel(bid, bid_quantity),), (PriceLevel(ask, ask_quantity),))
    return BookEvent(symbol, time_ns, book)


def _rows(ticks: int | None, symbols: Sequence[str], draw: Callable[[], float]) -> Iterator[QuoteRow]:
    markets = [(symbol, *_character(symbol, draw)) for symbol in symbols]
    several = len(markets)
    gap_ns = _MEAN_GAP_NS / several * 5
    time_ns = START_NS
    for _ in count() if ticks is None else range(ticks):
        # The fourth power of a uniform draw averages 1/5: bursts of quotes with pauses between them.
        squared = draw()
        squared *= squared
        time_ns += 1_000 + int(squared * squared * gap_ns)
        symbol, per_unit, lots, lots_per_unit, walk = markets[int(draw() * several)]
        bid, ask = next(walk)
        bid_size, ask_size = draw(), draw()
        yield (
            time_ns,
            symbol,
            bid / per_unit,
            (1 + int(bid_size * bid_size * lots)) / lots_per_unit,
            ask / per_unit,
            (1 + int(ask_size * ask_size * lots)) / lots_per_unit,
        )


def _character(symbol: str, draw: Callable[[], float]) -> tuple[int, float, int, Iterator[tuple[int, int]]]:
    """Ticks per unit of price, largest quantity in lots, lots per unit of quantity, and the touch's walk in ticks."""
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


def _walk(home: float, draw: Callable[[], float]) -> Iterator[tuple[int, int]]:
    """Bid and ask in ticks: trends up and down and reversion to a mean, by turns, weakly tied to ``home``."""
    step = home * _VOLATILITY
    noise = 3.4 * step
    floor = home / 10
    fair = home
    while True:
        kind = draw()
        length = 20 + int(draw() * 180)
        anchor = fair
        pull = drift = 0.0
        if kind < 0.4:
            pull = _ANCHOR_PULL
        else:
            drift = step * (0.1 + 0.3 * draw()) * (1.0 if kind < 0.7 else -1.0)
        for _ in range(length):
            fair += drift + pull * (anchor - fair) + _HOME_PULL * (home - fair) + noise * (draw() - 0.5)
            if fair < floor:
                fair = floor
            bid = int(fair)
            luck = draw()
            touch = (bid, bid + (1 if luck < 0.8 else 2 if luck < 0.95 else 3))
            yield touch
            if draw() >= _MOVE_AGAIN_CHANCE:
                yield touch
                while draw() >= _MOVE_CHANCE:
                    yield touch
