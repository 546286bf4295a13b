"""The remote strategies of a live engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from time import time_ns
from typing import Any, Final

from sengine.adapters.remote.channel import configured_target
from sengine.adapters.remote.link import RemoteLink
from sengine.adapters.remote.process import HostProcess
from sengine.clock import NS_PER_MS
from sengine.config.schema import StrategyConfig
from sengine.domain.market import DataKind
from sengine.domain.reload import ReloadReport
from sengine.engine.strategies.spec import LoadStrategy, StrategySpec
from sengine.runtime.live_engine import LiveEngine

_FIRST_TRY_S: Final = 20.0


class Remotes:
    """``spec`` gives what stands for a strategy in its own process; its link starts when the engine loads it.

    ``find`` gives the file that a module names. A process of ours that owes an answer for ``restart_after_s`` is ended
    and started again. New code is on trial for ``rollback_ticks`` ticks.
    """

    def __init__(
        self, live: LiveEngine, find: Callable[[str], Path], restart_after_s: float = 30.0, rollback_ticks: int = 0
    ) -> None:
        self.links: dict[str, RemoteLink] = {}
        self._live = live
        self._find = find
        self._restart_after_s = restart_after_s
        self._rollback_ticks = rollback_ticks
        self._ending: set[asyncio.Task[None]] = set()

    def spec(self, strategy: StrategyConfig) -> StrategySpec:
        """Raises ``PluginError`` where there is no such file, ``ConfigError`` for an address that is no good."""
        target = configured_target(strategy) if strategy.address else None
        file = self._find(strategy.plugin_name) if target is None else Path()

        def make_process() -> HostProcess:
            return HostProcess(strategy.id, file, strategy.port, strategy.memory_mb, self._live.say)

        def create() -> Any:
            link = RemoteLink(
                strategy, self._live, target, make_process, self._on_end, self._restart_after_s, self._rollback_ticks
            )
            self.links[strategy.id] = link
            link.start()
            return link.proxy

        return StrategySpec(
            strategy.id,
            create,
            tuple(strategy.symbols),
            strategy.route or "vote",
            strategy.default_size,
            tuple(DataKind(kind) for kind in strategy.data or ("book",)),
            strategy.config,
            source=str(file) if target is None else "",
            version="not connected",
            one_instance_per_symbol=False,
            max_signal_age_ns=int(strategy.max_signal_age_ms * NS_PER_MS),
        )

    async def tried(self) -> None:
        """Wait until each process of ours has come up or failed to, so that the first ticks find those that came."""
        attempts = [link.tried.wait() for link in self.links.values() if link.is_ours]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*attempts), _FIRST_TRY_S)

    def silence_of(self, strategy_id: str) -> tuple[str, float] | None:
        """Why the strategy's process is silent, and for how many seconds; ``None`` where it is not, or has none."""
        link = self.links.get(strategy_id)
        return link.silence if link is not None else None

    def load(self, strategy: StrategyConfig, trigger: str) -> ReloadReport:
        """Take a remote strategy in; its process is connected in the background."""
        self._live.process(LoadStrategy(self.spec(strategy)))
        message = f"strategy {strategy.id} loaded; its process is being connected"
        return ReloadReport(strategy.id, "load", trigger, time_ns(), True, "", "", message)

    async def stop(self) -> None:
        await asyncio.gather(*(link.stop() for link in self.links.values()), *self._ending)
        self.links.clear()

    def _on_end(self, link: RemoteLink) -> None:
        """The engine has unloaded the strategy."""
        if self.links.get(link.strategy_id) is link:
            del self.links[link.strategy_id]
        task = asyncio.create_task(link.stop(), name=f"end-{link.strategy_id}")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
