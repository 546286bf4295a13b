"""Children of this process that die with it, however it dies.

Our own commands are started with ``--die-with-parent`` and one end of a pipe as their standard input: the kernel closes
the other end with the parent, and ``watch_parent`` then ends the child. Programs that know nothing of that pipe get a
signal from the kernel instead, where it has such a thing (``HAS_DEATH_SIGNAL``: Linux).
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sengine.adapters.containment.forks import own_fork

HAS_DEATH_SIGNAL: Final = sys.platform == "linux"
DIE_WITH_PARENT: Final = "--die-with-parent"
_GRACE_S: Final = 5.0
_PR_SET_PDEATHSIG: Final = 1
# Looked up here: between fork and exec is no place to load a library.
_prctl = ctypes.CDLL(None, use_errno=True).prctl if HAS_DEATH_SIGNAL else None


class Child:
    """A running child process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.pid = process.pid

    @property
    def returncode(self) -> int | None:
        """``None`` while it runs; negative is the number of the signal that ended it."""
        return self._process.returncode

    @property
    def stdout(self) -> asyncio.StreamReader | None:
        return self._process.stdout

    @property
    def stderr(self) -> asyncio.StreamReader | None:
        return self._process.stderr

    async def wait(self) -> int:
        """Wait until it ends, and for how."""
        return await self._process.wait()

    def kill(self) -> None:
        """End it at once, without waiting for that."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def stop(self, grace_s: float = _GRACE_S) -> int:
        """Ask it to end, and kill it when it has not within ``grace_s``."""
        for ask in (self._process.terminate, self._process.kill):
            if self.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                ask()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), grace_s)
        return await self._process.wait()


def ending(code: int) -> str:
    """How a process ended, of its ``returncode``."""
    return f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"


def own_command(*arguments: str) -> list[str]:
    """The command line that runs this same program: the interpreter's module, or the single executable."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    return [sys.executable, "-m", "sengine", *arguments]


async def spawn(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
) -> Child:
    """Start ``sengine ARGUMENTS... --die-with-parent``. Output goes where ours goes unless ``stdout`` and ``stderr``
    (as of ``subprocess``) say otherwise."""
    # A process group of its own: Ctrl-C in the terminal is for us, and we end our children in order.
    with own_fork():
        process = await asyncio.create_subprocess_exec(
            *own_command(*arguments, DIE_WITH_PARENT),
            stdin=PIPE,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            env=dict(env) if env is not None else None,
        )
    return Child(process)


async def spawn_program(command: Sequence[str], *, stdout: int | None = DEVNULL, stderr: int | None = DEVNULL) -> Child:
    """Start a program that is not ours. It is killed with this process where ``HAS_DEATH_SIGNAL``; elsewhere it is not,
    and wants one of our own commands as its parent."""
    with own_fork():
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=_die_with_parent(os.getpid()) if HAS_DEATH_SIGNAL else None,
        )
    return Child(process)


def _die_with_parent(parent: int) -> Callable[[], None]:
    def between_fork_and_exec() -> None:
        assert _prctl is not None
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return between_fork_and_exec


def watch_parent(grace_s: float = _GRACE_S) -> None:
    """End this process when standard input closes: with SIGTERM, and if that has not ended it ``grace_s`` later, hard.

    For commands started by ``spawn``. A thread does the watching, so that a busy or stuck loop does not matter.
    """
    threading.Thread(target=_end_at_eof, args=(sys.stdin.fileno(), grace_s), name="watch-parent", daemon=True).start()


def _end_at_eof(stdin: int, grace_s: float) -> None:
    with contextlib.suppress(OSError):
        while os.read(stdin, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_s)
    os._exit(1)
