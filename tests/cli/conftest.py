"""Runs ``sengine`` in this process, each test in a folder of its own; a real process is for what only that shows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import sengine.cli

HEADER = "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty"
CHECKOUT = Path(sengine.cli.__file__).resolve().parents[2]


class Ran(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    for name in tuple(os.environ):
        if name.startswith("SENGINE_") or name in {"NO_COLOR", "FORCE_COLOR"}:
            monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """``run("replay", path, "--strict")``: the command in this process."""

    def run_here(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["sengine", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            sengine.cli.run()
        code = end.value.code
        assert code is None or isinstance(code, int)
        return Ran(code or 0, *capsys.readouterr())

    return run_here


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[bytes]]:
    """The command in a process of its own, with ``environment`` on top of this one's; the test waits for its end."""

    def start_process(
        *arguments: object, environment: dict[str, str] | None = None, **streams: Any
    ) -> subprocess.Popen[bytes]:
        # The folder that the tests run in is not the checkout, and Python need not have sengine installed.
        paths = {"PYTHONPATH": str(CHECKOUT)}
        command = [sys.executable, "-m", "sengine", *map(str, arguments)]
        return subprocess.Popen(command, env=os.environ | paths | (environment or {}), **streams)

    return start_process


@pytest.fixture
def quotes() -> Callable[..., Path]:
    """``quotes("1,A,99,1,101,1", name="a.csv")``: a file of these rows under the header of quotes."""

    def write(*rows: str, name: str = "quotes.csv") -> Path:
        path = Path(name)
        path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
        return path

    return write


@pytest.fixture
def market(run: Callable[..., Ran]) -> Path:
    """A generated market of two symbols that every example strategy trades."""
    assert run("sample", "market.csv", "--ticks", "2000", "--symbols", "BTCUSDT,ETHUSDT", "--seed", "7").code == 0
    return Path("market.csv")
