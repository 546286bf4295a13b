"""The composition root: a configuration in, a wired engine out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sengine.clock import NS_PER_MS
from sengine.config import Config, load_config
from sengine.config.risk_schema import RiskConfig
from sengine.config.schema import MarketDataConfig, StrategyConfig
from sengine.domain.currencies import several_currencies
from sengine.domain.market import DataKind
from sengine.engine.core import Engine
from sengine.engine.orders.fill_doubts import FillBounds
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.limits import LIMITS, AnyLimit, LateEngineLimit
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.time_jumps import JumpRule
from sengine.errors import ConfigError, PluginError
from sengine.plugins.catalog import Catalog
from sengine.plugins.loader import LoadedPlugin, load_plugin
from sengine.resources import resource_path

# Checks whose figure is a sum over symbols.
_SUMS = ("gross_exposure", "net_exposure", "daily_loss")


class FailedStrategy(msgspec.Struct, frozen=True):
    """A configured strategy that could not be loaded, and why. The others run on."""

    strategy_id: str
    reason: str


def build_engine(
    config: Config, venue: SimulatedVenue | None = None, order_prefix: str = "", *, reloads: bool = False
) -> Engine:
    """An engine with the configured vote, risk checks and books, and no strategies yet. One that ``reloads`` keeps the
    ticks that new versions of strategies warm up on, and old ones catch up with."""
    plugins = config.plugins
    return Engine(
        VoteBook(config.aggregation.method, config.aggregation.window_size_ns),
        RiskPipeline(risk_limits(config.risk, is_live=reloads), config.risk.bypass),
        Portfolio(config.account.initial_capital),
        venue,
        max_errors=config.plugins.max_errors,
        reset_after_ns=config.plugins.reset_after_ns,
        order_prefix=order_prefix,
        reject_pause=config.execution.reject_pause,
        # New ticks come while a new version is shown the old ones.
        recent_ticks=2 * plugins.warmup_ticks + plugins.rollback_ticks if reloads else 0,
        jumps=jump_rule(config.market_data),
    )


def jump_rule(market_data: MarketDataConfig) -> JumpRule:
    return JumpRule(market_data.max_jump_ns, market_data.confirm)


def risk_limits(risk: RiskConfig, *, is_live: bool = False) -> list[AnyLimit]:
    """The configured limits in their order: a filter and its limit have the same name and attributes. Live, an engine
    that is late sends nothing, whether that is configured or not."""
    limits = [LIMITS[str(item.__struct_config__.tag)](**msgspec.structs.asdict(item)) for item in risk.filters]
    if is_live and not any(isinstance(limit, LateEngineLimit) for limit in limits):
        limits.append(LateEngineLimit())
    return limits


def build_venue(config: Config) -> SimulatedVenue:
    """The simulated venue with the configured latency, costs and depth."""
    execution = config.execution
    return SimulatedVenue(
        int(execution.latency_ms * NS_PER_MS), execution.commission_bps, execution.slippage_bps, execution.depth
    )


def fill_bounds(config: Config) -> FillBounds:
    """What a fill may be without a person looking at it first, as configured."""
    return FillBounds(config.execution.max_fill_deviation, config.execution.max_overfill)


def catalog(config: Config) -> Catalog:
    """The user's plugin folder, then the examples that ship with the program."""
    return Catalog([Path(config.plugins.directory).expanduser(), resource_path("strategies")])


def load_strategies(
    engine: Engine,
    strategies: Iterable[StrategyConfig],
    plugins: Catalog,
    source: str = "",
    remote: Callable[[StrategyConfig], StrategySpec] | None = None,
) -> Sequence[FailedStrategy]:
    """Load every enabled strategy into the engine. Those whose file is no good are returned with the reason.
    ``remote`` gives what stands for a strategy in its own process; without it, none can be loaded.

    Raises ``ConfigError`` with the mistakes in all their parameters, each after ``source``, the configuration's file:
    what was configured wrong does not start.
    """
    failed: list[FailedStrategy] = []
    mistakes: list[str] = []
    for strategy in strategies:
        if not strategy.enabled:
            continue
        try:
            if not strategy.is_apart:
                path = plugins.find(strategy.plugin_name)
                loaded = load_plugin(path, guard=engine.guard, strategy_id=strategy.id)
                spec = strategy_spec(strategy, loaded)
            elif remote is not None:
                spec = remote(strategy)
            else:
                raise PluginError("strategies in processes of their own cannot run here")
            engine.registry.load(spec)
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        except PluginError as error:
            failed.append(FailedStrategy(strategy.id, str(error)))
    if mistakes:
        raise ConfigError([f"{source}: {mistake}" if source else mistake for mistake in mistakes])
    return failed


def mixed_limits(config: Config) -> Sequence[str]:
    """One sentence for each limit that would add up amounts of different currencies, told from the names of the symbols
    that the configuration lists; strategies that take every symbol are not known before they run."""
    symbols = {
        each.id: tuple(symbol for symbol in each.symbols if symbol != ANY_SYMBOL)
        for each in config.strategies
        if each.enabled
    }
    every = tuple(symbol for own in symbols.values() for symbol in own)
    found: dict[str, str] = {}
    for check in config.risk.filters:
        name = str(check.__struct_config__.tag)
        if name == "drawdown":
            for strategy_id, own in symbols.items():
                if check.strategy in ("", strategy_id) and (several := several_currencies(own)):
                    found[f"drawdown of {strategy_id}"] = several
        elif name in _SUMS and not check.symbol and (several := several_currencies(symbols.get(check.strategy, every))):
            found[name] = several
    if config.risk.kill_on.daily_loss is not None and (several := several_currencies(every)):
        found["kill_on.daily_loss"] = several
    return [
        f"risk: {name} adds up amounts in {several} as if they were of one currency, so its limit says little; give "
        "the symbols of each currency an engine of their own, or limits of one strategy or symbol each"
        for name, several in found.items()
    ]


def check_strategies(config: Config, plugins: Catalog) -> Sequence[str]:
    """One sentence for each mistake that would keep an enabled strategy from starting."""
    mistakes: list[str] = []
    for strategy in config.strategies:
        if not strategy.enabled:
            continue
        try:
            if strategy.address:
                # gRPC takes longer to load than all the rest, and most replays have no use for it.
                from sengine.adapters.remote.channel import configured_target

                configured_target(strategy)
            else:
                strategy_spec(strategy, load_plugin(plugins.find(strategy.plugin_name))).create()
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        except PluginError as error:
            mistakes.append(f"strategies.{strategy.id}: {error}")
    return mistakes


def load_run_config(path: Path | None, overrides: Sequence[str], wanted: Sequence[str]) -> Config:
    """``load_config`` for a run of the ``wanted`` strategies (as of ``select_strategies``): those that are only named
    are added to the configuration, so that overrides reach their parameters. Raises ``ConfigError``."""
    other = [override for override in overrides if not override.lstrip().startswith(("strategies.", "strategies["))]
    if not wanted or len(other) == len(overrides):
        return load_config(path, overrides=overrides)
    try:
        config = load_config(path, overrides=other)
        selected = select_strategies(config, wanted, catalog(config))
    except ConfigError:
        # With all overrides, so that all mistakes are said at once. What was only wanted wrong is said later.
        return load_config(path, overrides=overrides)
    ids = {strategy.id for strategy in config.strategies}
    more = [{"id": strategy.id, "plugin": strategy.plugin} for strategy in selected if strategy.id not in ids]
    return load_config(path, overrides=overrides, more_strategies=more)


def select_strategies(config: Config, wanted: Sequence[str], plugins: Catalog) -> Sequence[StrategyConfig]:
    """The configured strategies with the ``wanted`` ids, enabled; a name that is no id is taken as a plugin to run with
    its defaults on every symbol. Nothing wanted means all configured.

    Raises ``ConfigError`` when a name is neither, or when two of them would run under one id.
    """
    if not wanted:
        return config.strategies
    configured = {strategy.id: strategy for strategy in config.strategies}
    selected: dict[str, StrategyConfig] = {}
    mistakes = []
    for name in dict.fromkeys(wanted):
        try:
            strategy = configured.get(name) or _with_defaults(plugins.find(name))
            added = configured.get(strategy.id)
            if added is not None and added.plugin == strategy.plugin:
                strategy = added
        except PluginError as error:
            known = ", ".join(configured) or "none"
            mistakes.append(f"--strategy {name}: expected an id of the configuration ({known}) or a plugin; {error}")
            continue
        if strategy.id in selected:
            mistakes.append(
                f'--strategy {name}: its id would be "{strategy.id}", which another --strategy has; run one of them'
            )
        selected[strategy.id] = msgspec.structs.replace(strategy, enabled=True)
    if mistakes:
        raise ConfigError(mistakes)
    return list(selected.values())


def _with_defaults(path: Path) -> StrategyConfig:
    """A strategy file on every symbol with its own defaults; its id is its name, as far as ids allow."""
    stem = path.stem.split(".", 1)[0]
    return StrategyConfig(id=re.sub("[^A-Za-z0-9_-]", "_", stem)[:64], plugin=str(path))


def strategy_spec(strategy: StrategyConfig, plugin: LoadedPlugin) -> StrategySpec:
    """What the engine needs of a configured strategy and its loaded file."""
    place = f"strategies.{strategy.id}.config"
    declared = plugin.declared
    route = strategy.route or declared.route
    kinds = tuple(DataKind(name) for name in strategy.data or declared.market_data)

    def create() -> Any:
        return plugin.create(strategy.id, dict(strategy.config), place)

    return StrategySpec(
        strategy.id,
        create,
        tuple(strategy.symbols),
        route,
        strategy.default_size,
        kinds,
        strategy.config,
        lambda config: plugin.prepare(config, place),
        str(plugin.path),
        plugin.version,
        declared.one_instance_per_symbol,
        loaded_from=plugin,
    )


def host_spec(plugin: LoadedPlugin, strategy_id: str, symbols: Sequence[str], config: dict[str, Any]) -> StrategySpec:
    """A strategy alone in its own process. Its engine knows the rest, and judges its signals."""
    return strategy_spec(StrategyConfig(id=strategy_id, plugin="hosted", symbols=list(symbols), config=config), plugin)
