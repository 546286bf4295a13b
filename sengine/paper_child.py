"""The paper execution service as a child of the engine: started, watched, and started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

from sengine.adapters.children import Child, spawn
from sengine.errors import SengineError

_START_S = 15.0
_POLL_S = 0.02
_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 5.0


class PaperChild:
    """``sengine paper`` on a Unix socket in the engine's data directory, with a journal of its own session."""

    def __init__(
        self,
        directory: Path,
        nats_url: str,
        config_file: Path | None,
        overrides: Sequence[str],
        say: Callable[..., None],
    ) -> None:
        self._socket = (directory / "paper.sock").resolve()
        self._address_file = directory / "paper.address"
        self._journal = directory / "paper.journal"
        self._say = say
        # The broker's address may hold a password; a command line is for everybody to read.
        self._environment = {"SENGINE_NATS_URL": nats_url}
        self._arguments = ["paper", "--listen", f"unix:{self._socket}", "--journal", str(self._journal)]
        self._arguments += ["--address-file", str(self._address_file)]
        if config_file is not None:
            self._arguments += ["--config", str(config_file)]
        for override in overrides:
            self._arguments += ["--set", override]
        self._child: Child | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Start it and wait until it serves; its address. Raises ``SengineError`` when it does not come up."""
        self._journal.unlink(missing_ok=True)
        await self._spawn()
        self._watcher = asyncio.create_task(self._keep_running(), name="paper-child")
        return f"unix:{self._socket}"

    async def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watcher
        if self._child is not None:
            await self._child.stop()

    async def _spawn(self) -> None:
        import os

        self._address_file.unlink(missing_ok=True)
        child = self._child = await spawn(
            *self._arguments, env=os.environ | self._environment, stdout=asyncio.subprocess.DEVNULL
        )
        deadline = asyncio.get_running_loop().time() + _START_S
        while not self._address_file.exists():
            if child.returncode is not None or asyncio.get_running_loop().time() > deadline:
                await child.stop()
                raise SengineError(
                    f"the paper execution service did not start (exit code {child.returncode}); see its messages above, "
                    "or set execution.target to simulated or to your own service"
                )
            await asyncio.sleep(_POLL_S)

    async def _keep_running(self) -> None:
        wait_s = _FIRST_WAIT_S
        while True:
            assert self._child is not None
            code = await self._child.wait()
            self._say("error", "the paper execution service ended; starting it again", exit_code=code)
            await asyncio.sleep(wait_s)
            try:
                await self._spawn()
                wait_s = _FIRST_WAIT_S
            except SengineError as error:
                self._say("error", str(error))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
