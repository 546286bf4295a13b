from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


@pytest.fixture
def two_runs(run: Run) -> None:
    assert run("sample", "market.csv", "--ticks", "5000").code == 0
    assert run("replay", "market.csv", "--json", "a.json").code == 0
    assert run("replay", "market.csv", "--set", "execution.commission_bps=1", "--json", "b.json").code == 0


@pytest.mark.usefixtures("two_runs")
def test_the_figures_that_differ_are_shown_with_their_change(run: Run) -> None:
    said = run("report", "compare", "a.json", "b.json").out
    commission = json.loads(Path("b.json").read_text())["metrics"]["commission"]
    line = next(line for line in said.splitlines() if line.startswith("commission"))
    assert line.split() == ["commission", "0", f"{commission:,.6g}", f"{commission:+,.6g}"]
    assert "signals" not in said
    assert said.startswith("execution.commission_bps: 0.0 -> 1.0\n")
    assert "sharpe and sortino mean little: scaled to a year from 50 s of data\n" in said
    assert any(line.startswith("total return") and line.count("%") == 3 for line in said.splitlines())
    assert said.endswith("different orders or fills, by their digests\n")


@pytest.mark.usefixtures("two_runs")
def test_a_run_compared_with_itself_differs_in_nothing(run: Run) -> None:
    assert run("report", "compare", "a.json", "a.json").out == "the same orders and fills, by their digests\n"
    compared = json.loads(run("report", "compare", "a.json", "a.json", "--json").out)
    assert compared["same_digest"] is True
    assert {row["change"] for row in compared["figures"]} <= {0.0, None}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("no json", "got no JSON"), ("[]", "got other JSON"), ('{"digest": 1}', "got other JSON")],
)
def test_what_is_no_report_is_told(run: Run, text: str, sentence: str) -> None:
    Path("a.json").write_text(text)
    ran = run("report", "compare", "a.json", "a.json")
    assert ran.code == 2
    assert sentence in ran.err
    assert run("report", "compare", "missing.json", "a.json").code == 2
