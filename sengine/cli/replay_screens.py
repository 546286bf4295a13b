"""``sengine replay --tui``: the replay in a child process, its screens here, and its result once they are left."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

if TYPE_CHECKING:
    from sengine.adapters.control.client import ControlClient


def replay_with_screens(arguments: Sequence[str]) -> NoReturn:
    """Run ``sengine replay ARGUMENTS...`` behind the control API and print what it printed when the screens are left.

    Raises ``typer.Exit`` with the child's code.
    """
    import shutil
    import subprocess
    import tempfile

    from sengine.adapters.transport.processes import DIE_WITH_PARENT, own_command
    from sengine.cli.screens import end, screens_of

    def connect() -> ControlClient:
        from sengine.adapters.control.client import ControlClient

        return ControlClient(address)

    with tempfile.TemporaryDirectory(prefix="sengine-replay-") as directory:
        address = f"unix:{directory}/engine.sock"
        output, errors = Path(directory) / "output", Path(directory) / "errors"
        with output.open("wb") as stdout, errors.open("wb") as stderr:
            child = subprocess.Popen(
                own_command("replay", *arguments, "--serve", address, DIE_WITH_PARENT),
                stdin=subprocess.PIPE,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
                env=os.environ | _as_this_terminal(shutil.get_terminal_size().columns),
            )
        try:
            answer = screens_of(child, address, connect)
            if answer == "detach" and child.poll() is None:
                typer.echo("sengine: replaying the rest; Ctrl-C stops it where it is", err=True)
                child.wait()
        except KeyboardInterrupt:
            pass
        finally:
            end(child)
            with contextlib.suppress(OSError):  # of a terminal that has gone
                # Even what led here is told after what the run had to say.
                sys.stderr.write(errors.read_text(errors="replace"))
                sys.stderr.flush()
                sys.stdout.buffer.write(output.read_bytes())
                sys.stdout.flush()
    code = child.returncode
    raise typer.Exit(code if code >= 0 else 1)


def _as_this_terminal(columns: int) -> dict[str, str]:
    """The result goes to a file first and is to look as if it had been printed here."""
    colour = {} if os.environ.get("NO_COLOR") else {"FORCE_COLOR": "1"}
    return {"COLUMNS": str(columns)} | colour
