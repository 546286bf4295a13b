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
