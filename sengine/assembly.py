"""The composition root: a configuration in, a wired engine out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sengine.clock import NS_PER_MS
from sengine.config import Config
from sengine.config.schema import ConfidenceFilter, PositionLimitFilter, Filter, StrategyConfig
from sengine.domain.market import DataKind
from sengine.engine.aggregation import VoteBook
from sengine.engine.core import Engine
from sengine.engine.guest import StrategySpec
from sengine.engine.positions import PositionTracker
from sengine.engine.risk import RiskPipeline
from sengine.engine.risk_checks import ConfidenceCheck, ContributionCheck, DrawdownCheck, PositionLimitCheck
from sengine.engine.simulated import SimulatedVenue
from sengine.errors import ConfigError, PluginError
from sengine.plugins.catalog import Catalog
from sengine.plugins.loader import LoadedPlugin, load_plugin
from sengine.resources import resource_path


class FailedStrategy(msgspec.Struct, frozen=True):
    """A configured strategy that could not be loaded, and why. The others run on."""

    strategy_id: str
    reason: str


def build_engine(config: Config, venue: SimulatedVenue | None = None, order_prefix: str = "") -> Engine:
    """An engine with the configured vote, risk checks and books, and no strategies yet."""
    return Engine(
        VoteBook(config.aggregation.method, config.aggregation.window_size_ns),
        RiskPipeline([_check(item) for item in config.risk.filters], bypass=config.risk.bypass),
        PositionTracker(config.account.initial_capital),
        venue,
        max_errors=config.plugins.max_errors,
        reset_after_ns=config.plugins.reset_after_ns,
        order_prefix=order_prefix,
    )


def build_venue(config: Config) -> SimulatedVenue:
    """The simulated venue with the configured latency, costs and depth."""
    execution = config.execution
    return SimulatedVenue(
        int(execution.latency_ms * NS_PER_MS), execution.commission_bps, execution.slippage_bps, execution.depth
    )


def catalog(config: Config) -> Catalog:
    """The user's plugin folder, then the examples that ship with the program."""
    return Catalog([Path(config.plugins.directory).expanduser(), resource_path("strategies")])


def load_strategies(
    engine: Engine, strategies: Iterable[StrategyConfig], plugins: Catalog
) -> Sequence[FailedStrategy]:
    """Load every enabled strategy into the engine. Those that fail are returned with the reason."""
    failed = []
    for strategy in strategies:
        if not strategy.enabled:
            continue
        try:
            engine.roster.load(strategy_spec(strategy, load_plugin(plugins.find(strategy.plugin_name))))
        except (PluginError, ConfigError) as error:
            failed.append(FailedStrategy(strategy.id, str(error)))
    return failed


def check_strategies(config: Config, plugins: Catalog) -> Sequence[str]:
    """One sentence for each enabled strategy whose file or parameters would not load."""
    mistakes = []
    for strategy in config.strategies:
        if strategy.enabled:
            try:
                spec = strategy_spec(strategy, load_plugin(plugins.find(strategy.plugin_name)))
                spec.create()
            except (PluginError, ConfigError) as error:
                mistakes.extend(str(error).splitlines())
    return mistakes


def select_strategies(config: Config, wanted: Sequence[str], plugins: Catalog) -> Sequence[StrategyConfig]:
    """The configured strategies with the ``wanted`` ids, enabled; a name that is no id is taken as a plugin to run with
    its defaults on every symbol. Raises ``ConfigError`` when it is neither. Nothing wanted means all configured."""
    if not wanted:
        return config.strategies
    configured = {strategy.id: strategy for strategy in config.strategies}
    selected, mistakes = [], []
    for name in dict.fromkeys(wanted):
        if name in configured:
            selected.append(msgspec.structs.replace(configured[name], enabled=True))
            continue
        try:
            path = plugins.find(name)
        except PluginError as error:
            known = ", ".join(configured) or "none"
            mistakes.append(f'--strategy {name}: expected an id of the configuration ({known}) or a plugin; {error}')
        else:
            selected.append(StrategyConfig(id=path.stem.split(".", 1)[0], plugin=str(path)))
    if mistakes:
        raise ConfigError(mistakes)
    return selected


def strategy_spec(strategy: StrategyConfig, plugin: LoadedPlugin) -> StrategySpec:
    """What the engine needs of a configured strategy and its loaded file."""
    place = f"strategies.{strategy.id}.config"
    kind = plugin.strategy_type

    def create() -> Any:
        return plugin.create(strategy.id, dict(strategy.config), place)

    return StrategySpec(
        strategy.id,
        create,
        tuple(strategy.symbols),
        strategy.route or kind.route,
        strategy.default_size,
        tuple(DataKind(name) for name in (strategy.data or kind.market_data)),
        strategy.config,
        lambda config: plugin.prepare(config, place),
        str(plugin.path),
        plugin.version,
        kind.one_instance_per_symbol,
    )


def _check(item: Filter) -> ContributionCheck:
    if isinstance(item, ConfidenceFilter):
        return ConfidenceCheck(item.min_confidence)
    if isinstance(item, PositionLimitFilter):
        return PositionLimitCheck(item.max_position)
    return DrawdownCheck(item.max_drawdown)
