"""build/sengine.1, the manual page, from the commands themselves: ``python build/man.py`` prints it.

tests/build/test_man.py holds the file to it, and writes it with ``UPDATE_DOCS=1``. The wheel installs it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from sengine import __version__
from sengine.cli import app

CODE = re.compile(r"`([^`]+)`")
KINDS = {
    "float": "NUMBER",
    "int": "NUMBER",
    "integer": "NUMBER",
    "text": "TEXT",
    "str": "TEXT",
    "path": "FILE",
    "file": "FILE",
}
ENDING = r""".SH EXIT STATUS
.TP
.B 0
Done; an engine that was stopped as asked.
.TP
.B 1
The run failed; an engine refused, or none answered.
.TP
.B 2
Bad usage, bad configuration or bad input.
.TP
.B 130
Interrupted.
.SH FILES
.TP
.I configs/sengine.yaml
The configuration of the live engine, where no other is named with
.BR \-\-config .
.TP
.I strategies/
The folder of strategy files, unless
.B plugins.directory
names another.
.TP
.I data/
The data directory of the live engine, unless
.B service.data_directory
names another: socket, journal, audit trail, the broker's streams. A file
.I KILL
in it pulls the kill switch.
.SH ENVIRONMENT
.TP
.B SENGINE_...
Sets a key of the configuration:
.B SENGINE_NATS_URL
is
.BR nats.url .
.TP
.B SENGINE_API_TOKEN
The token for an engine whose control API wants one.
.TP
.B NO_COLOR
Turns colours off.
.SH SIGNALS
.B SIGTERM
and
.B SIGINT
stop an engine in order,
.B SIGHUP
makes it read its configuration again,
.B SIGUSR1
pulls the kill switch.
.SH SEE ALSO
The documentation in
.I docs/
of the source, which
.B make docs
builds as a site.
"""


def render() -> str:
    """The page in man's macros."""
    root = get_command(app)
    lines = [
        r".\" Written by build/man.py from the commands; do not edit.",
        f'.TH SENGINE 1 "" "sengine {__version__}" "User Commands"',
        ".SH NAME",
        r"sengine \- a trading strategy engine operated from a terminal",
        ".SH SYNOPSIS",
        ".B sengine",
        r".RI [ OPTIONS ] \~ COMMAND \~...",
        ".SH DESCRIPTION",
        *_paragraphs(root.help or ""),
        ".SH OPTIONS",
        *_options(root),
        ".SH COMMANDS",
    ]
    for path, command in _commands(root, ("sengine",)):
        lines += [f'.SS "{_escaped(" ".join(path))} {_escaped(_arguments(command))}"', *_paragraphs(command.help or "")]
        lines += _options(command)
    return "\n".join(lines) + "\n" + ENDING


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _arguments(command: Any) -> str:
    words = ["[OPTIONS]"] if any(each.param_type_name == "option" for each in command.params) else []
    for each in command.params:
        if each.param_type_name == "argument":
            name = each.human_readable_name.strip("[]")
            name = f"{name}..." if each.nargs == -1 else name
            words.append(name if each.required else f"[{name}]")
    return " ".join(words)


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of prose; what is indented is shown as it stands."""
    for number, part in enumerate(re.split(r"\n\s*\n", textwrap.dedent(text).strip("\n"))):
        if part.startswith("    "):
            yield from (".PP", ".EX", *(_escaped(line) for line in part.splitlines()), ".EE")
        else:
            if number:
                yield ".PP"
            yield _prose(part)


def _options(command: Any) -> Iterator[str]:
    for each in command.params:
        if each.param_type_name == "argument":
            names, value = rf"\fI{_escaped(each.human_readable_name.strip('[]'))}\fR", ""
        else:
            names = ", ".join(rf"\fB{_escaped(name)}\fR" for name in (*each.opts, *each.secondary_opts))
            shown = each.metavar or KINDS.get(each.type.name.split()[0], "VALUE")
            value = "" if getattr(each, "is_flag", False) else rf" \fI{_escaped(shown)}\fR"
        if getattr(each, "hidden", False):
            continue
        yield from (".TP", names + value, _prose(getattr(each, "help", None) or ""))


def _prose(text: str) -> str:
    words = " ".join(text.replace("\b", "").split())
    return CODE.sub(r"\\fB\1\\fR", _escaped(words))


def _escaped(text: str) -> str:
    text = text.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    print(render(), end="")
