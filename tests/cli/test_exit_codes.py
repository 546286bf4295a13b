"""The house's rule, walked over every command: 2 for bad usage and bad input, 1 for a run that failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from typer.main import get_command

import sengine.cli

# Files and folders that a command makes: that they are not there yet is as it should be.
MADE: Final = {"address_file", "signals", "fills", "equity", "report", "output", "log"}
MADE_BY: Final = {
    "init": {"folder"},
    "sample": {"file"},
    "broker": {"data"},
    "demo": {"data"},
    "strategies new": {"directory"},
} | {"paper": {"journal", "address_file"}}
NEEDS: Final = {"run": ["--no-tui"], "demo": ["--no-tui"], "reload": ["x"]}
ASKING: Final = ["status", "pause", "resume", "reload", "kill", "rearm", "flatten", "cancel", "stop", "reconcile"]

Run = Callable[..., Any]


def commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path}{name} ")
        elif not command.hidden:
            yield f"{path}{name}", command


COMMANDS: Final = dict(commands(get_command(sengine.cli.app)))


def is_path(parameter: Any) -> bool:
    return "Path" in type(parameter.type).__name__


INPUTS: Final = [
    (name, parameter)
    for name, command in COMMANDS.items()
    for parameter in command.params
    if is_path(parameter)
    and not getattr(parameter, "hidden", False)
    and parameter.name not in MADE | MADE_BY.get(name, set())
    and name != "attach"  # without a terminal it looks at nothing
]


def words(name: str) -> list[str]:
    """A command with the arguments that it cannot be called without; files among them are not there."""
    needed = [each for each in COMMANDS[name].params if each.required and each.param_type_name == "argument"]
    return [*name.split(), *NEEDS.get(name, ()), *("nowhere" if is_path(each) else "x" for each in needed)]


@pytest.mark.parametrize("name", COMMANDS)
def test_an_option_that_there_is_not_is_2(run: Run, name: str) -> None:
    assert run(*words(name), "--no-such-option").code == 2


@pytest.mark.parametrize(("name", "parameter"), INPUTS, ids=[f"{name} {parameter.name}" for name, parameter in INPUTS])
@pytest.mark.parametrize("is_damaged", [False, True], ids=["missing", "damaged"])
def test_input_that_is_missing_or_damaged_is_2_and_named_in_one_sentence(
    run: Run, name: str, parameter: Any, is_damaged: bool
) -> None:
    if is_damaged:
        Path("nowhere").write_bytes(b"\x00\x01: [")
    option = [] if parameter.param_type_name == "argument" else [parameter.opts[0], "nowhere"]
    if parameter.param_type_name == "argument" and not parameter.required:
        option = ["nowhere"]
    files = ["market.csv"] if name == "replay" and parameter.name == "config" else []
    tls = ["--address", "127.0.0.1:1"] if parameter.name.startswith("tls_") else []
    if parameter.name in ("tls_cert", "tls_key"):
        tls += ["--tls-key" if parameter.name == "tls_cert" else "--tls-cert", "nowhere"]
    ran = run(*words(name), *files, *tls, *option)
    assert ran.code == 2, ran
    assert ran.out == ""
    sentences = ran.err.splitlines()
    assert all(sentence.startswith("sengine: ") for sentence in sentences)
    assert "nowhere" in sentences[0]


@pytest.mark.parametrize("name", ASKING)
def test_an_engine_that_does_not_answer_is_1(run: Run, name: str) -> None:
    ran = run(*words(name))
    assert ran.code == 1
    assert ran.err.startswith("sengine: no engine answers on unix:")
