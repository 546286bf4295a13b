from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import polars as pl
import pytest
import zstandard

from replay.csv_feed import CsvFeed
from replay.feed import Feed, open_feed
from replay.merge import merge_feeds
from replay.parquet_feed import ParquetFeed
from replay.rows import RejectedRow
from sengine.errors import DataError

TRADES = b"timestamp,symbol,price,quantity,side\n1723161255,BTC,10,1,buy\n"


def test_csv_is_told_by_content_whatever_its_name(tmp_path: Path) -> None:
    for name, content in {"a.txt": TRADES, "b.gz": TRADES, "c": gzip.compress(TRADES)}.items():
        path = tmp_path / name
        path.write_bytes(content)
        feed = open_feed(path, pytest.fail)
        assert isinstance(feed, CsvFeed)
        assert len(list(feed)) == 1


def test_parquet_is_told_by_content_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "data.bin"
    pl.read_csv(TRADES).write_parquet(path)
    feed = open_feed(path, pytest.fail)
    assert isinstance(feed, ParquetFeed)
    assert len(list(feed)) == 1


def test_parquet_by_name_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.Parquet"
    path.write_bytes(TRADES)
    with pytest.raises(DataError, match="named like Parquet"):
        open_feed(path, pytest.fail)


def test_missing_file_and_directory_are_refused(tmp_path: Path) -> None:
    for name in ("none.csv", "none.parquet", "a\0b"):
        with pytest.raises(DataError):
            open_feed(tmp_path / name, pytest.fail)
    for name in ("dir", "dir.parquet"):
        (tmp_path / name).mkdir()
        with pytest.raises(DataError, match="a folder with neither a journal nor market data"):
            open_feed(tmp_path / name, pytest.fail)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_opened_once(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(TRADES,))
    writer.start()
    assert len(list(open_feed(path, pytest.fail))) == 1
    writer.join()


DATES = (
    "20240102", "202401020930", "20240102093000", "45293.4", "34200000", "34200", "638397846000000000", "-1704187800",
)  # fmt: skip
HEADERS = {
    "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty": "A,99,1,101,1",
    "timestamp,symbol,price,quantity,side": "A,100,1,buy",
    "timestamp,symbol,open,high,low,close,volume": "A,100,101,99,100,1",
}


@pytest.mark.parametrize("cell", DATES)
@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet text", "parquet number"])
def test_a_date_as_a_number_is_refused_in_every_feed(tmp_path: Path, cell: str, header: str, form: str) -> None:
    rows = [f"{cell},{HEADERS[header]}"] * 3
    path = tmp_path / f"f.{form.split()[0]}"
    if form.startswith("parquet"):
        table = pl.DataFrame([row.split(",") for row in rows], header.split(","), orient="row")
        numbers = [name for name in table.columns if name not in ("timestamp", "symbol", "side")]
        kind = pl.String if form == "parquet text" else pl.Float64 if "." in cell else pl.Int64
        table.cast(dict.fromkeys(numbers, pl.Float64) | {"timestamp": kind}).write_parquet(path)
    else:
        text = "\n".join([header, *rows, ""]).encode()
        path.write_bytes(gzip.compress(text) if form == "csv.gz" else text)
    rejected: list[RejectedRow] = []
    assert list(open_feed(path, rejected.append)) == []
    assert [row.reason for row in rejected] == ["not_an_epoch_number"] * 3
    assert all(f"expected a timestamp, got {cell}" in row.detail for row in rejected)


FORMS = ["csv", "csv.gz", "csv.zst", "parquet"]


def written(folder: Path, rows: int, form: str, begin: int = 1_723_161_255) -> Path:
    """Quotes, one a second."""
    table = pl.DataFrame({"timestamp": range(begin, begin + rows)}).with_columns(symbol=pl.lit("BTC"))
    table = table.with_columns(bid_price=10.0, bid_qty=1.0, ask_price=11.0, ask_qty=pl.int_range(rows) % 7 + 0.5)
    path = folder / f"f{begin}.{form}"
    if form == "parquet":
        table.write_parquet(path)
        return path
    text = table.write_csv().encode()
    path.write_bytes(gzip.compress(text) if form == "csv.gz" else zstandard.compress(text) if "zst" in form else text)
    return path


def assert_steady(feed: Feed, rows: int) -> None:
    """The fraction follows the rows that were taken, from the first to the last."""
    before = 0.0
    for taken, _ in enumerate(feed, 1):
        done = feed.fraction_done()
        assert done is not None
        assert before <= done <= 1.0
        assert done == pytest.approx(taken / rows, abs=0.12)
        before = done
    assert feed.fraction_done() == 1.0


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rows", [10, 500, 20_000])
def test_how_much_is_done_follows_the_rows_also_of_a_small_file(tmp_path: Path, form: str, rows: int) -> None:
    feed = open_feed(written(tmp_path, rows, form), pytest.fail)
    assert feed.fraction_done() == 0.0
    assert_steady(feed, rows)


@pytest.mark.parametrize("form", FORMS)
def test_how_much_is_done_of_several_files_is_of_all_of_them_together(tmp_path: Path, form: str) -> None:
    begins = (1_723_161_255, 1_723_161_255, 1_723_165_255, 1_723_169_255)
    folders = [tmp_path / str(place) for place in range(4)]
    feeds = []
    for folder, begin in zip(folders, begins, strict=True):
        folder.mkdir()
        feeds.append(open_feed(written(folder, 4_000, form, begin), pytest.fail))
    assert_steady(merge_feeds(feeds), 16_000)


def test_rows_that_are_refused_count_as_done(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    header = "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n"
    path.write_text(header + "1,A,x,1,2,1\n" * 90 + "1,A,1,1,2,1\n" * 10)
    feed = open_feed(path, lambda row: None)
    events = iter(feed)
    next(events)
    done = feed.fraction_done()
    assert done == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize("unit", ["ns", "s"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_number_that_another_program_took_for_a_time_is_refused(tmp_path: Path, unit: str, form: str) -> None:
    # As pandas.to_datetime does: 20240102 is then 20 ms after 1970 began, and 45293 seconds of it half a day.
    counts = [20_240_102, 20_240_103] if unit == "ns" else [45_293 * 10**9, 45_294 * 10**9]
    times = pl.Series("timestamp", counts, pl.Int64).cast(pl.Datetime("ns"))
    table = pl.DataFrame([times]).with_columns(symbol=pl.lit("A"), price=1.0, quantity=1.0, side=pl.lit("buy"))
    path = tmp_path / f"f.{form}"
    if form == "csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)
    rejected: list[RejectedRow] = []
    assert list(open_feed(path, rejected.append)) == []
    assert [row.reason for row in rejected] == ["not_an_epoch_number"] * 2
    assert "got 1970-01-01T" in rejected[0].detail
    assert ("the date 2024-01-02" if unit == "ns" else "a spreadsheet's day (2024-01-02") in rejected[0].detail
