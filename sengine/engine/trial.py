"""A new version on trial, and the one before it, which comes back if the new one fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sengine.engine.spec import StrategySpec
from sengine.strategy import BaseStrategy


class RolledBack(msgspec.Struct, frozen=True):
    """A new version failed on trial, after ``ticks`` calls, and the old one runs again."""

    strategy_id: str
    failed_version: str
    version: str
    ticks: int
    reason: str
    where: str


class Trial:
    """The version that ran before the last swap, as it was then; its fills still reach it."""

    __slots__ = ("config", "instances", "reloaded", "since_tick", "spare", "spec", "started_at", "until", "written")

    def __init__(
        self,
        spec: StrategySpec,
        config: dict[str, Any],
        written: dict[str, Any],
        instances: dict[str, BaseStrategy],
        spare: BaseStrategy | None,
        reloaded: tuple[Any, dict[str, Any]] | None,
        since_tick: int,
        started_at: int,
        until: int,
    ) -> None:
        self.spec = spec
        self.config = config
        self.written = written
        self.instances = instances
        self.spare = spare
        self.reloaded = reloaded
        self.since_tick = since_tick
        """Number of the last tick that it saw."""
        self.started_at = started_at
        self.until = until
        """Calls of ``on_tick``, counted as the guest does, between which the new version is on trial."""

    @property
    def all_instances(self) -> Sequence[BaseStrategy]:
        return tuple(self.instances.values()) or ((self.spare,) if self.spare is not None else ())
