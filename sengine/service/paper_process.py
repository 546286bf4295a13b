"""The paper execution service as a child of the engine: started, watched, and started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sengine.adapters.transport.processes import Child, spawn
from sengine.errors import SengineError
from sengine.runtime.supervision import keep_running

_START_S: Final = 15.0
_STOP_S: Final = 2.0
_POLL_S: Final = 0.02
# What a socket's path may have on every system; a longer one is put into a short private directory.
_LONGEST_SOCKET_PATH: Final = 100


class PaperChild:
    """``sengine paper`` on a Unix socket in the engine's data directory, with a journal of its orders. It ``goes_on``
    with what an earlier session asked for, or knows nothing of it."""

    def __init__(
        self,
        directory: Path,
        nats_url: str,
        config_file: Path | None,
        overrides: Sequence[str],
        say: Callable[..., None],
        *,
        goes_on: bool = False,
    ) -> None:
        self._directory = directory
        self._config_file = config_file
        # The broker's address may hold a password, and a command line is for everybody to read.
        self._environment = {"SENGINE_NATS_URL": nats_url}
        self._overrides = [override for override in overrides if override.partition("=")[0].strip() != "nats.url"]
        self._say = say
        self._goes_on = goes_on
        self._short: tempfile.TemporaryDirectory[str] | None = None
        self._socket = directory / "paper.sock"
        self._child: Child | None = None
        self._watcher: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        return f"unix:{self._socket}"

    async def start(self) -> None:
        """Start it and wait until it serves. Raises ``SengineError`` when it does not come up."""
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET_PATH:
            self._short = tempfile.TemporaryDirectory(prefix="sengine-")
            self._socket = Path(self._short.name, "paper.sock")
        if not self._goes_on:
            # Order ids are each session's own, so what an earlier one asked for is nobody's any more.
            self._journal().unlink(missing_ok=True)
        await self._spawn()
        self._watcher = asyncio.create_task(
            keep_running("the paper execution service", self._ended, self._spawn, self._say), name="paper-child"
        )

    async def stop(self) -> None:
        """Stop it, also when it did not come up."""
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self._child is not None:
            await self._child.stop(_STOP_S)
        if self._short is not None:
            self._short.cleanup()

    async def _ended(self) -> int:
        assert self._child is not None
        return await self._child.wait()

    async def _spawn(self) -> None:
        announced = self._directory / "paper.address"
        announced.unlink(missing_ok=True)
        arguments = ["paper", "--listen", self.address, "--journal", str(self._journal())]
        arguments += ["--address-file", str(announced)]
        if self._config_file is not None:
            arguments += ["--config", str(self._config_file)]
        for override in self._overrides:
            arguments += ["--set", override]
        child = self._child = await spawn(
            *arguments, env=os.environ | self._environment, stdout=asyncio.subprocess.DEVNULL
        )
        deadline_s = asyncio.get_running_loop().time() + _START_S
        while not announced.exists():
            if child.returncode is not None or asyncio.get_running_loop().time() > deadline_s:
                await child.stop(_STOP_S)
                raise SengineError(
                    f"the paper execution service did not start (exit code {child.returncode}); see its messages "
                    "above, or set execution.target to simulated or to your own service"
                )
            await asyncio.sleep(_POLL_S)

    def _journal(self) -> Path:
        return self._directory / "paper.journal"
