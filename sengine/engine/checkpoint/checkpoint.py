"""The whole engine at one moment, to go on from in another process.

With strategies that declare their state, an engine restored from a checkpoint does with the same events what the first
one would have done. A strategy that declares none starts anew, and is shown recorded market data (``following``).
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy

import msgspec

from sengine.domain.events import HoldFill
from sengine.domain.order import Fill
from sengine.domain.signal import Disposition, StampedSignal
from sengine.engine.checkpoint.effective_settings import EffectiveSettings
from sengine.engine.checkpoint.strategy_state import StrategyState
from sengine.engine.core import Engine
from sengine.engine.state.saved import (
    Flattening,
    SavedBooks,
    SavedMarket,
    SavedOrders,
    SavedResting,
    SavedTradingRecord,
)
from sengine.engine.strategies.faults import in_words
from sengine.engine.strategies.lifecycle import State
from sengine.engine.time_jumps import JumpState


class Checkpoint(msgspec.Struct, frozen=True):
    """Everything that an engine knows, as plain values. Times are nanoseconds, UTC."""

    now_ns: int
    ticks: int
    rejected: dict[str, int]
    gaps: dict[str, int]
    anomalies: dict[str, int]
    signals: int
    dispositions: dict[Disposition, int]
    filtered_by: dict[str, int]
    orders_sent: int
    kill_reason: str
    markets: list[SavedMarket]
    books: SavedBooks
    orders: SavedOrders
    resting: list[SavedResting]
    votes: Sequence[StampedSignal]
    strategies: list[StrategyState]
    record: SavedTradingRecord
    flattening: dict[tuple[str, str], Flattening] = {}
    """By strategy and symbol."""
    in_force: EffectiveSettings | None = None
    held_fills: list[HoldFill] = []
    refused_fills: list[Fill] = []
    crossed: int = 0
    jumps: JumpState = JumpState()
    """What is held back for its time."""


def checkpoint(engine: Engine) -> Checkpoint:
    """The engine between two events; it shares nothing mutable with it."""
    known, venue = engine.state, engine.venue
    return Checkpoint(
        known.now_ns,
        known.ticks,
        dict(known.rejected),
        dict(known.gaps),
        dict(known.anomalies),
        known.signals,
        dict(known.dispositions),
        dict(known.filtered_by),
        known.orders_sent,
        known.kill_reason,
        [market.state() for market in known.markets.values()],
        known.portfolio.state(),
        known.orders.state(),
        venue.state() if venue is not None else [],
        known.votes.live(),
        [StrategyState.of(runtime) for runtime in known.registry],
        known.record.saved(),
        deepcopy(known.flattening),
        EffectiveSettings.of(engine),
        list(known.held_fills.waiting),
        list(known.held_fills.refused),
        known.crossed,
        engine.jumps.state(),
    )


def restore(engine: Engine, state: Checkpoint) -> Sequence[str]:
    """Take up a checkpoint; for an engine with its strategies loaded that has processed nothing yet.

    Returns a sentence for each strategy that could not take up its state and was paused for it, or had none on record.
    """
    known = engine.state
    known.now_ns, known.ticks = state.now_ns, state.ticks
    known.rejected.update(state.rejected)
    known.gaps.update(state.gaps)
    known.anomalies.update(state.anomalies)
    known.signals = state.signals
    known.dispositions.update(state.dispositions)
    known.filtered_by.update(state.filtered_by)
    known.orders_sent, known.kill_reason = state.orders_sent, state.kill_reason
    for market in state.markets:
        known.new_market(market.symbol).restore(market)
    engine.jumps.restore(state.jumps)
    known.portfolio.restore(state.books)
    known.record.restore(state.record)
    known.orders.restore(state.orders)
    if engine.venue is not None:
        engine.venue.restore(state.resting)
    known.flattening.update(deepcopy(state.flattening))
    known.crossed = state.crossed
    known.held_fills.restore(state.held_fills, state.refused_fills)
    troubles = [trouble for runtime in state.strategies for trouble in _restore_strategy(engine, runtime)]
    active = {runtime.strategy_id for runtime in known.registry if runtime.is_active}
    known.votes.restore(vote for vote in state.votes if vote.strategy_id in active)
    return troubles


def _restore_strategy(engine: Engine, state: StrategyState) -> Sequence[str]:
    """What there is to say about a strategy that could not take up its state, or had none on record."""
    runtime = engine.registry.find(state.strategy_id)
    if runtime is None:
        return ()
    try:
        held = [each for each in engine.portfolio.positions() if each.strategy_id == runtime.strategy_id]
        with engine.guard.calling(runtime, has_patience=True):
            state.restore(runtime, held)
    except BaseException as error:
        engine.guard.contain(error)
        said, _ = in_words(engine.guard, runtime, error)
        trouble = f"strategy {runtime.strategy_id} could not take up its state: {said}; it is paused"
        engine.registry.pause(runtime.strategy_id, trouble)
        return (trouble,)
    if state.lifecycle is State.PAUSED and runtime.is_active:
        engine.registry.pause(runtime.strategy_id, state.pause_reason)
        runtime.was_paused_for_errors = state.was_paused_for_errors
    return state.troubles
