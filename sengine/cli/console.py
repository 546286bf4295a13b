"""Where the commands print to: standard output and error, made safe for any text, terminal and pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def open_console(*, stderr: bool = False) -> Console:
    """A console that adds no colour or other escape code in a pipe, and none anywhere when ``NO_COLOR`` is set."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, color_system=None if os.environ.get("NO_COLOR") else "auto")


def escape_unprintable() -> None:
    """Let output that the terminal's encoding cannot hold be escaped: it is no reason for a command to fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def settle_output() -> None:
    """Flush standard output. What it cannot take is thrown away: the interpreter would fail on it again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
