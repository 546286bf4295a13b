"""A strategy in a checkpoint: its counts, its faults, and what its instances declare of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sengine.domain.position import Position
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.strategies.exported import exported_state
from sengine.engine.strategies.faults import StrategyFault, in_words
from sengine.engine.strategies.lifecycle import State
from sengine.engine.strategies.plain_values import METADATA, NotPlainError, plain_value, shown
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.strategy import BaseStrategy, tell_books


class InstanceState(msgspec.Struct, frozen=True):
    """An instance: what it declared, under which version; ``trouble`` says why that is nothing, where it is not
    because the strategy declares nothing."""

    state: Any
    version: int
    position: float
    trouble: str = ""


class StrategyState(msgspec.Struct, frozen=True):
    """A strategy. ``instances`` is by symbol; ``fault_times_ns`` count towards auto-pause."""

    strategy_id: str
    lifecycle: State
    pause_reason: str
    ticks: int
    calls: int
    signals: int
    last_signal_ns: int
    errors: dict[str, int]
    fault_times_ns: list[int]
    last_fault: StrategyFault | None
    instances: dict[str, InstanceState]
    was_paused_for_errors: bool = False

    @classmethod
    def of(cls, runtime: StrategyRuntime) -> StrategyState:
        """An ``export_state`` that fails counts as declaring nothing, which is told when the checkpoint is taken up."""
        return cls(
            runtime.strategy_id,
            runtime.lifecycle.state,
            runtime.pause_reason,
            runtime.ticks,
            runtime.calls,
            runtime.signals,
            runtime.last_signal_ns,
            dict(runtime.errors),
            list(runtime.fault_times_ns),
            runtime.last_fault,
            {symbol: _exported(runtime, instance) for symbol, instance in runtime.instances.items()},
            runtime.was_paused_for_errors,
        )

    def without_states(self) -> StrategyState:
        """The same, for where there is no room for what its instances declare."""
        reason = "the states of all strategies are more than the journal takes"
        bare = {
            symbol: InstanceState(None, each.version, each.position, reason if each.state is not None else each.trouble)
            for symbol, each in self.instances.items()
        }
        return msgspec.structs.replace(self, instances=bare)

    @property
    def troubles(self) -> list[str]:
        """A sentence for each instance whose state is missing."""
        return [
            f"strategy {self.strategy_id}: its instance for {symbol} could not tell its state for the journal: "
            f"{each.trouble}; it begins with what recorded market data tells it"
            for symbol, each in self.instances.items()
            if each.trouble
        ]

    def restore(self, runtime: StrategyRuntime, held: Sequence[Position]) -> None:
        """Give a runtime its counts and instances back, by ``held`` of the books; the lifecycle is the registry's.

        Raises what ``import_state`` raises."""
        runtime.pause_reason = self.pause_reason
        runtime.ticks, runtime.signals, runtime.last_signal_ns = self.ticks, self.signals, self.last_signal_ns
        runtime.errors = dict(self.errors)
        runtime.fault_times_ns.extend(self.fault_times_ns)
        runtime.last_fault = self.last_fault
        for symbol, kept in self.instances.items():
            # One instance for all, or one for each symbol: the file says which, and it may have changed.
            if runtime.spec.one_instance_per_symbol is (symbol != ANY_SYMBOL):
                instance = runtime.current.instance_for(symbol)
                tell_books(instance, [each for each in held if symbol in (ANY_SYMBOL, each.symbol)])
                instance.position = kept.position
                if kept.state is not None:
                    instance.import_state(kept.state, kept.version)
        runtime.calls = self.calls


def _exported(runtime: StrategyRuntime, instance: BaseStrategy) -> InstanceState:
    """What an instance declares, as plain values of the engine's own."""
    state, version, position, trouble = None, 1, 0.0, ""
    try:
        with runtime.guard.calling(runtime, has_patience=True):
            position = float.__float__(float(instance.position))
            version = plain_value(instance.state_version, "state_version", METADATA)
            if type(version) is not int:
                raise NotPlainError(f"state_version must be a whole number, got {shown(version)}")
            encoded = exported_state(instance)
            state = None if encoded is None else msgspec.msgpack.decode(encoded)
    except BaseException as error:
        runtime.guard.contain(error)
        state, version = None, 1
        trouble, _ = in_words(runtime.guard, runtime, error)
    return InstanceState(state, version, position, trouble)
