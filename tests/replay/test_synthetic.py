from __future__ import annotations

from itertools import islice, pairwise
from statistics import fmean

from hypothesis import given, settings
from hypothesis import strategies as st

from replay.synthetic import START_NS, generate_quotes

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def test_other_seed_gives_another_market() -> None:
    assert list(generate_quotes(10, SYMBOLS, 1)) != list(generate_quotes(10, SYMBOLS, 2))


@settings(max_examples=30)
@given(
    st.integers(-(2**70), 2**70),
    st.lists(st.text("ABCXYZ-/.0123456789", min_size=1, max_size=8), min_size=1, max_size=4, unique=True),
)
def test_every_quote_is_one_that_the_engine_takes(seed: int, symbols: list[str]) -> None:
    last_ns = START_NS
    for quote in generate_quotes(300, symbols, seed):
        bid, ask = quote.book.bids[0], quote.book.asks[0]
        assert 0 < bid.price < ask.price
        assert bid.quantity > 0
        assert ask.quantity > 0
        assert quote.timestamp_ns > last_ns
        assert quote.symbol in symbols
        last_ns = quote.timestamp_ns


def test_prices_and_tick_sizes_are_those_of_the_symbol() -> None:
    quotes = list(generate_quotes(30_000, ["BTCUSDT", "ETHUSDT"], 5))
    for symbol, price, ticks_per_unit in (("BTCUSDT", 60_000, 10), ("ETHUSDT", 2_500, 100)):
        books = [quote.book for quote in quotes if quote.symbol == symbol]
        assert abs(fmean(book.mid for book in books) / price - 1) < 0.1
        assert all(book.best_bid == round(book.best_bid * ticks_per_unit) / ticks_per_unit for book in books)
        assert max(book.spread for book in books) < 3.5 / ticks_per_unit


def test_symbols_are_interleaved_and_each_comes_a_hundred_times_a_second() -> None:
    quotes = list(generate_quotes(20_000, SYMBOLS, 5))
    seconds = (quotes[-1].timestamp_ns - quotes[0].timestamp_ns) / 1e9
    for symbol in SYMBOLS:
        count = sum(quote.symbol == symbol for quote in quotes)
        assert 0.9 < count / (20_000 / 3) < 1.1
        assert 90 < count / seconds < 110


def test_averages_cross_often_enough_for_strategies_to_trade() -> None:
    mids = [quote.book.mid for quote in generate_quotes(10_000, ["BTCUSDT"], 5)]
    fast_above = [fmean(mids[at - 5 : at]) > fmean(mids[at - 20 : at]) for at in range(20, len(mids))]
    crossings = sum(before != after for before, after in pairwise(fast_above))
    assert 50 < crossings < 3_000


def test_price_stays_near_home_for_a_long_run() -> None:
    mids = [quote.book.mid for quote in islice(generate_quotes(None, ["BTCUSDT"], 11), 0, 300_000, 1_000)]
    assert min(mids) > 30_000
    assert max(mids) < 120_000
