"""Where the commands print to: standard output and error, made safe for any text, terminal and pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


# What a table needs so that none of its cells is cut where no terminal sets a width.
_PIPE_COLUMNS = 200


def open_console(*, stderr: bool = False, wide_in_pipe: bool = False) -> Console:
    """A console that adds no colour or other escape code in a pipe, and none anywhere when ``NO_COLOR`` is set."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    is_wide = wide_in_pipe and not stream.isatty() and "COLUMNS" not in os.environ
    return Console(
        stderr=stderr,
        highlight=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        width=_PIPE_COLUMNS if is_wide else None,
    )


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
