"""Strategies brought to what the configuration says now: one of them on request, all of them on SIGHUP."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import time_ns
from typing import Any

import msgspec

from sengine.adapters.facts import ServiceFacts
from sengine.assembly import strategy_spec
from sengine.config import Config
from sengine.config.schema import StrategyConfig
from sengine.domain.events import ReloadParameters, UnloadStrategy
from sengine.engine.roster import LoadStrategy
from sengine.errors import ConfigError, EngineError, SengineError
from sengine.live import LiveEngine
from sengine.live_settings import LiveSettings, differences
from sengine.plugins.catalog import Catalog
from sengine.plugins.loader import load_plugin


class Reloading:
    """Changes the strategies of a running engine. ``read_config`` gives the configuration anew.

    What fails leaves the strategy as it was.
    """

    def __init__(
        self,
        live: LiveEngine,
        facts: ServiceFacts,
        plugins: Catalog,
        started: Config,
        read_config: Callable[[], Config],
    ) -> None:
        self._live = live
        self._facts = facts
        self._plugins = plugins
        self._started = started
        self.settings = LiveSettings(live, started)
        self._read_config = read_config

    def reload(self, strategy_id: str) -> str:
        """Read the configuration again and give a strategy the parameters that it has now; what was done.

        Raises ``EngineError`` where there is no such strategy, ``ConfigError`` for parameters that it does not take.
        """
        self._live.engine.roster.get(strategy_id)
        wanted = [each for each in self._read_config().strategies if each.id == strategy_id]
        if not wanted:
            raise EngineError(f'strategy "{strategy_id}" is not in the configuration any more; unload it instead')
        return self._give_parameters(wanted[0])

    def load(self, strategy: StrategyConfig) -> str:
        """Load a strategy file and activate it; what was done. Raises ``PluginError`` or ``ConfigError``."""
        loaded = load_plugin(self._plugins.find(strategy.plugin_name))
        self._live.take(LoadStrategy(strategy_spec(strategy, loaded)))
        said = f"strategy {strategy.id} loaded from {loaded.path} ({loaded.version})"
        self._live.say("info", said)
        return said

    def reload_all(self) -> None:
        """Bring strategies and settings to what the configuration says now; what cannot be done is said."""
        try:
            config = self._read_config()
        except ConfigError as error:
            for mistake in error.mistakes:
                self._live.say("error", "configuration not reloaded", reason=mistake)
            return
        wanted = {strategy.id: strategy for strategy in config.strategies if strategy.enabled}
        for guest in list(self._live.engine.roster):
            if guest.strategy_id not in wanted:
                self._carry_out(self._unload, guest.strategy_id)
        for strategy in wanted.values():
            is_loaded = self._live.engine.roster.find(strategy.id) is not None
            self._carry_out(self._give_parameters if is_loaded else self.load, strategy)
        self.settings.take(config)
        restart = self._needs_restart(config)
        if restart:
            self._live.say("warning", "these changes take effect at the next start", of=", ".join(restart))

    def _carry_out(self, change: Callable[[Any], object], what: object) -> None:
        try:
            change(what)
        except SengineError as error:
            self._live.say("error", "not reloaded", reason=str(error))

    def _unload(self, strategy_id: str) -> None:
        self._live.take(UnloadStrategy(strategy_id))
        self._live.say("info", f"strategy {strategy_id} unloaded: the configuration does not have it any more")

    def _give_parameters(self, strategy: StrategyConfig) -> str:
        guest = self._live.engine.roster.get(strategy.id)
        before = guest.config
        try:
            outcome = self._live.take(ReloadParameters(strategy.id, dict(strategy.config)))
        except SengineError:
            self._facts.reloads.record(strategy.id, False, time_ns())
            raise
        self._facts.reloads.record(strategy.id, not outcome.faults, time_ns())
        if outcome.faults:
            raise ConfigError([outcome.faults[0].message])
        changes = [
            f"{key}: {before.get(key)!r} -> {value!r}"
            for key, value in guest.config.items()
            if before.get(key) != value
        ]
        said = f"strategy {strategy.id} reloaded; {', '.join(changes) or 'no parameter changed'}"
        self._live.say("info", said)
        return said

    def _needs_restart(self, config: Config) -> Sequence[str]:
        """Keys of what differs from what is in force and is only read at the start."""
        sections = [
            key
            for section in msgspec.structs.fields(Config)
            if section.name != "strategies"
            for key, _, _ in differences(
                section.name, getattr(self.settings.in_force, section.name), getattr(config, section.name)
            )
        ]
        before = {strategy.id: _without_parameters(strategy) for strategy in self._started.strategies}
        strategies = [
            f"strategies.{strategy.id}"
            for strategy in config.strategies
            if strategy.enabled and strategy.id in before and before[strategy.id] != _without_parameters(strategy)
        ]
        return [*sections, *strategies]


def _without_parameters(strategy: StrategyConfig) -> StrategyConfig:
    return msgspec.structs.replace(strategy, config={}, enabled=True)
