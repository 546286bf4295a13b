"""The manual page says what the commands say, and man can show it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from sengine.cli import app

BUILD = Path(__file__).resolve().parents[2] / "build"
PAGE = BUILD / "sengine.1"


def test_the_page_is_made_of_the_commands_as_they_are() -> None:
    made = subprocess.run([sys.executable, BUILD / "man.py"], capture_output=True, text=True, check=True, timeout=60)
    if os.environ.get("UPDATE_DOCS") == "1":
        PAGE.write_text(made.stdout, "utf-8")
    assert PAGE.read_text("utf-8") == made.stdout, "UPDATE_DOCS=1 writes it"


@pytest.mark.skipif(shutil.which("man") is None, reason="no man here")
def test_man_shows_every_command_and_has_nothing_to_warn_of() -> None:
    environment = os.environ | {"MANWIDTH": "100", "MANPAGER": "cat", "LC_ALL": "C.UTF-8"}
    shown = subprocess.run(
        ["man", "--warnings", "-l", PAGE], capture_output=True, text=True, check=True, timeout=60, env=environment
    )
    assert shown.stderr == ""
    plain = re.sub(".\b", "", shown.stdout)
    for name, command in get_command(app).commands.items():
        for path in [f"{name} {each}" for each in getattr(command, "commands", ())] or [name]:
            assert (f"\n   sengine {path}" in plain) != command.hidden, path
    assert "\\" not in plain


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="no mandoc here")
def test_mandoc_reads_it_without_an_error() -> None:
    linted = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "error", PAGE], capture_output=True, text=True, check=False, timeout=60
    )
    assert (linted.returncode, linted.stdout) == (0, "")
