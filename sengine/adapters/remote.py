"""The remote strategies of a live engine."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, time_ns
from typing import Any, Final

import msgspec

from sengine.adapters.remote_channel import configured_target
from sengine.adapters.remote_link import RemoteLink
from sengine.adapters.remote_process import HostProcess
from sengine.clock import NS_PER_MS
from sengine.config.schema import StrategyConfig
from sengine.domain.events import ReloadParameters
from sengine.domain.market import DataKind
from sengine.domain.reload import ReloadReport
from sengine.engine.guest import Guest
from sengine.engine.roster import LoadStrategy
from sengine.engine.spec import StrategySpec
from sengine.errors import SengineError
from sengine.live import LiveEngine

_FIRST_TRY_S: Final = 20.0


class Remotes:
    """``spec`` gives what stands for a strategy in its own process; its link starts when the engine loads it.

    ``find`` gives the file that a module names. A process of ours that owes an answer for ``restart_after_s`` is ended
    and started again.
    """

    def __init__(self, live: LiveEngine, find: Callable[[str], Path], restart_after_s: float = 30.0) -> None:
        self.links: dict[str, RemoteLink] = {}
        self._live = live
        self._find = find
        self._restart_after_s = restart_after_s
        self._ending: set[asyncio.Task[None]] = set()

    def spec(self, strategy: StrategyConfig) -> StrategySpec:
        """Raises ``PluginError`` where there is no such file, ``ConfigError`` for an address that is no good."""
        target = configured_target(strategy) if strategy.address else None
        file = self._find(strategy.plugin_name) if target is None else Path()

        def make_process() -> HostProcess:
            return HostProcess(strategy.id, file, strategy.port, self._live.say)

        def create() -> Any:
            link = RemoteLink(strategy, self._live, target, make_process, self._on_end, self._restart_after_s)
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

    def load(self, strategy: StrategyConfig, trigger: str) -> ReloadReport:
        """Take a remote strategy in; its process is connected in the background."""
        self._live.take(LoadStrategy(self.spec(strategy)))
        message = f"strategy {strategy.id} loaded; its process is being connected"
        return ReloadReport(strategy.id, "load", trigger, time_ns(), True, "", "", message)

    async def reload(self, strategy: StrategyConfig, trigger: str) -> ReloadReport:
        """Bring a remote strategy to its file and parameters of now. A changed file means a new process, which takes
        over when it has proved itself. What fails leaves the strategy as it was."""
        link, guest = self.links[strategy.id], self._live.engine.roster.get(strategy.id)
        config, before, began_s = dict(strategy.config), guest.spec.version, perf_counter()
        what = "code" if self._has_new_code(link, guest) else "parameters"
        reason = ""
        try:
            if what == "code":
                await link.replace(config)
            else:
                await link.give_parameters(config)
                self._live.take(ReloadParameters(strategy.id, config))
        except SengineError as error:
            reason = str(error)
        after = guest.spec.version
        message = f"strategy {strategy.id} reloaded in its process: {what}; {before} -> {after}"
        if reason:
            message = f"strategy {strategy.id} not reloaded, {before} runs on: {reason}"
        took_ms = (perf_counter() - began_s) * 1000
        return ReloadReport(
            strategy.id, what, trigger, time_ns(), not reason, before, after, message, reason, took_ms=took_ms
        )

    async def reload_code(self, strategy_id: str, trigger: str) -> ReloadReport:
        """Its file of now, with the parameters that it has."""
        link = self.links[strategy_id]
        return await self.reload(msgspec.structs.replace(link.strategy, config=link.proxy.config), trigger)

    def _has_new_code(self, link: RemoteLink, guest: Guest) -> bool:
        """Whether the file of a strategy whose process is ours is not what that process runs."""
        if not link.is_ours:
            return False
        try:
            content = Path(guest.spec.source).read_bytes()
        except OSError:
            return False
        return not guest.spec.version.endswith("+" + hashlib.sha256(content).hexdigest()[:12])

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
