from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]


def test_a_new_project_backtests_and_its_test_passes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    started = run("init", "my desk: BTC")
    assert started.code == 0
    assert "wrote my desk: BTC/sengine.yaml\n" in started.out
    monkeypatch.chdir("my desk: BTC")
    assert run("config", "check", "sengine.yaml").out == "sengine.yaml: good; 3 of 3 strategies enabled\n"
    ran = run("replay", "market.csv", "-c", "sengine.yaml")
    assert ran.code == 0
    assert "momentum_btc" in ran.out
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "strategies"], capture_output=True, text=True, check=False, timeout=60
    )
    assert tested.returncode == 0, tested.stdout


def test_the_strategies_of_a_project_are_its_own_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init", "desk")
    monkeypatch.chdir("desk")
    before = run("replay", "market.csv", "-c", "sengine.yaml", "--json", "-").out
    momentum = Path("strategies/momentum.py")
    momentum.write_text(momentum.read_text("utf-8").replace("self.position <= 0", "False"), "utf-8")
    assert run("replay", "market.csv", "-c", "sengine.yaml", "--json", "-").out != before


def test_a_file_that_exists_is_not_overwritten(run: Run) -> None:
    Path("desk").mkdir()
    Path("desk/market.csv").write_text("mine", "utf-8")
    ran = run("init", "desk")
    assert (ran.code, ran.out) == (2, "")
    assert "desk/market.csv exists already" in ran.err
    assert [path.name for path in Path("desk").iterdir()] == ["market.csv"]


def test_a_folder_that_cannot_be_made_is_bad_usage(run: Run) -> None:
    Path("desk").write_text("a file", "utf-8")
    ran = run("init", "desk")
    assert ran.code == 2
    assert "cannot be written" in ran.err
