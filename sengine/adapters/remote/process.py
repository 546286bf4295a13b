"""The process of a Python strategy that the engine itself starts."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from sengine.adapters.containment.strategy_output import LINES_PER_S
from sengine.adapters.remote.channel import Target
from sengine.adapters.remote.host_output import line_of
from sengine.adapters.remote.lockstep_process import host_command, host_environment
from sengine.adapters.transport.processes import Child, ending, spawn
from sengine.errors import SengineError

_START_S: Final = 20.0
_STOP_S: Final = 1.0
_POLL_S: Final = 0.01
_LINES_TOLD: Final = 20
_LONGEST_LINE: Final = 500


class HostProcess:
    """``sengine strategy-host FILE`` as a child, whose strategy may take ``memory_mb``. What that says is told as log
    lines, and of what else the process writes the first of them. ``sources`` are the contents that it has loaded, by
    file: the strategy and its helpers."""

    def __init__(
        self, strategy_id: str, file: Path, port: int | None, memory_mb: int, say: Callable[..., None]
    ) -> None:
        self.sources: Mapping[Path, bytes] = {}
        self.during = "start"
        """What it is there for, where that is not yet, or no longer, to trade; it goes with what is said there."""
        self._strategy_id = strategy_id
        self._file = file
        self._port = port
        self._memory_mb = memory_mb
        self._say = say
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._child: Child | None = None
        self._readers: list[asyncio.Task[None]] = []
        self._last_lines: deque[str] = deque(maxlen=3)

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    async def start(self) -> Target:
        """Start it and wait until it listens. Raises ``SengineError`` with the last thing that it said."""
        self._directory = tempfile.TemporaryDirectory(prefix="sengine-")
        directory = Path(self._directory.name)
        pipe = asyncio.subprocess.PIPE
        sources = directory / "sources"
        command = host_command(self._file, self._port, self._memory_mb, directory, LINES_PER_S)
        child = await spawn(*command, "--sources-file", str(sources), env=host_environment(), stdout=pipe, stderr=pipe)
        self._child = child
        for stream, is_error in ((child.stdout, False), (child.stderr, True)):
            assert stream is not None
            self._readers.append(asyncio.create_task(self._tell(stream, is_error), name="remote-output"))
        announced = directory / "address"
        deadline_s = asyncio.get_running_loop().time() + _START_S
        while not announced.exists():
            if child.returncode is not None or asyncio.get_running_loop().time() > deadline_s:
                raise SengineError(await self.why_it_ended())
            await asyncio.sleep(_POLL_S)
        self.sources = _read_sources(sources)
        return Target(announced.read_text("utf-8").strip())

    async def why_it_ended(self) -> str:
        """One line about a process that is gone or going; it is ended if it is not."""
        code = await self.stop()
        said = self._last_lines[-1].removeprefix("sengine: ") if self._last_lines else ""
        return f"its process {ending(code)}" + (f": {said}" if said else "")

    def kill(self) -> None:
        """End it at once; whoever waits for it hears of that."""
        if self._child is not None:
            self._child.kill()

    @property
    def has_ended(self) -> bool:
        return self._child is None or self._child.returncode is not None

    async def stop(self) -> int:
        """End it, and wait for that."""
        code = await self._child.stop(_STOP_S) if self._child is not None else 0
        for reader in self._readers:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                await asyncio.wait_for(reader, _STOP_S)
        self._readers.clear()
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None
        return code

    async def _tell(self, stream: asyncio.StreamReader, is_error: bool) -> None:
        told = 0
        while True:
            try:
                line = await stream.readline()
            except ValueError:  # longer than the reader's buffer, which it has dropped
                continue
            if not line:
                return
            decoded = line.decode("utf-8", "replace")
            said = line_of(decoded, self._strategy_id, self.during)
            if said is not None:
                self._say(said.level, said.text, **said.fields)
                continue
            text = decoded.strip()[:_LONGEST_LINE]
            if is_error and text:
                self._last_lines.append(text)
            told += 1
            if text and told <= _LINES_TOLD:
                self._say("warning" if is_error else "info", text, strategy_id=self._strategy_id)


def write_sources(file: Path, sources: Mapping[Path, bytes]) -> None:
    """In the child, before it says where it is."""
    file.write_bytes(msgspec.msgpack.encode({str(path): content for path, content in sources.items()}))


def _read_sources(file: Path) -> Mapping[Path, bytes]:
    by_name = msgspec.msgpack.decode(file.read_bytes(), type=dict[str, bytes])
    return {Path(name): content for name, content in by_name.items()}
