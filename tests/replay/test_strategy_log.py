"""What strategies print and log in a replay: into ``--log``, or the first of it after the run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from replay.sample import write_sample
from sengine.cli import app
from sengine.errors import DataError
from tests.patience import PATIENCE_S

CHATTY = """
import logging
from sengine.strategy import BaseStrategy, Signal

class Chatty(BaseStrategy):
    ticks = 0

    def on_tick(self, data):
        self.ticks += 1
        if self.ticks == 1:
            print("first mid", data.mid)
            logging.getLogger("chatty").info("bell \\a")
            return Signal(direction="LONG", confidence=1.0)
        if self.ticks == 2:
            print("about to fail")
            raise ValueError("two")
        if self.ticks > 60:
            print("tick", self.ticks)

    def on_fill(self, fill):
        super().on_fill(fill)
        print("filled", fill.quantity)

def create_strategy():
    return Chatty("chatty")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "chatty.py").write_text(CHATTY)
    write_sample(tmp_path / "m.csv", 100, ["BTCUSDT"], seed=3)
    (tmp_path / "apart.yaml").write_text("strategies:\n- {id: chatty, type: grpc, module: chatty}\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_log_has_each_line_with_strategy_and_event_time_and_errors_between(folder: Path) -> None:
    done = CliRunner().invoke(app, ["replay", "m.csv", "--strategy", "chatty", "--log", "said.log"])
    assert done.exit_code == 0, done.output
    assert "first mid" not in done.output
    assert "wrote said.log" in done.output
    lines = (folder / "said.log").read_text().splitlines()
    assert lines[0].startswith("2024-01-02T00:00:00.0")
    words = [line.split(" ", 1)[1] for line in lines]
    assert words[0].startswith("chatty info: first mid ")
    assert words[1:4] == ["chatty info: bell \\x07", "chatty info: filled 1.0", "chatty info: about to fail"]
    assert words[4].startswith("chatty error: ")
    assert words[4].endswith("chatty.py:16: ValueError: two")
    assert words[5:] == [f"chatty info: tick {number}" for number in range(61, 101)]


def test_without_it_the_first_lines_follow_on_standard_error_and_the_rest_is_counted(folder: Path) -> None:
    done = CliRunner().invoke(app, ["replay", "m.csv", "--strategy", "chatty", "--json", "-"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["ticks"] == 100
    said = [line for line in done.stderr.splitlines() if " chatty info: " in line]
    assert len(said) == 20
    assert "sengine: strategies said 24 more lines; `--log FILE` writes them all" in done.stderr


def test_a_strategy_in_its_own_process_says_the_same_at_the_same_times(folder: Path) -> None:
    for name, options in (("inside", ["--strategy", "chatty"]), ("apart", ["-c", "apart.yaml"])):
        done = CliRunner().invoke(app, ["replay", "m.csv", *options, "--log", f"{name}.log"])
        assert done.exit_code == 0, done.output
    assert (folder / "apart.log").read_text() == (folder / "inside.log").read_text()


def test_warnings_are_said_once_as_python_shows_them(folder: Path) -> None:
    warn = "import warnings; warnings.warn('look out')"
    (folder / "strategies" / "chatty.py").write_text(CHATTY.replace("self.ticks += 1", f"self.ticks += 1; {warn}"))
    command = [sys.executable, "-m", "sengine", "replay", "m.csv", "--strategy", "chatty", "--log", "said.log"]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_S)
    said = [line for line in (folder / "said.log").read_text().splitlines() if "look out" in line]
    assert len(said) == 2  # the warning and the line of code, as Python shows it
    assert "chatty warning: " in said[0]
    assert "UserWarning: look out" in said[0]


def test_what_is_said_changes_nothing_about_the_run(folder: Path) -> None:
    digests = set()
    for options in ([], ["--log", "said.log"]):
        done = CliRunner().invoke(app, ["replay", "m.csv", "--strategy", "chatty", "--json", "-", *options])
        digests.add(json.loads(done.stdout)["digest"])
    assert len(digests) == 1


def test_a_log_that_another_option_writes_is_refused(folder: Path) -> None:
    done = CliRunner().invoke(app, ["replay", "m.csv", "--signals", "x.csv", "--log", "x.csv"])
    assert isinstance(done.exception, DataError)
    assert str(done.exception) == "--log x.csv: --signals writes that file; name another"
