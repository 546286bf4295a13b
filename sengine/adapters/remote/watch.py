"""Looks after a strategy's process: asks for its state now and then, and says when it owes answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from sengine.adapters.remote.connection import Connection
from sengine.adapters.remote.messages import object_of
from sengine.adapters.remote.session import SessionError

STALLED_AFTER_S: Final = 1.0
LOOK_EVERY_S: Final = 0.25
# Asked in between, a tick waits for that answer: four times a second would be seen at the 99th percentile.
ASK_EVERY_S: Final = 1.0


class RemoteWatch:
    """``run`` lives until it is cancelled. ``current`` gives the connection in use; a process of ours that owes an
    answer for ``restart_after_s`` is ended."""

    def __init__(
        self, current: Callable[[], Connection | None], say: Callable[..., None], restart_after_s: float
    ) -> None:
        self.said: dict[str, Any] = {}
        """What the strategy says of itself, by instance."""
        self.saved: dict[str, str] = {}
        """The state that it declares (JSON), by instance, for the next start."""
        self.saved_version = 0
        self._current = current
        self._say = say
        self._restart_after_s = restart_after_s
        self._is_stalled = False
        self._asked: tuple[Connection | None, float] = (None, 0.0)
        self._asking: asyncio.Task[None] | None = None

    @property
    def instances(self) -> dict[str, tuple[str, int]]:
        """The state that each instance declares, empty for none, and its version."""
        return {key: (self.saved.get(key, ""), self.saved_version) for key in self.said}

    async def run(self) -> None:
        try:
            while True:
                await asyncio.sleep(LOOK_EVERY_S)
                self._look(self._current())
        finally:
            if self._asking is not None:
                self._asking.cancel()

    def _look(self, connection: Connection | None) -> None:
        owed_for_s = connection.owed_for_s if connection is not None else 0.0
        is_stalled = owed_for_s > STALLED_AFTER_S
        if is_stalled != self._is_stalled:
            self._is_stalled = is_stalled
            if is_stalled:
                self._say("warning", "a strategy's process does not answer", owed_for_s=round(owed_for_s, 1))
            elif connection is not None:
                self._say("info", "a strategy's process answers again")
        if connection is None:
            return
        if not is_stalled:
            self._ask_now_and_then(connection)
        elif owed_for_s > self._restart_after_s and connection.end_for_silence(f"no answer for {owed_for_s:.1f} s"):
            self._say("error", f"{connection.ended_for}: its process is ended and started again")

    def _ask_now_and_then(self, connection: Connection) -> None:
        """In a task of its own: an answer that does not come is no reason not to look."""
        asked, asked_s = self._asked
        if self._asking is not None:
            if asked is connection and (not self._asking.done() or monotonic() - asked_s < ASK_EVERY_S):
                return
            self._asking.cancel()
        self._asked = (connection, monotonic())
        self._asking = asyncio.create_task(self.ask(connection), name="remote-question")

    async def ask(self, connection: Connection) -> None:
        """What it says now; what it said before where it does not answer."""
        self._asked = (connection, monotonic())
        with contextlib.suppress(SessionError, ValueError):
            state = await connection.session.state()
            self.said = object_of(state.state_json)
            self.saved, self.saved_version = dict(state.saved_json), state.saved_version
