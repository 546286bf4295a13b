from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import polars as pl
import pytest

from replay.csv_feed import CsvFeed
from replay.feed import open_feed
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
    assert [row.reason for row in rejected] == ["bad_timestamp"] * 3
    assert all(f"expected a timestamp, got {cell}" in row.detail for row in rejected)
