from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_the_same_arguments_give_the_same_file(run: Run) -> None:
    for name in ("a.csv", "b.csv"):
        ran = run("sample", name, "--ticks", "1500", "--symbols", "A, B", "--seed", "3")
        assert ran == (0, f"wrote 1,500 quotes of A, B to {name}\n", "")
    assert Path("a.csv").read_bytes() == Path("b.csv").read_bytes()
    assert run("sample", "c.csv", "--ticks", "1500", "--symbols", "A,B", "--seed", "4").code == 0
    assert Path("a.csv").read_bytes() != Path("c.csv").read_bytes()


@pytest.mark.parametrize("name", ["market.csv", "market.csv.gz", "market.csv.zst", "market.parquet"])
def test_a_replay_reads_what_was_written(run: Run, name: str) -> None:
    assert run("sample", name, "--ticks", "300", "--symbols", "A,B").code == 0
    report = json.loads(run("replay", name, "--json", "-").out)
    assert (report["ticks"], report["rejected"]) == (300, {})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["market.csv", "--ticks", "0"], "expected at least 1 tick to generate, got 0"),
        (["market.csv", "--symbols", "A,,B"], "expected a symbol"),
        (["market.csv", "--symbols", "A,A"], "the symbol A is given twice"),
        (["missing/market.csv"], "missing/market.csv cannot be written"),
    ],
)
def test_a_market_that_cannot_be_made_is_bad_usage(run: Run, arguments: list[str], sentence: str) -> None:
    ran = run("sample", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("sengine: ")
    assert sentence in ran.err
    assert not Path("market.csv").exists()


def test_ticks_that_are_no_number_are_bad_usage(run: Run) -> None:
    ran = run("sample", "market.csv", "--ticks", "many")
    assert ran.code == 2
    assert "'many' is not a valid int" in ran.err
