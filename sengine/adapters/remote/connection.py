"""A strategy's process while it is connected: its session, the process where that is ours, and the task between."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from sengine.adapters.remote.process import HostProcess
from sengine.adapters.remote.session import LostError, RemoteSession, SessionError, SilentError, Start
from sengine.proto import strategy_pb2 as pb

_OPEN_S: Final = 10.0
_WARM_S: Final = 20.0
# Waited out only where a process lives on behind a broken connection.
_LAST_WORDS_S: Final = 1.0
_LOOK_AGAIN_S: Final = 0.02


class Connection:
    """``await open(start)``, ``await warm_up()``; then it runs until ``await until_lost()`` says why it does not any
    more, or until ``await end()``."""

    def __init__(self, session: RemoteSession, process: HostProcess | None) -> None:
        self.session = session
        self.process = process
        self.ended_for = ""
        """For which silence its process was ended, where it was."""
        self._task: asyncio.Task[None] | None = None

    @property
    def owed_for_s(self) -> float:
        """How long the process has owed its oldest answer."""
        return self.session.owed_for_s

    async def open(self, start: Start) -> pb.InitializeResponse:
        """Initialise the strategy. Raises ``SessionError``."""
        try:
            return await self.session.open(start, _OPEN_S)
        except LostError as error:
            raise SessionError(await self.last_words() or str(error)) from None

    @property
    def running(self) -> asyncio.Task[None]:
        """Done when it is lost."""
        assert self._task is not None
        return self._task

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    async def warm_up(self) -> None:
        """Let ticks and answers run, and wait until those of the warm-up are answered. Raises ``SessionError``."""
        self._task = asyncio.create_task(self.session.run(), name="remote-session")
        warm = asyncio.create_task(self.session.is_warm.wait())
        await asyncio.wait((warm, self._task), timeout=_WARM_S, return_when=asyncio.FIRST_COMPLETED)
        warm.cancel()
        if self._task.done():
            reason = await self.last_words() or await self.until_lost()
            raise SilentError(f"{self.ended_for}: {reason}") if self.ended_for else SessionError(reason)
        if not self.session.is_warm.is_set():
            raise SilentError(f"it did not answer its warm-up within {_WARM_S:g} s")

    async def until_lost(self) -> str:
        """Wait until it ends, and for why."""
        await asyncio.wait((self.running,))
        error = None if self.running.cancelled() else self.running.exception()
        return str(error) if error is not None else "the connection ended"

    def end_for_silence(self, reason: str) -> bool:
        """End the process where that is ours, once; whether that was done. Whoever waits for it hears of that."""
        if self.process is None or self.ended_for:
            return False
        self.ended_for = reason
        self.process.kill()
        return True

    async def last_words(self) -> str:
        """Of the process that is behind a broken connection: one that died says more than what it broke."""
        process = self.process
        if process is None:
            return ""
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + _LAST_WORDS_S
        while not process.has_ended and loop.time() < deadline_s:
            await asyncio.sleep(_LOOK_AGAIN_S)
        return await process.why_it_ended() if process.has_ended else ""

    async def end(self, *, shut_down: bool = False) -> None:
        """Let go of it, and end the process where it is ours; with ``shut_down`` the strategy is told."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, SessionError):
                await self._task
        await self.session.close(shut_down=shut_down)
        if self.process is not None:
            await self.process.stop()
