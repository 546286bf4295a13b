from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.formats import Kind, recognise
from sengine.errors import DataError

HEADERS = {
    Kind.QUOTES: "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty",
    Kind.DEPTH: "timestamp,symbol,bid_price_1,bid_qty_1,bid_price_2,bid_qty_2,ask_price_1,ask_qty_1",
    Kind.TRADES: "timestamp,symbol,price,quantity,side",
    Kind.BARS: "timestamp,symbol,open,high,low,close,volume",
}


@pytest.mark.parametrize("kind", Kind)
def test_kind_is_told_from_the_column_names(kind: Kind) -> None:
    assert recognise("f.csv", HEADERS[kind].split(",")).kind is kind


@given(st.sampled_from(sorted(HEADERS)), st.randoms(), st.booleans())
def test_order_case_spaces_and_extra_columns_do_not_matter(kind: Kind, random, with_seq: bool) -> None:
    plain = [*HEADERS[kind].split(","), *(["seq"] if with_seq else [])]
    shuffled = [*plain, "venue", "local time", ""]
    random.shuffle(shuffled)
    dressed = [f" {name.upper()}\t" if random.random() < 0.5 else name for name in shuffled]
    layout = recognise("f.csv", dressed)
    assert layout.kind is kind
    assert sorted(layout.names) == sorted(plain)
    assert [shuffled[position] for position in layout.positions] == list(layout.names)
    assert layout.width == len(shuffled)
    assert layout.has_sequence is with_seq
    assert layout.names[2 : 2 + len(layout.numbers)] == layout.numbers


def test_sides_of_a_depth_file_may_differ_in_levels() -> None:
    layout = recognise("f.csv", HEADERS[Kind.DEPTH].split(","))
    assert (layout.bid_levels, layout.ask_levels) == (2, 1)
    assert layout.numbers == ("bid_price_1", "bid_qty_1", "bid_price_2", "bid_qty_2", "ask_price_1", "ask_qty_1")


def test_twelve_levels_are_in_numeric_order() -> None:
    names = [
        f"{side}_{part}_{level}" for level in range(12, 0, -1) for side in ("bid", "ask") for part in ("qty", "price")
    ]
    layout = recognise("f.csv", ["timestamp", "symbol", *names])
    assert layout.numbers[:2] == ("bid_price_1", "bid_qty_1")
    assert layout.numbers[22:26] == ("bid_price_12", "bid_qty_12", "ask_price_1", "ask_qty_1")


@pytest.mark.parametrize("gone", ["bid_price_2", "bid_qty_2"])
def test_hole_in_the_levels_is_named(gone: str) -> None:
    header = [name for name in [*HEADERS[Kind.DEPTH].split(","), "bid_price_3", "bid_qty_3"] if name != gone]
    with pytest.raises(DataError, match=f'up to 3, but no column "{gone}"'):
        recognise("f.csv", header)


def test_unknown_header_is_shown_with_the_file_and_the_four_known_ones() -> None:
    with pytest.raises(DataError) as caught:
        recognise("data/ticks.csv", ["time", "sym", "px"])
    message = str(caught.value)
    assert message.startswith("data/ticks.csv: ")
    assert "time,sym,px" in message
    assert all(kind in message for kind in Kind)


def test_long_unknown_header_is_cut() -> None:
    with pytest.raises(DataError) as caught:
        recognise("f.csv", ["x" * 10_000])
    assert len(str(caught.value)) < 1_000


def test_needed_column_given_twice_is_an_error_and_an_extra_one_is_not() -> None:
    header = HEADERS[Kind.TRADES].split(",")
    assert recognise("f.csv", [*header, "note", "note"]).kind is Kind.TRADES
    with pytest.raises(DataError, match='column "price" stands twice'):
        recognise("f.csv", [*header, "PRICE "])
