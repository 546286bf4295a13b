"""The process that a replay starts for a strategy: how it ended, and where it is when it does not answer."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Final, Self

from sengine.adapters.remote.host_output import line_of
from sengine.adapters.remote.host_server import TOKEN_VARIABLE
from sengine.adapters.transport.processes import DIE_WITH_PARENT, ending, own_command
from sengine.domain.strategy_line import StrategyLine
from sengine.errors import PluginError

_START_S: Final = 20.0
_STOP_S: Final = 2.0
_POLL_S: Final = 0.01
_LINES_PER_S: Final = 1_000
# A process is known to have ended a little after its connection broke.
_LAST_WORDS_S: Final = 1.0
# As faulthandler writes frames, the innermost first.
_FRAME: Final = re.compile(r'File "([^"]+)", line (\d+) in ')
# Without gRPC's pool of polling threads a message is handed from thread to thread less: a sixth off the round trip.
_ONE_POLLER: Final = "-event_engine_client,-event_engine_listener,-event_engine_callback_cq"


class LockstepProcess:
    """``with LockstepProcess(file, port, memory_mb) as process:`` runs ``sengine strategy-host FILE`` and waits until
    it listens, at ``address``. Raises ``PluginError`` with the last thing that it said."""

    def __init__(self, file: Path, port: int | None, memory_mb: int) -> None:
        self.address = ""
        self._file = file
        self._port = port
        self._memory_mb = memory_mb
        self._stack = ExitStack()
        self._begun = b""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sengine-")))
            self._said = directory / "stderr"
            self._lines = stack.enter_context((directory / "stdout").open("w+b", buffering=0))
            command = host_command(self._file, self._port, self._memory_mb, directory, _LINES_PER_S)
            with self._said.open("wb") as stderr, (directory / "stdout").open("ab") as stdout:
                self._process = subprocess.Popen(
                    own_command(*command, DIE_WITH_PARENT),
                    stdin=subprocess.PIPE,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                    env=host_environment(),
                )
            stack.callback(self._end)
            self._wait_for(directory / "address")
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def said(self, strategy_id: str) -> list[StrategyLine]:
        """What the strategy has said since this was last asked for."""
        written = self._lines.read()
        if not written:
            return []
        *lines, self._begun = (self._begun + written).split(b"\n")
        said = (line_of(line.decode("utf-8", "replace"), strategy_id) for line in lines)
        return [line for line in said if line is not None]

    def how_it_ended(self) -> str:
        """In words, after a call to it broke off; empty while it lives."""
        try:
            return ending(self._process.wait(_LAST_WORDS_S))
        except subprocess.TimeoutExpired:
            return ""

    def where_it_is(self) -> str:
        """``file:line`` of the innermost frame in the strategy's folder, now, which need not run any Python to tell;
        the file where it is elsewhere."""
        begin = self._said.stat().st_size
        self._process.send_signal(signal.SIGUSR2)
        deadline_s = monotonic() + _LAST_WORDS_S
        while monotonic() < deadline_s:
            written = self._said.read_bytes()[begin:].decode("utf-8", "replace")
            for file, line in _FRAME.findall(written):
                if file.startswith(f"{self._file.parent}{os.sep}"):
                    return f"{file}:{line}"
            sleep(_POLL_S)
        return str(self._file)

    def _wait_for(self, announced: Path) -> None:
        deadline_s = monotonic() + _START_S
        while not announced.exists():
            code = self._process.poll()
            if code is None and monotonic() < deadline_s:
                sleep(_POLL_S)
                continue
            lines = self._said.read_text("utf-8", "replace").strip().splitlines()
            if lines:
                raise PluginError(lines[-1].removeprefix("sengine: "))
            what = f"has not listened within {_START_S:g} s" if code is None else ending(code)
            raise PluginError(f"{self._file}: import failed: its process {what}")
        self.address = announced.read_text("utf-8").strip()

    def _end(self) -> None:
        """Its standard input is the pipe that it watches: closing that is asking it to end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_S)
            return
        self._process.kill()
        self._process.wait()


def host_command(file: Path, port: int | None, memory_mb: int, directory: Path, lines_per_s: int) -> Sequence[str]:
    """``sengine strategy-host`` with its socket and announcement in ``directory``, or on a loopback port. It tells what
    the strategy says, at most so many lines a second of event time."""
    listen = f"unix:{directory / 'host.sock'}" if port is None else f"127.0.0.1:{port}"
    announced = str(directory / "address")
    bounds = ("--memory-mb", str(memory_mb), "--tell-output", str(lines_per_s))
    return ("strategy-host", str(file), "--listen", listen, "--address-file", announced, *bounds)


def host_environment() -> Mapping[str, str]:
    """Ours, without the token: a process on a private socket asks for none."""
    ours = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    return {"GRPC_EXPERIMENTS": _ONE_POLLER} | ours
