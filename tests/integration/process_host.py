"""Starts ``sengine`` commands from a process that has everything imported: a fork instead of seconds of imports.

Run as a script it reads a request a line and answers each with the pid of the new process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from tests.integration.engine_process import ENVIRONMENT


class Request(msgspec.Struct):
    """A command: its arguments, where it runs, where its output goes."""

    arguments: Sequence[str]
    folder: str
    log: str


class ProcessHost:
    """``start`` begins a command in a process of its own, which outlives neither ``kill`` nor ``close``."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.integration.process_host"]
        self._host = subprocess.Popen(command, env=ENVIRONMENT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._pids: list[int] = []

    def start(self, *arguments: str, folder: Path, log: Path) -> int:
        """The pid of ``sengine`` with these arguments."""
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        self._host.stdin.write(msgspec.json.encode(Request(arguments, str(folder), str(log))) + b"\n")
        self._host.stdin.flush()
        self._pids.append(int(self._host.stdout.readline()))
        return self._pids[-1]

    def kill(self, pid: int) -> None:
        """SIGKILL, and wait until it is gone."""
        # Nothing of it is left when the host's system has forgotten it; a first thread that is dead says less.
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            while True:
                os.kill(pid, 0)
                os.sched_yield()

    def close(self) -> None:
        for pid in self._pids:
            self.kill(pid)
        self._host.kill()
        self._host.communicate()


def _serve() -> None:
    import sengine.adapters.paper.service
    import sengine.cli
    import sengine.cli.run
    import sengine.service.service  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    decode = msgspec.json.Decoder(Request).decode
    for line in sys.stdin.buffer:
        request = decode(line)
        pid = os.fork()
        if not pid:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _become(request)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _become(request: Request) -> None:
    from sengine.cli import run

    log = os.open(request.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(ours, theirs)
    os.chdir(request.folder)
    sys.argv[1:] = request.arguments
    run()
    os._exit(0)


if __name__ == "__main__":
    _serve()
