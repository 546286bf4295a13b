"""A remote strategy in a live engine, and what reloads it, for the tests of both."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sengine.config import Config
from sengine.config.schema import PluginsConfig, StrategyConfig
from sengine.domain.reload import ReloadReport
from sengine.runtime.status import ServiceStatus
from sengine.service.reload.strategies import Reloading
from tests.adapters.remote_parts import ECHO, Rig, book, rig, write_echo


class Desk:
    """A remote strategy "echo", and what reloads it."""

    def __init__(self, r: Rig, folder: Path, memory_mb: int, **config: Any) -> None:
        self.r = r
        self.file = folder / "echo.py"
        self.wanted = [StrategyConfig(id="echo", type="grpc", module="echo", config=config, memory_mb=memory_mb)]
        self.link = r.load(module="echo", config=config, memory_mb=memory_mb)
        self.facts = ServiceStatus("test")
        self.reloading = Reloading(r.live, self.facts, r.catalog, self.config(), self.config, r.remotes)
        self.step = 0

    def config(self) -> Config:
        return Config(strategies=self.wanted, plugins=PluginsConfig(proof_timeout_ms=60_000.0))

    @property
    def pid(self) -> int:
        pid: int = self.link.describe()["pid"]
        return pid

    @property
    def trial(self) -> dict[str, Any]:
        """What operators see of a trial; empty where there is none."""
        return dict(self.link.describe().get("trial", {}))

    @property
    def state(self) -> dict[str, Any]:
        return dict(self.link.describe()["strategy"].get("BTC", {}))

    @property
    def report(self) -> ReloadReport:
        return self.facts.reloads.of("echo")[-1]

    async def changed(self, *files: Path) -> ReloadReport:
        await self.reloading.files_changed(files or [self.file])
        return self.report

    async def tick(self, count: int = 1, mid: float = 100.5) -> None:
        for _ in range(count):
            self.step += 1
            self.r.live.process(book(self.step, mid))
        await self.r.until(lambda: not self.link.describe()["unanswered"] and not self.link.describe()["waiting"])


@asynccontextmanager
async def desk(
    folder: Path, recent_ticks: int = 0, code: str = ECHO, rollback_ticks: int = 0, memory_mb: int = 1024, **config: Any
) -> AsyncIterator[Desk]:
    write_echo(folder, code=code)
    async with rig(folder, recent_ticks, rollback_ticks=rollback_ticks) as r:
        made = Desk(r, folder, memory_mb, **config)
        await r.remotes.tried()
        try:
            yield made
        finally:
            await made.reloading.stop()
