"""An engine that follows what another one did: the same events, and instead of decisions of its own the recorded ones.

What was sent is a fact, whatever the strategies would say today. They are shown the market and their fills, so that
they know what they knew, and what they answer is not listened to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from sengine.domain.events import (
    ChangeAggregation,
    EndOfData,
    Event,
    MarketEvent,
    ReloadParameters,
    RemoteReady,
    RemoteRolledBack,
    Shutdown,
    UnloadStrategy,
)
from sengine.domain.order import Fill, Order, OrderUpdate
from sengine.domain.signal import Disposition, SignalResult
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.strategies.trial import RolledBack
from sengine.errors import SengineError

_END_OF_TIME_NS: Final = 2**63
# What a restart decides anew: which strategies run, with which parameters, within which limits.
_PASSED_OVER: Final = (
    UnloadStrategy, ReloadParameters, ChangeAggregation, ChangeLimits, RemoteReady, RemoteRolledBack, EndOfData,
    Shutdown,
)  # fmt: skip


class Happened(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an event led to, as far as it does not follow from the event alone."""

    signals: Sequence[SignalResult] = []
    orders: Sequence[Order] = []
    cancels: Sequence[str] = []
    faults: Sequence[StrategyFault] = []
    paused: dict[str, str] = {}
    """Strategies that the event paused, and why."""
    fills: Sequence[Fill] = []
    updates: Sequence[OrderUpdate] = []
    """Both of the simulated venue, those from outside are events; and the crosses of a flatten."""
    rollbacks: Sequence[RolledBack] = []
    withdrawn: dict[str, int] = {}
    """Orders that a CLOSE withdrew and that might still fill, by the sequence of its signal."""


class Follower:
    """Takes an engine through recorded events and what they led to. ``end`` gives the engine its own will back."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._state = engine.state
        self._last = Outcome()
        self._state.is_following = True

    def market_data(self, events: Iterator[MarketEvent]) -> None:
        """Events of which none led to anything but the last, perhaps."""
        process_until = self._engine.process_until
        while (step := process_until(events, _END_OF_TIME_NS)) is not None:
            self._last = step[1] or Outcome()

    def event(self, event: Event) -> None:
        """Any event; a command that could not be carried out then cannot now."""
        self._last = Outcome()
        if isinstance(event, _PASSED_OVER):
            return
        try:
            self._last = self._engine.process(event)
        except SengineError:
            return

    def happened(self, what: Happened) -> None:
        """What the event before led to."""
        now_ns, flow, flattener = self._state.now_ns, self._engine.flow, self._engine.flattener
        again = Outcome()
        flow.begin(again, now_ns)
        voted = {result.signal.symbol for result in what.signals if self._count(result)}
        for symbol in voted:
            self._state.votes.fresh(symbol, now_ns)  # which forgets stale votes, as it did then
        for order_id in what.cancels:
            flow.call_back(order_id)
        for order_id, sequence in what.withdrawn.items():
            self._engine.orders.withdraw(order_id, sequence)
        flattener.book([fill for fill in what.fills if fill.strategy_id])
        for order in what.orders:
            flow.let_out(order)
        flattener.recall(what.orders)
        flow.news.of_signals(what.signals, what.orders, now_ns)
        flow.news.tell(again, now_ns)
        self._blame(what, [*self._last.faults, *again.faults])

    def end(self) -> None:
        self._state.is_following = False

    def _count(self, result: SignalResult) -> bool:
        """Whether the signal was a vote."""
        signal, state = result.signal, self._state
        state.signals = signal.sequence
        state.dispositions[Disposition(result.disposition)] += 1
        if result.check:
            state.filtered_by[result.check] += 1
        runtime = self._engine.registry.find(signal.strategy_id)
        if runtime is None:
            return False
        runtime.signals += 1
        runtime.last_signal_ns = signal.timestamp_ns
        if not runtime.is_direct and runtime.is_active:
            state.votes.cast(signal)
        return not runtime.is_direct

    def _blame(self, what: Happened, came_again: Sequence[StrategyFault]) -> None:
        """Count the faults of then; those that came up again by themselves, as in ``on_fill``, are counted already."""
        registry = self._engine.registry
        again = Counter((fault.strategy_id, fault.kind) for fault in came_again)
        for fault in what.faults:
            runtime = registry.find(fault.strategy_id)
            if again[fault.strategy_id, fault.kind] > 0:
                again[fault.strategy_id, fault.kind] -= 1
            elif runtime is not None:
                runtime.recall(fault)
        for back in what.rollbacks:
            runtime = registry.find(back.strategy_id)
            if runtime is not None:
                runtime.forgive()
        for strategy_id, reason in what.paused.items():
            runtime = registry.find(strategy_id)
            if runtime is not None and runtime.is_active:
                registry.pause(strategy_id, reason)
                runtime.was_paused_for_errors = any(fault.strategy_id == strategy_id for fault in what.faults)
