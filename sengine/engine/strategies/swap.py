"""From one version of a strategy to the next, between two ticks, and back again when the next one is no good.

A new instance is made from its file and parameters, shown recent ticks, told what it holds, and given the state that
the old one declares. All of that is a function of the engine's state and the command, so a journal can do it again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from sengine.domain.order import Fill
from sengine.domain.position import Position
from sengine.engine.state.markets import Market
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.recent_ticks import Tick, recent_ticks
from sengine.engine.strategies.exported import exported_state
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.trial import RolledBack
from sengine.engine.strategies.version import RunningVersion
from sengine.errors import EngineError
from sengine.strategy import BaseStrategy, tell_books

CARRIED: Final = "carried"
"""``fill_id`` of the fills that tell a new instance what its predecessor held."""


class Warmed(msgspec.Struct, frozen=True):
    """What an instance was shown before it took over: the last ``ticks`` that it would have been called for, with
    ``position`` as its position meanwhile."""

    ticks: int = 0
    position: float = 0.0


class SwapStrategy(msgspec.Struct, frozen=True):
    """Command: a running strategy goes on as ``spec`` says; its lifecycle state stays what it is.

    ``warmed`` tells for each instance (by symbol, ``*`` for one that gets all) how it was warmed up. ``ready`` are
    those instances and ``config`` is that of ``spec`` with its defaults filled in; where they are left out, as when a
    journal is read, they are made again. For ``rollback_ticks`` calls of ``on_tick`` the old version waits, and comes
    back if the new one fails.
    """

    spec: StrategySpec
    warmed: Mapping[str, Warmed]
    ready: Mapping[str, BaseStrategy] = {}
    rollback_ticks: int = 0
    config: Mapping[str, Any] | None = None


def swap(
    runtime: StrategyRuntime,
    command: SwapStrategy,
    markets: Mapping[str, Market],
    portfolio: Portfolio,
    now_ns: int,
    tick: int,
) -> None:
    """Carry the command out. Raises what the new version or ``export_state`` of the old one raises; nothing has changed
    then, but for the instances that are thrown away."""
    spec = command.spec
    instances = dict(command.ready) or made(command, markets)
    for key, instance in instances.items():
        held = portfolio.held_by(spec.strategy_id, key)
        take_over(instance, key, runtime.instances.get(key), held, now_ns)
    config = spec.prepare(dict(spec.config))[1] if command.config is None else dict(command.config)
    runtime.swap(RunningVersion(spec, config, dict(spec.config), instances), tick, command.rollback_ticks)


def made(command: SwapStrategy, markets: Mapping[str, Market]) -> dict[str, BaseStrategy]:
    """New instances, warmed as the command says."""
    spec, instances = command.spec, {}
    for key, warmed in command.warmed.items():
        instance = instances[key] = spec.create()
        ticks = recent_ticks(markets, key, spec.symbols, spec.kinds)
        if len(ticks) < warmed.ticks:
            raise EngineError(f"{key}: expected {warmed.ticks} recent ticks to warm up on, only {len(ticks)} are kept")
        warm(instance, ticks[len(ticks) - warmed.ticks :], warmed.position)
    return instances


def roll_back(
    runtime: StrategyRuntime, markets: Mapping[str, Market], reason: str, where: str
) -> tuple[RolledBack, list[BaseStrategy]]:
    """Bring back the version before, which sees what it missed. Returns the report, and the instances that end."""
    trial = runtime.trial
    assert trial is not None
    report = RolledBack(
        runtime.strategy_id,
        runtime.spec.version,
        trial.before.spec.version,
        runtime.ticks - trial.started_at,
        reason,
        where,
    )
    ended = list(runtime.roll_back(trial))
    spec = trial.before.spec
    for key, instance in trial.before.instances.items():
        missed = recent_ticks(markets, key, spec.symbols, spec.kinds, trial.since_tick)
        try:
            with runtime.guard.for_kept(), runtime.calling(has_patience=True):
                show_missed(instance, missed)
        except BaseException as error:
            runtime.guard.contain(error)
    runtime.forgive()
    return report, ended


def warm(instance: BaseStrategy, ticks: Iterable[Tick], position: float) -> None:
    """Show recent ticks; what the instance answers is nobody's business. Raises what ``on_tick`` raises."""
    instance.position = position
    on_tick = instance.on_tick
    for _, data in ticks:
        on_tick(data)


def take_over(
    instance: BaseStrategy, key: str, old: BaseStrategy | None, held: Sequence[Position], now_ns: int
) -> None:
    """Tell a new instance what it holds, and give it the state that the old one declares.

    It learns of its positions as it always does, by ``on_fill``, with one fill a symbol at the average price. Raises
    what the strategy raises.
    """
    tell_books(instance, ())
    for position in held:
        side = "buy" if position.quantity > 0 else "sell"
        instance.on_fill(
            Fill(
                CARRIED,
                position.strategy_id,
                position.symbol,
                side,
                position.average_price,
                abs(position.quantity),
                0.0,
                now_ns,
                CARRIED,
            )
        )
    tell_books(instance, held)
    if old is not None:
        hand_over_state(old, instance)


def hand_over_state(old: BaseStrategy, new: BaseStrategy) -> bool:
    """Export and import, through bytes: the two versions share nothing afterwards. Whether there was any state."""
    state = exported_state(old)
    if state is None:
        return False
    new.import_state(msgspec.msgpack.decode(state), old.state_version)
    return True


def show_missed(instance: BaseStrategy, ticks: Iterable[Tick]) -> None:
    """Show an old instance what came while it waited. Whatever it raises, it raises again on the next tick."""
    for _, data in ticks:
        with contextlib.suppress(Exception, SystemExit):
            instance.on_tick(data)
