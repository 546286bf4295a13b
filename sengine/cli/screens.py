"""How commands open the screens: on an engine that runs, or on one that they start as a child."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self

import typer

from sengine.cli.console import unfiltered

if TYPE_CHECKING:
    from subprocess import Popen

    from sengine.adapters.control.client import ControlClient
    from sengine.config import Config


def has_screen() -> bool:
    """Whether there is a terminal to draw on, or a browser's stand-in for one."""
    return (sys.stdin.isatty() and sys.stdout.isatty()) or "TEXTUAL_DRIVER" in os.environ


def refuse_without_screen(command: str, instead: str) -> NoReturn:
    """Say that screens want a terminal, and what to do instead."""
    typer.echo(
        f"sengine: {command} draws screens and wants a terminal, and this is none; {instead}, "
        "and `sengine run --no-tui` runs one without screens",
        err=True,
    )
    raise typer.Exit(2)


def client_of(settings: Config) -> Callable[[], ControlClient]:
    """Makes the client of the engine with this configuration; loads what that takes when it is called, not before."""

    def connect() -> ControlClient:
        from sengine.adapters.control.client import ControlClient

        return ControlClient.of_config(settings)

    return connect


class Terminal:
    """The terminal that screens are drawn on; it can go away under them, as when a connection drops.

    Whoever stands between us and it, such as make, may keep the signal to itself: then it takes no more, or is a
    terminal no more. As a context manager it takes the signal, which would end this process, and the engine with it.
    """

    def __init__(self) -> None:
        self._was_terminal = sys.stdin.isatty()
        self._has_hung_up = False
        # Where errors lead elsewhere, what is drawn is not to follow them.
        self._stream = unfiltered(sys.stderr if sys.stderr.isatty() else sys.stdout)

    @property
    def is_gone(self) -> bool:
        return self._has_hung_up or (self._was_terminal and not os.isatty(0))

    def __enter__(self) -> Self:
        self._handler = signal.signal(signal.SIGHUP, self._hang_up)
        return self

    def __exit__(self, *failure: object) -> None:
        signal.signal(signal.SIGHUP, self._handler)

    def _hang_up(self, number: int, frame: object) -> None:
        self._has_hung_up = True

    # The toolkit draws on what it takes for standard error, in a thread that must not end before we do.

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except OSError:
            self._has_hung_up = True

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._has_hung_up = True


def run_screens(
    address: str,
    connect: Callable[[], ControlClient],
    *,
    is_read_only: bool = False,
    owns_engine: bool = False,
    has_ended: Callable[[], bool] = lambda: False,
    terminal: Terminal | None = None,
) -> str:
    """Draw the engine on ``address`` until the user leaves.

    Returns ``stop``, ``detach``, or ``hangup`` where the terminal has gone. Raises ``RefusedError`` where the engine
    wants no screens of ours, as without its token.
    """
    terminal = terminal or Terminal()
    sys.__stderr__ = terminal  # type: ignore[misc, assignment]
    from sengine.adapters.control.errors import RefusedError
    from tui.app import EngineApp
    from tui.link import LiveLink
    from tui.preferences import preferences_file

    link = LiveLink(connect, address)
    app = EngineApp(
        link,
        is_read_only=is_read_only,
        owns_engine=owns_engine,
        has_ended=has_ended,
        terminal_is_gone=lambda: terminal.is_gone,
        preferences_file=preferences_file(),
    )
    gc.freeze()  # what was loaded stays
    answer = app.run()
    if terminal.is_gone:
        return "hangup"
    if app.return_code:
        raise typer.Exit(app.return_code)
    if link.turned_away:
        raise RefusedError(link.turned_away)
    return answer or "detach"


def run_with_engine(
    arguments: Sequence[str],
    address: str,
    connect: Callable[[], ControlClient],
    log_file: Path,
    *,
    outlives_terminal: bool = True,
) -> None:
    """Start ``sengine ARGUMENTS...`` as a child, draw its screens, and end it or stay with it when they are left.

    The child dies with this process. What it prints goes to ``log_file``. ``outlives_terminal``: where the terminal
    goes away, the engine goes on. Raises ``typer.Exit`` with the child's code when it fails.
    """
    import subprocess

    from sengine.adapters.transport.processes import DIE_WITH_PARENT, own_command

    attach = f"sengine attach {address}"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("ab") as log:
        begin = log.tell()
        # A session of its own: Ctrl-C in the terminal is for us, and we end it in order.
        child = subprocess.Popen(
            own_command(*arguments, DIE_WITH_PARENT),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        # A kill is the engine's to carry out, whichever of the two processes is named.
        signal.signal(signal.SIGUSR1, lambda number, frame: child.send_signal(number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        try:
            with Terminal() as terminal:
                answer = screens_of(child, address, connect, terminal)
                if answer == "hangup":
                    _without_terminal(log_file)
                    log.write(f"the terminal is gone; {attach} opens the screens again\n".encode())
                    log.flush()
                    if outlives_terminal:
                        child.wait()
                    return
            if answer == "detach" and child.poll() is None:
                typer.echo(f"sengine: the engine goes on; `{attach}` opens the screens, Ctrl-C here stops it", err=True)
                child.wait()
        except KeyboardInterrupt:
            pass
        finally:
            end(child)
    for line in log_file.read_bytes()[begin:].decode(errors="replace").splitlines():
        if line.startswith("done:"):
            typer.echo(f"sengine: {line}", err=True)
    if child.returncode:
        typer.echo(log_file.read_bytes()[begin:].decode(errors="replace").rstrip(), err=True)
        typer.echo(
            f"sengine: the engine ended with code {child.returncode}; its output is in {log_file}, and the next start "
            "takes up positions and orders from its journal",
            err=True,
        )
        raise typer.Exit(child.returncode if child.returncode > 0 else 1)


def screens_of(
    child: Popen[bytes], address: str, connect: Callable[[], ControlClient], terminal: Terminal | None = None
) -> str:
    """Draw the screens of an engine that this process started; returns as ``run_screens``."""
    return run_screens(
        address, connect, owns_engine=True, has_ended=lambda: child.poll() is not None, terminal=terminal
    )


def _without_terminal(log_file: Path) -> None:
    """Whatever this process has still to say goes where the engine's words go: a terminal that is gone takes none."""
    sys.stdout.flush()
    with log_file.open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)


def end(child: Popen[bytes]) -> None:
    """Ask it to end, and kill it when it does not."""
    import subprocess

    if child.poll() is None:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
