"""Where the commands print to: standard output and error, made safe for any text, terminal and pipe."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any, TextIO

from sengine.printable import printable_lines

if TYPE_CHECKING:
    from rich.console import Console


# What a table needs so that none of its cells is cut where no terminal sets a width.
_PIPE_COLUMNS = 200


class PrintableStream:
    """A stream that escapes what would steer a terminal, whoever prints it. ``rich_proxied_file`` is the stream as it
    is: Rich's consoles write there, in their own colours."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)

    def write(self, text: str) -> int:
        return self.rich_proxied_file.write(printable_lines(text))


def open_console(*, stderr: bool = False, wide_in_pipe: bool = False) -> Console:
    """A console that adds no colour or other escape code in a pipe, and none anywhere when ``NO_COLOR`` is set."""
    from rich.console import Console

    from sengine.cli.printing import Printing

    stream = sys.stderr if stderr else sys.stdout
    is_wide = wide_in_pipe and not stream.isatty() and "COLUMNS" not in os.environ
    console = Console(
        stderr=stderr,
        highlight=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        width=_PIPE_COLUMNS if is_wide else None,
    )
    console.push_render_hook(Printing())
    return console


def escape_unprintable() -> None:
    """Let output that the terminal's encoding cannot hold, and what would steer the terminal, be escaped."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # No reason for a command to fail.
            stream.reconfigure(errors="backslashreplace")
    if not isinstance(sys.stdout, PrintableStream):
        sys.stdout, sys.stderr = PrintableStream(sys.stdout), PrintableStream(sys.stderr)


def unfiltered(stream: TextIO) -> TextIO:
    """The stream itself, for our own control sequences."""
    return getattr(stream, "rich_proxied_file", stream)


def settle_output() -> None:
    """Flush standard output. What it cannot take is thrown away: the interpreter would fail on it again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
