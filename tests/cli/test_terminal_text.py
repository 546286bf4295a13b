"""Whatever a command prints, no foreign text in it steers the terminal."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TextIO, cast

import pytest
import typer

from sengine.adapters.journal.words import in_words, lines_of
from sengine.cli.console import PrintableStream, open_console, unfiltered
from sengine.domain.events import PauseStrategy
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.strategies.faults import StrategyFault
from sengine.runtime.audit import AuditTrail
from tests.test_printable import EVIL


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_is_echoed_or_printed_is_escaped() -> None:
    terminal = Screen()
    with redirect_stdout(cast("TextIO", PrintableStream(terminal))):
        typer.echo(EVIL)
        print(EVIL)
        assert unfiltered(sys.stdout) is terminal
    for line in terminal.getvalue().splitlines():
        assert line.isprintable()


def test_a_console_keeps_its_colours_and_escapes_what_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.markup import escape
    from rich.table import Table

    monkeypatch.setenv("TERM", "xterm-256color")
    terminal = Screen()
    table = Table("a")
    table.add_row(escape(EVIL))
    with redirect_stdout(cast("TextIO", PrintableStream(terminal))):
        console = open_console()
        console.print(f"[bold]head[/bold] {escape(EVIL)}")
        console.print(table)
    said = terminal.getvalue()
    assert "\x1b[1mhead" in said
    for sequence in ("\x1b]", "\x1b[2J", "\x9b", "\u202e", "\u200b", "\x00", "\x7f"):
        assert sequence not in said
    assert "[bold]x[/bold]" in said


def test_an_audit_line_is_one_line_whatever_was_asked(run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    trail = AuditTrail(tmp_path / "data", pytest.fail)
    trail.record("ann", "control API", "Pause", f"paused: {EVIL}", reason=EVIL, size="x" * 500_000, half="\udc80")
    trail.close()
    raw = trail.path.read_text()
    assert raw.count("\n") == 1
    assert raw[:-1].isprintable()
    assert len(raw) < 10_000
    assert json.loads(raw)["details"]["reason"] == EVIL
    shown = run("audit")
    assert shown.code == 0
    assert shown.out.count("\n") == 1
    assert shown.out[:-1].isprintable()
    assert "496,000 more characters" in shown.out
    as_json = run("audit", "--json")
    assert as_json.out[:-1].isprintable()
    assert json.loads(as_json.out)["result"] == f"paused: {EVIL}"


def test_a_mistake_in_a_sentence_of_an_error_is_escaped(run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text('strategies:\n  - {id: "a\\e[2J", plugin: "\\e]0;x\\a"}\n')
    ran = run("config", "check", "bad.yaml")
    assert ran.code == 2
    assert all(line.isprintable() for line in (ran.out + ran.err).splitlines())


def test_journal_records_in_words_are_a_line_each() -> None:
    assert in_words(PauseStrategy(EVIL, EVIL)).isprintable()
    happened = Happened(faults=[StrategyFault(EVIL, "exception", EVIL, "a.py:1", 0, "")], cancels=[EVIL])
    assert all(line.isprintable() for line in lines_of(happened))
