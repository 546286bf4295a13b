"""The live service: start-up, run, shutdown. Everything a running engine needs, stopped in reverse order.

A market data message goes feed -> ``LiveEngine.take`` -> gateway. Fills come back through the feed, order updates
through the gateway, operators through the control server; monitoring looks on through HTTP.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec

from sengine.adapters.broker import EmbeddedBroker
from sengine.adapters.control import ControlServer
from sengine.adapters.execution import ExecutionGateway, GatewayStats
from sengine.adapters.facts import ServiceFacts
from sengine.adapters.http import HttpServer
from sengine.adapters.nats_feed import NatsFeed
from sengine.assembly import build_engine, build_venue, catalog, load_strategies, strategy_spec
from sengine.config import Config, load_config
from sengine.config.schema import StrategyConfig
from sengine.domain.events import ReloadParameters, Shutdown, UnloadStrategy
from sengine.engine.roster import LoadStrategy
from sengine.errors import ConfigError, EngineError, SengineError
from sengine.live import LiveEngine
from sengine.paper_child import PaperChild
from sengine.plugins.loader import load_plugin

_STOP_GATEWAY_S = 2.0


class EngineService:
    """One engine with everything around it. ``run`` lives from start-up to shutdown.

    ``on_started`` is called once, when orders can flow. ``read_config`` gives the configuration anew on a reload.
    """

    def __init__(
        self,
        config: Config,
        read_config: Callable[[], Config],
        *,
        config_file: Path | None = None,
        overrides: Sequence[str] = (),
        on_started: Callable[[EngineService], None] | None = None,
    ) -> None:
        self.config = config
        self._read_config = read_config
        self._config_file = config_file
        self._overrides = overrides
        self._on_started = on_started
        self._stopping = asyncio.Event()
        simulated = config.execution.target == "simulated"
        # Ids name orders at the execution service for longer than this process lives, so each session has its own.
        prefix = "" if simulated else f"{_base36(time_ns() // 1_000_000)}-"
        engine = build_engine(config, build_venue(config) if simulated else None, prefix)
        self.live = LiveEngine(engine)
        self.facts = ServiceFacts(config.service.name, risk=config.risk)
        self.broker_url = config.nats.url
        self._plugins = catalog(config)

    async def run(self) -> None:
        """Start, serve until ``shutdown`` or a signal, and stop. Raises ``SengineError`` when it cannot start."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.shutdown)
        async with AsyncExitStack() as stack:
            feed = await self._start(stack)
            loop.add_signal_handler(signal.SIGHUP, self._reload_all)
            # What start-up made stays; from here on the collector has little to look through.
            gc.collect()
            gc.freeze()
            gc.enable()
            if self._on_started is not None:
                self._on_started(self)
            await self._stopping.wait()
            self.live.say("info", "stopping")
            await feed.stop()
            self.live.take(Shutdown(cancel_orders=self.config.execution.cancel_on_shutdown))

    def shutdown(self) -> None:
        """Ask ``run`` to end."""
        self._stopping.set()

    async def _start(self, stack: AsyncExitStack) -> NatsFeed:
        config, live, facts = self.config, self.live, self.facts
        directory = _private_directory(Path(config.service.data_directory).expanduser())
        # First of all: a second engine on the same socket must not touch anything.
        control = ControlServer(live, self, config.api, config.service.data_directory)
        facts.listeners["control API"] = await control.start()
        stack.push_async_callback(control.stop)
        http = HttpServer(live, facts, config.http.host, config.service.port, metrics=config.metrics.enabled)
        facts.listeners["http"] = await http.start()
        stack.push_async_callback(http.stop)
        if config.nats.url == "embedded":
            broker = EmbeddedBroker(directory / "nats")
            await broker.start()
            stack.push_async_callback(broker.stop)
            self.broker_url = facts.listeners["nats broker"] = broker.url
        failed = load_strategies(live.engine, config.strategies, self._plugins)
        facts.failed = [(one.strategy_id, one.reason) for one in failed]
        for one in failed:
            live.say("error", "a strategy could not be loaded", strategy_id=one.strategy_id, reason=one.reason)
        facts.strategies_are_loaded = True
        await self._start_gateway(stack, directory)
        feed = NatsFeed(config.nats, self.broker_url, live, lockstep=config.execution.lockstep)
        facts.feed = feed.stats
        await feed.start()
        stack.push_async_callback(feed.stop)
        for name, address in facts.listeners.items():
            live.say("info", "listening", what=name, address=address)
        return feed

    async def _start_gateway(self, stack: AsyncExitStack, directory: Path) -> None:
        target = self.config.execution.target
        if target == "simulated":
            return
        if target == "paper":
            paper = PaperChild(directory, self.broker_url, self._config_file, self._overrides, self.live.say)
            target = await paper.start()
            stack.push_async_callback(paper.stop)
        self.facts.gateway = stats = GatewayStats()
        gateway = ExecutionGateway(target, self.config.execution, self.live, stats)
        self.live.gateway = gateway
        await gateway.start()
        stack.push_async_callback(gateway.stop, _STOP_GATEWAY_S)

    # What operators ask for: the context of the control server.

    async def reload(self, strategy_id: str) -> str:
        """Read the configuration again and give a strategy the parameters that it has now."""
        self.live.engine.roster.get(strategy_id)
        wanted = [each for each in self._read_config().strategies if each.id == strategy_id]
        if not wanted:
            raise EngineError(f'strategy "{strategy_id}" is not in the configuration any more; unload it instead')
        return self._reload_parameters(wanted[0])

    def _reload_parameters(self, strategy: StrategyConfig) -> str:
        guest = self.live.engine.roster.get(strategy.id)
        before = guest.config
        try:
            outcome = self.live.take(ReloadParameters(strategy.id, dict(strategy.config)))
        except SengineError:
            self.facts.reloads.record(strategy.id, False, time_ns())
            raise
        self.facts.reloads.record(strategy.id, not outcome.faults, time_ns())
        if outcome.faults:
            raise ConfigError([outcome.faults[0].message])
        changes = [
            f"{key}: {before.get(key)!r} -> {value!r}" for key, value in guest.config.items() if before.get(key) != value
        ]
        said = f"strategy {strategy.id} reloaded; {', '.join(changes) or 'no parameter changed'}"
        self.live.say("info", said)
        return said

    async def load(self, plugin: str, strategy_id: str, symbols: Sequence[str], config: dict[str, Any]) -> str:
        """Load a strategy file by name or path and activate it."""
        strategy = StrategyConfig(id=strategy_id, plugin=plugin, symbols=list(symbols) or ["*"], config=config)
        loaded = load_plugin(self._plugins.find(plugin))
        self.live.take(LoadStrategy(strategy_spec(strategy, loaded)))
        said = f"strategy {strategy_id} loaded from {loaded.path} ({loaded.version})"
        self.live.say("info", said)
        return said

    def _reload_all(self) -> None:
        """SIGHUP: bring the strategies to what the configuration says now; one that fails stays as it was."""
        try:
            config = self._read_config()
        except ConfigError as error:
            for mistake in error.mistakes:
                self.live.say("error", "configuration not reloaded", reason=mistake)
            return
        for change in self._changes(config):
            try:
                change()
            except SengineError as error:
                self.live.say("error", "not reloaded", reason=str(error))
        restart = [
            section.name
            for section in msgspec.structs.fields(Config)
            if section.name != "strategies" and getattr(config, section.name) != getattr(self.config, section.name)
        ]
        if restart:
            self.live.say("warning", "sections changed that need a restart to take effect", sections=", ".join(restart))

    def _changes(self, config: Config) -> list[Callable[[], object]]:
        roster = self.live.engine.roster
        wanted = {strategy.id: strategy for strategy in config.strategies if strategy.enabled}
        changes: list[Callable[[], object]] = []
        for guest in list(roster):
            if guest.strategy_id not in wanted:
                changes.append(lambda unload=UnloadStrategy(guest.strategy_id): self.live.take(unload))
        for strategy in wanted.values():
            if roster.find(strategy.id) is not None:
                changes.append(lambda strategy=strategy: self._reload_parameters(strategy))
            else:
                changes.append(lambda strategy=strategy: self._load_configured(strategy))
        return changes

    def _load_configured(self, strategy: StrategyConfig) -> None:
        loaded = load_plugin(self._plugins.find(strategy.plugin_name))
        self.live.take(LoadStrategy(strategy_spec(strategy, loaded)))
        self.live.say("info", f"strategy {strategy.id} loaded from {loaded.path} ({loaded.version})")


def config_reader(file: Path | None, overrides: Sequence[str]) -> Callable[[], Config]:
    """Reads the configuration of this run, again each time it is called."""
    return lambda: load_config(file, overrides=overrides)


def _private_directory(directory: Path) -> Path:
    """Make the data directory, for its owner only. Raises ``SengineError`` when that cannot be."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(directory, 0o700)
    except OSError as error:
        raise SengineError(f"service.data_directory: {directory} cannot be used: {error.strerror}") from error
    return directory


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits
