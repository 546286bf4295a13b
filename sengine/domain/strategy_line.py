"""What a strategy says in words."""

from __future__ import annotations

from typing import Final

import msgspec

from sengine.clock import format_timestamp

KEPT: Final = "old version, kept for a rollback"


class StrategyLine(msgspec.Struct, frozen=True, gc=False):
    """One line that a strategy printed, logged or warned. ``level`` is ``debug``, ``info``, ``warning`` or ``error``;
    ``now_ns`` is event time, 0 before the first event. ``during`` says in what, where that is not its everyday work:
    ``proof``, ``start``, or ``KEPT`` in the version before the one that runs."""

    strategy_id: str
    now_ns: int
    level: str
    text: str
    during: str = ""

    @property
    def fields(self) -> dict[str, str]:
        """What a log line says beside the text: that the strategy said it, and when in event time."""
        event_time = {"event_time": format_timestamp(self.now_ns)} if self.now_ns else {}
        during = {"during": self.during} if self.during else {}
        return {"strategy_id": self.strategy_id, "said_by": "strategy", **event_time, **during}
