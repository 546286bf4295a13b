"""New code of a strategy in its own process, on trial. The process before it waits meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

from sengine.adapters.remote.connection import Connection
from sengine.domain.events import RemoteReady


class RemoteTrial:
    """``fresh`` is in use, for ``ticks`` ticks on trial. ``before`` gets all that it gets and is not heard; it ran as
    ``ready`` says, with the parameters ``config``."""

    def __init__(
        self, before: Connection, fresh: Connection, ticks: int, ready: RemoteReady, config: dict[str, Any]
    ) -> None:
        self.before = before
        self.fresh = fresh
        self.ready = ready
        self.config = config
        self._ticks = ticks
        self._answered_before = fresh.session.answered

    @property
    def answered(self) -> int:
        """Ticks that were answered on trial."""
        return self.fresh.session.answered - self._answered_before

    @property
    def can_go_back(self) -> bool:
        """Whether what goes wrong now brings back the process before. One batch of answers may reach beyond the end."""
        return self.answered <= self._ticks and self.before.is_running

    async def someone_is_lost(self) -> None:
        await asyncio.wait((self.before.running, self.fresh.running), return_when=asyncio.FIRST_COMPLETED)

    def describe(self) -> dict[str, Any]:
        process = self.before.process
        return {
            "answered": self.answered,
            "of": self._ticks,
            "before": self.ready.version,
            "before_pid": process.pid if process is not None else 0,
        }
