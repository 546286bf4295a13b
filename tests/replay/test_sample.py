from __future__ import annotations

import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import zstandard

from replay.feed import open_feed
from replay.sample import write_sample
from replay.synthetic import generate_quotes
from sengine.errors import DataError
from tests.replay.plain_events import plain

SYMBOLS = ["BTCUSDT", "ETHUSDT", "SOLUSDT"]

# Changing the generator changes everybody's samples and the digests of runs over them: do it knowingly.
CSV_SHA256 = "1dd1b394541267cdcd9b1aed6972d98d88bcd599c119e6e9bb51575205f97b97"


def test_bytes_are_the_same_on_every_machine(tmp_path: Path) -> None:
    path = tmp_path / "sample.csv"
    write_sample(path, 20_000, SYMBOLS, 7)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == CSV_SHA256


def test_bytes_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    script = "import sys; from replay.sample import write_sample; write_sample(sys.argv[1], 500, ['ABC', 'XYZ'], 1)"
    contents = set()
    for hash_seed in ("1", "2"):
        path = tmp_path / f"{hash_seed}.csv"
        environment = os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        subprocess.run([sys.executable, "-c", script, str(path)], env=environment, check=True, timeout=60)
        contents.add(path.read_bytes())
    assert len(contents) == 1


def test_packed_files_hold_the_same_quotes_and_have_the_same_bytes_each_time(tmp_path: Path) -> None:
    def written(name: str) -> bytes:
        write_sample(tmp_path / name, 3_000, SYMBOLS, 7)
        return (tmp_path / name).read_bytes()

    plain = written("a.csv")
    assert gzip.decompress(written("a.csv.gz")) == plain
    assert written("b.csv.gz") == written("a.csv.gz")
    with zstandard.ZstdDecompressor().stream_reader(written("a.csv.zst")) as reader:
        assert reader.read() == plain
    assert written("b.csv.zst") == written("a.csv.zst")
    assert written("b.parquet") == written("a.parquet")
    assert pl.read_parquet(tmp_path / "a.parquet").equals(pl.read_csv(plain))


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.csv.zst", "a.parquet"])
def test_sample_read_back_is_what_was_generated(tmp_path: Path, name: str) -> None:
    write_sample(tmp_path / name, 2_000, SYMBOLS, 3)
    assert list(map(plain, open_feed(tmp_path / name, pytest.fail))) == list(generate_quotes(2_000, SYMBOLS, 3))


@pytest.mark.parametrize(
    ("ticks", "symbols", "sentence"),
    [
        (0, ["A"], "at least 1 tick"),
        (-5, ["A"], "at least 1 tick"),
        (5, [], "at least one symbol"),
        (5, [""], "without spaces, commas and quotes"),
        (5, ["A,B"], "without spaces, commas and quotes"),
        (5, ["A B"], "without spaces, commas and quotes"),
        (5, ["A\n"], "without spaces, commas and quotes"),
        (5, ["A", "A"], "given twice"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(
    tmp_path: Path, ticks: int, symbols: list[str], sentence: str
) -> None:
    path = tmp_path / "sample.csv"
    with pytest.raises(DataError, match=sentence):
        write_sample(path, ticks, symbols, 1)
    assert not path.exists()


@pytest.mark.parametrize("suffix", ["csv", "csv.gz", "csv.zst", "parquet"])
def test_path_that_cannot_be_written_is_an_error(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(DataError, match="cannot be written"):
        write_sample(tmp_path / "none" / f"sample.{suffix}", 5, ["A"], 1)
    (tmp_path / f"dir.{suffix}").mkdir()
    with pytest.raises(DataError, match="cannot be written"):
        write_sample(tmp_path / f"dir.{suffix}", 5, ["A"], 1)
