from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.csv_feed import CsvFeed
from replay.formats import Kind, recognise
from replay.rows import BadRowError, RejectedRow, RowParser
from sengine.domain.events import BarEvent, BookEvent, MarketEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel
from sengine.errors import DataError
from tests.replay.plain_events import plain

QUOTES = "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty"
DEPTH = "timestamp,symbol,bid_price_1,bid_qty_1,bid_price_2,bid_qty_2,ask_price_1,ask_qty_1,ask_price_2,ask_qty_2"
TRADES = "timestamp,symbol,price,quantity,side"
BARS = "timestamp,symbol,open,high,low,close,volume"
T = 1_723_161_255_088_169_167


class Read:
    """A CSV read to its end."""

    def __init__(self, path: Path, **sizes: int) -> None:
        self.rejected: list[RejectedRow] = []
        self.events: list[MarketEvent] = []
        self.lines: list[int] = []
        feed = CsvFeed(path, self.rejected.append, **sizes)
        for event in feed:
            self.events.append(plain(event))
            self.lines.append(int(feed.position().removeprefix(f"{path}:")))

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(row.line, row.reason) for row in self.rejected]


def read(folder: Path, header: str, *rows: str, **sizes: int) -> Read:
    path = folder / "f.csv"
    path.write_text("\n".join([header, *rows]) + "\n", newline="")
    return Read(path, **sizes)


def quote(time_ns: int, bid: float = 10.0, ask: float = 11.0) -> BookEvent:
    return BookEvent("BTC", time_ns, OrderBook((PriceLevel(bid, 1.0),), (PriceLevel(ask, 2.0),)))


def row(time_ns: object, bid: object = "10", ask: object = "11") -> str:
    return f"{time_ns},BTC,{bid},1,{ask},2"


def test_quotes_become_books_of_one_level(tmp_path: Path) -> None:
    got = read(tmp_path, QUOTES, f"{T},BTC,61800.2,2.507,61800.3,2.51")
    assert got.events == [
        BookEvent("BTC", T, OrderBook((PriceLevel(61800.2, 2.507),), (PriceLevel(61800.3, 2.51),)), -1, 0)
    ]
    assert got.rejected == []


def test_depth_ends_a_side_at_its_first_empty_level(tmp_path: Path) -> None:
    got = read(
        tmp_path, DEPTH, f"{T},BTC,10,1,9,2,11,3,12,4", f"{T + 1},BTC,10,1,,,11,3,12,4", f"{T + 2},BTC,10,1,,,11,3,,"
    )
    best_bid, next_bid, best_ask, next_ask = map(PriceLevel, (10.0, 9.0, 11.0, 12.0), (1.0, 2.0, 3.0, 4.0))
    assert [event.book for event in got.events if isinstance(event, BookEvent)] == [
        OrderBook((best_bid, next_bid), (best_ask, next_ask)),
        OrderBook((best_bid,), (best_ask, next_ask)),
        OrderBook((best_bid,), (best_ask,)),
    ]


def test_depth_row_cut_short_is_no_shallow_book(tmp_path: Path) -> None:
    got = read(tmp_path, DEPTH, f"{T},BTC,10,1,9,2,11,3,12,4", f"{T + 1},BTC,10,1,9,2,11,3")
    assert len(got.events) == 1
    assert got.reasons == [(3, "missing_column")]


@pytest.mark.parametrize("hole", [",,9,2,11,3,12,4", "10,,9,2,11,3,12,4", "10,1,9,,11,3,12,4", "10,1,9,2,,,12,4"])
def test_depth_without_a_best_level_or_with_half_a_level_is_rejected(tmp_path: Path, hole: str) -> None:
    assert read(tmp_path, DEPTH, f"{T},BTC,{hole}").reasons == [(2, "not_a_number")]


def test_trades_and_bars_become_their_events(tmp_path: Path) -> None:
    assert read(tmp_path, TRADES, f"{T},BTC,10,1,buy", f"{T},BTC,10.5,2, SELL ").events == [
        TradeEvent("BTC", T, 10.0, 1.0, "buy"),
        TradeEvent("BTC", T, 10.5, 2.0, "sell"),
    ]
    assert read(tmp_path, BARS, f"{T},BTC,1,4,0.5,2,100").events == [
        BarEvent("BTC", T, OHLCV(1.0, 4.0, 0.5, 2.0, 100.0))
    ]


def test_seq_becomes_the_sequence_and_an_empty_one_is_none(tmp_path: Path) -> None:
    got = read(tmp_path, f"{TRADES},seq", f"{T},BTC,10,1,buy,7", f"{T},BTC,10,1,buy,", f"{T},BTC,10,1,buy,9.0")
    assert [event.sequence for event in got.events] == [7, -1, 9]
    assert read(tmp_path, f"{TRADES},seq", f"{T},BTC,10,1,buy,7.5").reasons == [(2, "not_a_number")]


def test_columns_in_another_order_beside_unknown_ones_are_found(tmp_path: Path) -> None:
    got = read(tmp_path, "\ufeffside, PRICE ,note,symbol,Quantity,timestamp", f"buy,10,hello,BTC,1,{T}")
    assert got.events == [TradeEvent("BTC", T, 10.0, 1.0, "buy")]


@pytest.mark.parametrize(
    "time", ["1723161255", "1723161255088", "1723161255088169", "1723161255088169167", " 1723161255", "+1723161255"]
)
def test_unit_of_epoch_timestamps_is_told_from_their_size(tmp_path: Path, time: str) -> None:
    digits = time.strip(" +")
    expected = int(digits.ljust(19, "0"))
    got = read(tmp_path, QUOTES, row(time), row(time))
    assert [event.timestamp_ns for event in got.events] == [expected, expected]


def test_units_may_differ_within_a_file(tmp_path: Path) -> None:
    times = [
        "1723161255",
        "1723161256000",
        "1723161257.5",
        "2024-08-08T23:54:18Z",
        "1969-12-31T23:59:59Z",
        "1723161259000000000",
    ]
    got = read(tmp_path, QUOTES, *map(row, times))
    assert [event.timestamp_ns // 10**8 for event in got.events] == [
        17231612550,
        17231612560,
        17231612575,
        17231612580,
        -10,
        17231612590,
    ]


def test_iso_timestamps_are_read(tmp_path: Path) -> None:
    got = read(tmp_path, QUOTES, row("2024-08-08T23:54:15.088169167Z"), row("2024-08-08 23:54:15.088169168"))
    assert [event.timestamp_ns for event in got.events] == [T, T + 1]
    assert got.rejected == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (f"{T},BTC,10,1,11", "missing_column"),
        (f"{T}", "missing_column"),
        (f"{T},BTC,10,1,11,2,3", "extra_column"),
        (f"{T},BTC,60,000.5,1,11,2", "extra_column"),
        (f"{T},BTC,ten,1,11,2", "not_a_number"),
        (f"{T},BTC,1_0,1,11,2", "not_a_number"),
        (f"{T},BTC,\u0661,1,11,2", "not_a_number"),
        (f"{T},BTC,,1,11,2", "not_a_number"),
        (f"{T},BTC,10,1,11,", "not_a_number"),
        (f"{T},BTC,0x10,1,11,2", "not_a_number"),
        (f"{T},BTC,1\x000,1,11,2", "not_a_number"),
        ("soon,BTC,10,1,11,2", "bad_timestamp"),
        (",BTC,10,1,11,2", "bad_timestamp"),
        ("99999999999,BTC,10,1,11,2", "bad_timestamp"),
        ("9223372036854775808,BTC,10,1,11,2", "bad_timestamp"),
        ("-9223372036854775808,BTC,10,1,11,2", "bad_timestamp"),
        ("nan,BTC,10,1,11,2", "bad_timestamp"),
        ("2024-02-30,BTC,10,1,11,2", "bad_timestamp"),
        (f"{T},,10,1,11,2", "empty_symbol"),
        (f"{T},  ,10,1,11,2", "empty_symbol"),
        (f"{T},B\x00C,10,1,11,2", "bad_symbol"),
        (f'{T},"BTC,10,1,11,2', "missing_column"),
    ],
)
def test_bad_row_is_rejected_by_reason_and_its_neighbours_are_not(tmp_path: Path, bad: str, reason: str) -> None:
    got = read(tmp_path, QUOTES, row(T), bad, row(T + 1))
    assert got.events == [quote(T), quote(T + 1)]
    assert got.lines == [2, 4]
    assert got.reasons == [(3, reason)]
    assert got.rejected[0].place == f"{tmp_path / 'f.csv'}:3"
    assert str(got.rejected[0]).startswith(f"{tmp_path / 'f.csv'}:3: ")


def test_bad_side_is_rejected(tmp_path: Path) -> None:
    assert read(tmp_path, TRADES, f"{T},BTC,10,1,hold", f"{T},BTC,10,1,").reasons == [(2, "bad_side"), (3, "bad_side")]


def test_undecodable_bytes_reject_their_row_only(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    lines = [f"{QUOTES},note", f"{row(T)},a", f"{row(T, bid='@')},a", f"{row(T)},@", f"{T},@,10,1,11,2,a"]
    path.write_bytes("\n".join(lines).encode().replace(b"@", b"\xff\xfe"))
    got = Read(path)
    assert got.events == [quote(T), quote(T)]
    assert got.reasons == [(3, "not_a_number"), (5, "bad_symbol")]


def test_values_that_only_the_engine_can_judge_pass(tmp_path: Path) -> None:
    got = read(tmp_path, QUOTES, row(T, "nan", "inf"), row(T, "-1", "-2"), row(T - 5, "12", "11"))
    prices = [(e.book.best_bid, e.book.best_ask) for e in got.events if isinstance(e, BookEvent)]
    assert math.isnan(prices[0][0])
    assert prices[0][1] == math.inf
    assert prices[1:] == [(-1.0, -2.0), (12.0, 11.0)]


def test_blank_lines_and_carriage_returns_are_nothing(tmp_path: Path) -> None:
    got = read(tmp_path, f"{QUOTES}\r", f"{row(T)}\r", "", "  \r", f"{row(T + 1)}\r", "")
    assert got.events == [quote(T), quote(T + 1)]
    assert got.lines == [2, 5]
    assert got.rejected == []


def test_quoted_cells_are_read(tmp_path: Path) -> None:
    got = read(tmp_path, '"timestamp","symbol",price,quantity,side,note', f'"{T}","BTC","10",1,"buy","a, ""b"""')
    assert got.events == [TradeEvent("BTC", T, 10.0, 1.0, "buy")]


def test_line_that_is_too_long_is_rejected(tmp_path: Path) -> None:
    got = read(tmp_path, f"{QUOTES},note", f"{row(T)},", f"{row(T)},{'x' * 500}", f"{row(T + 1)},", max_line_bytes=200)
    assert got.events == [quote(T), quote(T + 1)]
    assert got.reasons == [(3, "line_too_long")]


def test_text_that_looks_compressed_is_a_bad_row(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    packed = gzip.compress(f"{row(T)}\n".encode(), mtime=0).replace(b"\n", b"")
    path.write_bytes(f"{QUOTES}\n".encode() + packed + b"\n")
    got = Read(path)
    assert got.events == []
    assert len(got.rejected) == 1


def test_symbol_is_one_object_in_all_rows_blocks_and_paths(tmp_path: Path) -> None:
    rows = [row(T + n) for n in range(500)]
    got = read(tmp_path, QUOTES, *rows, "broken", *rows, f"{T}, BTC ,1,1,2,2", f'{T},"BTC",1,1,2,2', block_bytes=2_000)
    assert len({id(event.symbol) for event in got.events}) == 1


def test_position_is_right_in_every_block_around_bad_and_blank_lines(tmp_path: Path) -> None:
    bad = {50: "", 777: "broken", 1500: row("x"), 1501: "", 2999: "1,2"}
    rows = [bad.get(n, row(T + n)) for n in range(3_000)]
    got = read(tmp_path, QUOTES, *rows, block_bytes=20_000)
    good = [n for n in range(3_000) if n not in bad]
    assert [event.timestamp_ns - T for event in got.events] == good
    assert got.lines == [n + 2 for n in good]
    assert [line for line, _ in got.reasons] == [n + 2 for n in bad if bad[n]]


def test_rejections_come_in_order_with_the_events_and_may_stop_the_run(tmp_path: Path) -> None:
    class StopError(Exception):
        pass

    def stop(rejected: RejectedRow) -> None:
        raise StopError(str(rejected))

    path = tmp_path / "f.csv"
    path.write_text("\n".join([QUOTES, *(row(T + n) for n in range(1_000)), "broken", row(T)]))
    seen: list[MarketEvent] = []
    with pytest.raises(StopError, match=r"f\.csv:1002: expected 6 columns, got 1"):
        seen.extend(map(plain, CsvFeed(path, stop)))
    assert seen == [quote(T + n) for n in range(1_000)]


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_truncated_file_gives_its_rows_before_the_error(tmp_path: Path, pack) -> None:
    text = "\n".join([QUOTES, *(row(T + n * 7919 % 100_003) for n in range(100_000)), ""])
    packed = pack(text.encode())
    path = tmp_path / "f"
    path.write_bytes(packed[: len(packed) * 2 // 3])
    seen: list[MarketEvent] = []
    with pytest.raises(DataError, match="ends early"):
        seen.extend(map(plain, CsvFeed(path, pytest.fail)))
    assert len(seen) > 1_000
    assert seen == [quote(T + n * 7919 % 100_003) for n in range(len(seen))]


def test_unknown_header_is_refused_at_open(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"\xff\xfet\x00i\x00\n1,2\n")
    with pytest.raises(DataError, match="no known kind"):
        CsvFeed(path, pytest.fail)


def test_fraction_done_ends_at_one(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_text("\n".join([QUOTES, *(row(T + n) for n in range(1_000)), ""]))
    feed = CsvFeed(path, pytest.fail, block_bytes=2_000)
    events = iter(feed)
    fractions = [feed.fraction_done() for _ in islice(events, 0, None, 100)]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.5
    assert feed.fraction_done() == 1.0
    assert feed.size_bytes == path.stat().st_size


# The property that all else rests on: whichever path a row takes, the same comes out.

in_line = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=4)
number = st.one_of(
    st.floats().map(repr),
    st.floats(0, 1e6).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers(-(10**25), 10**25).map(str),
    st.sampled_from(
        ["", " ", "1", " 2", "3 ", "\t4", "+5", ".5", "5.", "1e5", "1e400", "nan", "-Infinity", "1_0", "\xa01"]
    ),
    st.text(" 0123456789.+-eE_infatyNIFx\t\r\x0b\x0c\x00\x1c\u0661\u2003", max_size=6),
)
time = st.one_of(
    st.integers(-(2**63), 2**63).map(str),
    st.integers(0, 2 * 10**9).map(str),
    st.integers(10**18, 2 * 10**18).map(str),
    st.datetimes().map(str),
    st.sampled_from(
        ["", " 1723161255", "1723161255 ", "1723161255.25", "2024-08-08", "2024-08-08T23:54:15+02:00", "1e9"]
    ),
    st.text("0123456789.+-eTZ: \x00", max_size=12),
)
symbol = st.one_of(
    st.sampled_from(["BTC", "ETH", " BTC", "BTC\r", "", " ", '"BTC"', '"B,C"', '"']),
    in_line,
)
side = st.one_of(st.sampled_from(["buy", "sell", "BUY", " sell ", "", "b", '"buy"']), in_line)
GOOD = {"timestamp": "1723161255", "symbol": "BTC", "side": "buy", "seq": "7", "note": "x"}
STRANGE = {"timestamp": time, "symbol": symbol, "side": side, "note": in_line}


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, list[str]]:
    header = draw(st.sampled_from([QUOTES, DEPTH, TRADES, BARS]))
    names = header.split(",")
    if draw(st.booleans()):
        names.append("seq")
    if draw(st.booleans()):
        names.insert(draw(st.integers(0, len(names))), "note")
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        cells = [GOOD.get(name, "1.5") for name in names]
        for at in draw(st.lists(st.integers(0, len(names) - 1), max_size=3)):
            cells[at] = draw(STRANGE.get(names[at], number))
        cells = cells[: draw(st.sampled_from([99] * 8 + [len(names) - 1]))] + draw(st.sampled_from([[]] * 8 + [["1"]]))
        rows.append(",".join(cells))
    return ",".join(names), draw(st.permutations([*rows, *draw(st.sampled_from([[], [], [], ["", " \r"]]))]))


def one_by_one(header: str, rows: Sequence[str]) -> tuple[list[str], list[tuple[int, str]]]:
    """What the row parser makes of plain cells, which is the written rule."""
    parser = RowParser(recognise("f", header.split(",")))
    events: list[str] = []
    reasons: list[tuple[int, str]] = []
    for line, text in enumerate(rows, 2):
        if not text.strip(" \t\r"):
            continue
        try:
            events.append(repr(parser.event(text.split(","))))
        except BadRowError as bad:
            reasons.append((line, bad.reason))
    return events, reasons


def test_an_odd_space_behind_a_sequence_number_is_no_traceback(tmp_path: Path) -> None:
    got = read(tmp_path, f"{TRADES},seq", f"{T},BTC,10,1,buy,7\x1c")
    assert [event.sequence for event in got.events] == [7]


@settings(max_examples=300)
@given(tables())
def test_fast_path_makes_what_the_row_parser_makes(tmp_path_factory: pytest.TempPathFactory, table) -> None:
    header, rows = table
    text = "\n".join([header, *rows, ""])
    if '"' in text or any(not row.strip() and row.strip(" \t\r") for row in rows):
        return  # quoted cells have their own test; what counts as blank is the line's business
    path = tmp_path_factory.mktemp("csv") / "f.csv"
    path.write_bytes(text.encode())
    got = Read(path)
    assert ([repr(event) for event in got.events], got.reasons) == one_by_one(header, rows)


@settings(max_examples=80)
@given(tables())
def test_each_row_comes_out_the_same_alone_and_among_others(tmp_path_factory: pytest.TempPathFactory, table) -> None:
    header, rows = table
    folder = tmp_path_factory.mktemp("csv")
    together = read(folder, header, *rows)
    alone = [read(folder, header, row) for row in rows]
    assert [repr(event) for event in together.events] == [repr(event) for got in alone for event in got.events]
    reasons = [(line, reason) for line, got in enumerate(alone, 2) for _, reason in got.reasons]
    assert together.reasons == reasons


@settings(max_examples=150)
@given(st.binary(max_size=300), st.sampled_from([QUOTES, DEPTH, TRADES, BARS, ""]))
def test_no_bytes_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, body: bytes, header: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "f.csv"
    path.write_bytes(header.encode() + b"\n" + body if header else body)
    rejected: list[RejectedRow] = []
    events: list[MarketEvent] = []
    with suppress(DataError):
        events.extend(CsvFeed(path, rejected.append))
    assert len(events) + len(rejected) <= body.count(b"\n") + 1


DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.skipif(not DATA.is_dir(), reason="the captured market data is not here")
@pytest.mark.parametrize(
    ("name", "rows", "kind"),
    [
        ("btcusdt_perp_20240808_quotes.csv.gz", 66_089, Kind.QUOTES),
        ("btcusdt_perp_20240808_trades.csv.gz", 21_313, Kind.TRADES),
        ("btcusdt_spot_20240809_quotes.csv.gz", 45_134, Kind.QUOTES),
        ("btcusdt_spot_20240809_trades.csv.gz", 10_147, Kind.TRADES),
    ],
)
def test_captured_market_data_is_read_without_a_rejection(name: str, rows: int, kind: Kind) -> None:
    feed = CsvFeed(DATA / name, pytest.fail)
    assert feed.layout.kind is kind
    assert sum(1 for _ in feed) == rows
    assert feed.position().endswith(f"{name}:{rows + 1}")
