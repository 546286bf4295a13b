"""A strategy in a checkpoint: its counts, its faults, and what its instances declare of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sengine.domain.position import Position
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.strategies.lifecycle import State
from sengine.engine.strategies.runtime import Guest
from sengine.strategy import BaseStrategy, tell_books


class InstanceState(msgspec.Struct, frozen=True):
    """An instance: what it declared, under which version."""

    state: Any
    version: int
    position: float


class GuestState(msgspec.Struct, frozen=True):
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
    def of(cls, guest: Guest) -> GuestState:
        """What ``export_state`` raises counts as declaring nothing."""
        return cls(
            guest.strategy_id,
            guest.lifecycle.state,
            guest.pause_reason,
            guest.ticks,
            guest.calls,
            guest.signals,
            guest.last_signal_ns,
            dict(guest.errors),
            list(guest.fault_times_ns),
            guest.last_fault,
            {symbol: _exported(instance) for symbol, instance in guest.instances.items()},
            guest.was_paused_for_errors,
        )

    def restore(self, guest: Guest, held: Sequence[Position]) -> None:
        """Give a guest its counts and instances back, by ``held`` of the books; the lifecycle is the roster's business.
        Raises what ``import_state`` raises."""
        guest.pause_reason = self.pause_reason
        guest.ticks, guest.signals, guest.last_signal_ns = self.ticks, self.signals, self.last_signal_ns
        guest.errors = dict(self.errors)
        guest.fault_times_ns.extend(self.fault_times_ns)
        guest.last_fault = self.last_fault
        for symbol, kept in self.instances.items():
            # One instance for all, or one for each symbol: the file says which, and it may have changed.
            if guest.spec.one_instance_per_symbol is (symbol != ANY_SYMBOL):
                instance = guest.current.instance_for(symbol)
                tell_books(instance, [each for each in held if symbol in (ANY_SYMBOL, each.symbol)])
                instance.position = kept.position
                if kept.state is not None:
                    instance.import_state(kept.state, kept.version)
        guest.calls = self.calls


def _exported(instance: BaseStrategy) -> InstanceState:
    try:
        state = msgspec.to_builtins(instance.export_state())
        position = float(instance.position)
    except (Exception, SystemExit):
        state, position = None, 0.0
    return InstanceState(state, instance.state_version, position)
