"""A new version on trial, and the one before it, which comes back if the new one fails."""

from __future__ import annotations

import msgspec

from sengine.engine.strategies.version import RunningVersion


class Trial(msgspec.Struct, frozen=True):
    """``before`` ran until the last swap, after the tick with the number ``since_tick``; its fills still reach it. The
    new version is on trial from call ``started_at`` of ``on_tick`` to call ``until``, counted as the runtime does."""

    before: RunningVersion
    since_tick: int
    started_at: int
    until: int


class RolledBack(msgspec.Struct, frozen=True):
    """A new version failed on trial, after ``ticks`` calls, and the old one runs again. ``where`` is empty for one that
    died without a word."""

    strategy_id: str
    failed_version: str
    version: str
    ticks: int
    reason: str
    where: str
