"""The shortest way from the text of plain quotes to events, with no table library to import first.

A CSV row of numbers is a JSON array but for its symbol, so a block of one symbol's quotes becomes JSON with two
replacements, and msgspec decodes it in C. Whatever is not as plain as that (several symbols, times as text, odd or
missing cells) is left to the ways that take more care.
"""

from __future__ import annotations

import re
from itertools import repeat
from operator import le
from sys import intern
from typing import Final

import msgspec

from replay.runs import Run
from sengine.clock import epoch_unit_ns
from sengine.domain.epoch_numbers import are_all_taken
from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel, Quote

COLUMNS: Final = ("timestamp", "symbol", "bid_price", "bid_qty", "ask_price", "ask_qty")
_FIRST_SYMBOL: Final = re.compile(rb"\d+,([A-Za-z0-9_./:-]*[A-Za-z][A-Za-z0-9_./:-]*),", re.ASCII)
_NUMBER_BYTES: Final = b"0123456789.,-eE\n"
_decode: Final = msgspec.json.Decoder(list[tuple[int, float, float, float, float]]).decode


def plain_quotes(text: bytes, lines: int) -> Run | None:
    """The events of ``lines`` rows that have exactly ``COLUMNS``, or ``None`` when they are not that plain."""
    found = _FIRST_SYMBOL.match(text)
    if found is None:
        return None
    separator = b",%b," % found[1]
    numbers = text.replace(separator, b",")
    if text.count(separator) != lines or numbers.translate(None, _NUMBER_BYTES):
        return None
    try:
        rows = _decode(b"[[%b]]" % numbers[:-1].replace(b"\n", b"],["))
    except msgspec.MsgspecError:
        return None
    times, bids, bid_quantities, asks, ask_quantities = map(list, zip(*rows, strict=True))
    first_ns, last_ns = min(times), max(times)
    if len(rows) != lines or not are_all_taken(first_ns, last_ns):
        return None
    unit_ns = epoch_unit_ns(first_ns)
    if unit_ns > 1:
        times = [each * unit_ns for each in times]
    # JSON has no NaN and no infinity, so this is all that the engine would ask of each book.
    is_sound = (
        min(bids) > 0.0 and all(map(le, bids, asks)) and min(bid_quantities) >= 0.0 and min(ask_quantities) >= 0.0
    )
    rows_left = iter(times)
    symbol = repeat(intern(found[1].decode()))
    if is_sound:
        return Run(map(Quote, symbol, rows_left, bids, bid_quantities, asks, ask_quantities), rows_left)
    books = map(OrderBook, zip(map(PriceLevel, bids, bid_quantities)), zip(map(PriceLevel, asks, ask_quantities)))
    return Run(map(BookEvent, symbol, rows_left, books), rows_left)
