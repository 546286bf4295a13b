from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.csv_feed import CsvFeed
from replay.formats import Kind
from replay.parquet_feed import ParquetFeed
from replay.rows import RejectedRow
from sengine.domain.events import BarEvent, BookEvent, MarketEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel
from sengine.errors import DataError
from tests.replay.plain_events import plain

T = 1_723_161_255_088_169_167
MOMENT = datetime(2024, 8, 8, 23, 54, 15, 88_169, tzinfo=UTC)


class Read:
    """A Parquet file written, and read to its end."""

    def __init__(self, folder: Path, table: pl.DataFrame, batch_rows: int = 65_536) -> None:
        path = folder / "f.parquet"
        table.write_parquet(path)
        self.rejected: list[RejectedRow] = []
        self.events: list[MarketEvent] = []
        self.rows: list[int] = []
        feed = ParquetFeed(path, self.rejected.append, batch_rows=batch_rows)
        self.kind = feed.layout.kind
        for event in feed:
            self.events.append(plain(event))
            self.rows.append(int(feed.position().removeprefix(f"{path}: row ")))

    @property
    def reasons(self) -> list[tuple[int, str]]:
        return [(row.line, row.reason) for row in self.rejected]

    @property
    def times(self) -> list[int]:
        return [event.timestamp_ns for event in self.events]


def quotes(times: Any, **columns: Any) -> pl.DataFrame:
    timestamps = times if isinstance(times, pl.Series) else pl.Series(times)
    cells = {"symbol": "BTC", "bid_price": 10.0, "bid_qty": 1.0, "ask_price": 11.0, "ask_qty": 2.0} | columns
    return pl.DataFrame({"timestamp": timestamps}).with_columns(
        **{name: cell if isinstance(cell, pl.Series) else pl.lit(cell) for name, cell in cells.items()}
    )


def quote(time_ns: int, symbol: str = "BTC", bid: float = 10.0) -> BookEvent:
    return BookEvent(symbol, time_ns, OrderBook((PriceLevel(bid, 1.0),), (PriceLevel(11.0, 2.0),)))


def test_each_kind_is_read(tmp_path: Path) -> None:
    assert Read(tmp_path, quotes([T])).events == [quote(T)]
    trades = pl.DataFrame({"Timestamp ": [T], "side": ["SELL"], "price": [10], "symbol": ["BTC"], "quantity": [2.5]})
    assert Read(tmp_path, trades).events == [TradeEvent("BTC", T, 10.0, 2.5, "sell")]
    bar = {"timestamp": [T], "symbol": ["BTC"], "open": [1], "high": [4.0], "low": [0.5], "close": [2], "volume": [9]}
    assert Read(tmp_path, pl.DataFrame(bar)).events == [BarEvent("BTC", T, OHLCV(1.0, 4.0, 0.5, 2.0, 9.0))]
    depth = {"timestamp": [T, T], "symbol": ["BTC", "BTC"], "bid_price_1": [10.0, 10.0], "bid_qty_1": [1.0, 1.0]}
    depth |= {
        "ask_price_1": [11.0, 11.0],
        "ask_qty_1": [2.0, 2.0],
        "ask_price_2": [12.0, None],
        "ask_qty_2": [3.0, None],
    }
    got = Read(tmp_path, pl.DataFrame(depth))
    assert got.kind is Kind.DEPTH
    assert [len(event.book.asks) for event in got.events if isinstance(event, BookEvent)] == [2, 1]


@pytest.mark.parametrize(
    "times",
    [
        [1_723_161_255],
        [1_723_161_255_000],
        [1_723_161_255_000_000_000],
        pl.Series([1_723_161_255], dtype=pl.UInt32),
        [1_723_161_255.0],
        pl.Series([Decimal("1723161255.0")]),
        ["2024-08-08T23:54:15Z"],
        ["1723161255"],
        pl.Series([datetime(2024, 8, 8, 23, 54, 15)], dtype=pl.Datetime("ms")),
        pl.Series([datetime(2024, 8, 8, 23, 54, 15)], dtype=pl.Datetime("us")),
        pl.Series([datetime(2024, 8, 8, 23, 54, 15)], dtype=pl.Datetime("ns")),
        pl.Series([datetime(2024, 8, 8, 23, 54, 15, tzinfo=UTC)]).dt.convert_time_zone("Asia/Tokyo"),
    ],
)
def test_timestamps_of_any_type_are_the_same_moment(tmp_path: Path, times: Any) -> None:
    assert Read(tmp_path, quotes(times)).times == [1_723_161_255_000_000_000]


def test_dates_are_midnight_utc_and_early_moments_keep_their_unit(tmp_path: Path) -> None:
    assert Read(tmp_path, quotes([date(2024, 8, 8), date(1970, 1, 2)])).times == [
        1_723_075_200_000_000_000,
        86_400_000_000_000,
    ]
    early = pl.Series([datetime(1970, 1, 1, 0, 0, 1), None, datetime(1969, 12, 31)], dtype=pl.Datetime("us"))
    got = Read(tmp_path, quotes(early))
    assert got.times == [1_000_000_000, -86_400_000_000_000]
    assert got.reasons == [(2, "bad_timestamp")]


def test_moment_beyond_nanoseconds_is_a_bad_timestamp(tmp_path: Path) -> None:
    far = pl.Series([datetime(2500, 1, 1), datetime(2024, 1, 1)], dtype=pl.Datetime("ms"))
    got = Read(tmp_path, quotes(far))
    assert got.times == [1_704_067_200_000_000_000]
    assert got.reasons == [(1, "bad_timestamp")]
    assert Read(tmp_path, quotes([date(9999, 1, 1)])).reasons == [(1, "bad_timestamp")]
    assert Read(tmp_path, quotes(pl.Series([2**64 - 1], dtype=pl.UInt64))).reasons == [(1, "bad_timestamp")]


def test_null_and_wrong_cells_are_rejected_with_their_row(tmp_path: Path) -> None:
    table = quotes(
        [T, None, T + 2, T + 3, T + 4],
        symbol=pl.Series(["BTC", "BTC", None, "BTC", "BTC"]),
        bid_price=pl.Series(["10", "10", "10", "ten", None]),
    )
    got = Read(tmp_path, table)
    assert got.events == [quote(T)]
    assert got.reasons == [(2, "bad_timestamp"), (3, "empty_symbol"), (4, "not_a_number"), (5, "not_a_number")]
    assert got.rejected[0].place == f"{tmp_path / 'f.parquet'}: row 2"


def test_rows_around_a_bad_one_are_all_read_in_every_batch(tmp_path: Path) -> None:
    bad = [50, 777, 2_998]
    prices = pl.Series([None if n in bad else float(n) for n in range(3_000)])
    got = Read(tmp_path, quotes([T + n for n in range(3_000)], bid_price=prices), batch_rows=1_000)
    good = [n for n in range(3_000) if n not in bad]
    assert got.events == [quote(T + n, bid=float(n)) for n in good]
    assert got.rows == [n + 1 for n in good]
    assert got.reasons == [(n + 1, "not_a_number") for n in bad]


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["ETH", "BTC"]), pl.String])
def test_symbols_may_be_any_kind_of_text(tmp_path: Path, dtype: Any) -> None:
    got = Read(tmp_path, quotes([T, T], symbol=pl.Series(["BTC", "ETH"], dtype=dtype)))
    assert got.events == [quote(T), quote(T, "ETH")]


def test_symbols_may_be_instrument_numbers(tmp_path: Path) -> None:
    assert Read(tmp_path, quotes([T], symbol=42)).events == [quote(T, "42")]


def test_sequence_may_have_gaps_and_then_be_float(tmp_path: Path) -> None:
    events = Read(tmp_path, quotes([T, T], seq=pl.Series([5, None]))).events
    assert [event.sequence for event in events] == [5, -1]
    events = Read(tmp_path, quotes([T, T], seq=pl.Series([5.0, None]))).events
    assert [event.sequence for event in events] == [5, -1]


@pytest.mark.parametrize(
    ("column", "cell"),
    [("timestamp", True), ("symbol", [1.0]), ("bid_price", True), ("bid_price", date(2024, 1, 1)), ("ask_qty", [1.0])],
)
def test_column_of_a_useless_type_is_refused_at_open(tmp_path: Path, column: str, cell: Any) -> None:
    path = tmp_path / "f.parquet"
    quotes([T]).with_columns(pl.lit(pl.Series([cell])).alias(column)).write_parquet(path)
    with pytest.raises(DataError, match=f'the column "{column}" holds .*; expected '):
        ParquetFeed(path, pytest.fail)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"", "is empty"), (b"timestamp,symbol\n", "its content is not"), (b"PAR1", "damaged"), (b"PAR1" * 9, "damaged")],
)
def test_what_is_no_parquet_is_refused_at_open(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "f.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence):
        ParquetFeed(path, pytest.fail)


def test_unknown_columns_are_refused_at_open(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    with pytest.raises(DataError, match="no known kind"):
        ParquetFeed(path, pytest.fail)


def test_truncated_file_is_refused_at_open(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    quotes([T + n for n in range(1_000)]).write_parquet(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match="damaged"):
        ParquetFeed(path, pytest.fail)


def test_corrupt_part_is_an_error_after_the_rows_before_it(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    quotes([T + n * 7919 % 100_003 for n in range(20_000)]).write_parquet(
        path, compression="zstd", row_group_size=5_000
    )
    content = bytearray(path.read_bytes())
    zstd_frame = content.index(b"\x28\xb5\x2f\xfd", len(content) // 2)
    content[zstd_frame : zstd_frame + 4] = b"none"
    path.write_bytes(content)
    seen: list[MarketEvent] = []
    with pytest.raises(DataError, match=r"damaged .*; the 10,000 rows before that were read"):
        seen.extend(ParquetFeed(path, pytest.fail, batch_rows=5_000))
    assert len(seen) == 10_000


def test_file_without_rows_gives_no_events(tmp_path: Path) -> None:
    assert Read(tmp_path, quotes([T]).clear()).events == []


def test_fraction_done_grows_row_by_row(tmp_path: Path) -> None:
    path = tmp_path / "f.parquet"
    quotes([T + n for n in range(1_000)]).write_parquet(path)
    feed = ParquetFeed(path, pytest.fail, batch_rows=250)
    events = iter(feed)
    assert feed.fraction_done() == 0.0
    next(events)
    assert feed.fraction_done() == 0.001
    assert len(list(events)) == 999
    assert feed.fraction_done() == 1.0


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2 * 10**18),
            st.sampled_from(["BTC", "ETH", " BTC ", "", None]),
            *[st.one_of(st.floats(allow_nan=False), st.none())] * 4,
        ),
        min_size=1,
        max_size=8,
    )
)
def test_table_gives_the_same_as_parquet_and_as_csv(tmp_path_factory: pytest.TempPathFactory, rows: list[Any]) -> None:
    names = ["timestamp", "symbol", "bid_price", "bid_qty", "ask_price", "ask_qty"]
    types = [pl.Int64, pl.String, *[pl.Float64] * 4]
    table = pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")
    folder = tmp_path_factory.mktemp("both")
    got = Read(folder, table)
    lines = [",".join("" if cell is None else str(cell) for cell in row) for row in rows]
    (folder / "f.csv").write_text("\n".join([",".join(names), *lines, ""]))
    rejected: list[RejectedRow] = []
    assert list(map(plain, CsvFeed(folder / "f.csv", rejected.append))) == got.events
    assert [(row.line - 1, row.reason) for row in rejected] == got.reasons
