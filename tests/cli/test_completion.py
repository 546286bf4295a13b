"""Completion as bash asks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BASH = shutil.which("bash")
pytestmark = pytest.mark.skipif(BASH is None, reason="no bash here")


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell with an empty home and ``sengine`` on its path."""
    return {"HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def bash(script: str, environment: dict[str, str]) -> str:
    assert BASH is not None
    done = subprocess.run([BASH, "-c", script], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_bash_completes_commands_and_options_once_it_is_installed(shell: dict[str, str], tmp_path: Path) -> None:
    # With a second command bash stays, and is the shell that is found to install for; alone it would become sengine.
    bash("sengine --install-completion && true", shell)
    assert (tmp_path / ".bashrc").read_text().count("sengine") == 1
    script = """
source ~/.bashrc
complete -p sengine
ask() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sengine_completion sengine; echo "${COMPREPLY[*]}"; }
ask sengine re
ask sengine strategies ""
ask sengine replay --str
"""
    registered, commands, strategies, options = bash(script, shell).splitlines()
    assert registered.endswith("-F _sengine_completion sengine")
    assert {"replay", "reload", "resume", "rearm"} <= set(commands.split())
    assert {"list", "show", "new"} <= set(strategies.split())
    assert {"--strategy", "--strict"} <= set(options.split())
    assert not {"simulate", "prover"} & set(
        bash(
            'source ~/.bashrc; COMP_WORDS=(sengine ""); COMP_CWORD=1; '
            '_sengine_completion sengine; echo "${COMPREPLY[*]}"',
            shell,
        ).split()
    )


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_script_for_each_shell_is_about_sengine(shell: dict[str, str], name: str) -> None:
    script = bash(f"_SENGINE_COMPLETE=source_{name} sengine", shell)
    assert "_SENGINE_COMPLETE" in script
    assert "python" not in script
