from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import sengine.cli
from sengine import __version__
from sengine.__main__ import main
from sengine.build_form import form

CHECKOUT = Path(sengine.__file__).resolve().parents[1]


def leaves(group: Any, path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """Every command that can be run, those of groups included; what is hidden is for ourselves."""
    for name, command in group.commands.items():
        if not command.hidden:
            if hasattr(command, "commands"):
                yield from leaves(command, (*path, name))
            else:
                yield [*path, name]


COMMANDS = list(leaves(get_command(sengine.cli.app)))

Run = Callable[..., Any]


def test_version_is_answered_without_importing_anything_heavy() -> None:
    # Under 200 ms is a matter of what is imported: these take longer than that by themselves.
    program = (
        "import sys; sys.argv = ['sengine', '--version']; from sengine.__main__ import main; main(); "
        "print(sorted({'typer', 'rich', 'polars', 'numpy', 'msgspec', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, cwd=CHECKOUT, encoding="utf-8", timeout=60, check=True
    )
    assert done.stdout == f"sengine {__version__} ({form()})\n[]\n"


def test_the_module_and_the_script_are_the_same(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["sengine", "--version"])
    main()
    assert capsys.readouterr().out == f"sengine {__version__} ({form()})\n"


def test_version_beside_other_words_is_answered_too(run: Run) -> None:
    assert run("--version", "replay") == (0, f"sengine {__version__} ({form()})\n", "")


def test_without_a_command_the_help_is_shown(run: Run) -> None:
    ran = run()
    assert ran.code == 2
    assert "Usage: sengine" in ran.out + ran.err


def test_the_help_lists_every_command_and_the_exit_codes(run: Run) -> None:
    ran = run("--help")
    assert (ran.code, ran.err) == (0, "")
    assert "Exit codes: 0 done, 1 the run failed, 2 bad usage or bad input." in ran.out
    for name, command in get_command(sengine.cli.app).commands.items():
        assert (f"│ {name} " in ran.out) != command.hidden


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_the_help_of_a_command_shows_an_example_that_fits_the_terminal(run: Run, command: list[str], flag: str) -> None:
    ran = run(*command, flag)
    assert (ran.code, ran.err) == (0, "")
    assert "Example" in ran.out
    called = re.compile(rf"[ `]sengine {' '.join(command)}\b")
    (example, *_) = [line for line in ran.out.splitlines() if called.search(line) and "Usage" not in line]
    assert "[" not in example
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("word", ["repaly", "--no-such-option"])
def test_an_unknown_command_or_option_is_bad_usage(run: Run, word: str) -> None:
    ran = run(word)
    assert (ran.code, ran.out) == (2, "")
    assert word in ran.err


def test_an_interrupt_exits_with_130_and_no_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("replay.sample.write_sample", interrupted)
    ran = run("sample", "market.csv")
    assert ran.code == 130
    assert "Traceback" not in ran.err
