"""Strategies in processes of their own: what they say comes in as events, later than the tick it answers."""

from __future__ import annotations

from typing import Final

import msgspec

from sengine.domain.events import RemoteReady, RemoteRolledBack, RemoteSignals
from sengine.domain.market import DataKind
from sengine.engine.engine_state import EngineState
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.signals.intake import SignalIntake
from sengine.engine.strategies.faults import RemoteError
from sengine.engine.strategies.trial import RolledBack
from sengine.errors import EngineError

_ROUTES: Final = ("vote", "direct")


class RemoteSignalIntake:
    """Takes ``RemoteSignals``, ``RemoteReady`` and ``RemoteRolledBack``."""

    def __init__(self, state: EngineState, intake: SignalIntake) -> None:
        self._state = state
        self._registry = state.registry
        self._intake = intake

    def on_signals(self, event: RemoteSignals) -> Outcome:
        """Like the answers of strategies in process, settled one tick's answer at a time. Never raises: an answer
        that fits no strategy is counted as an anomaly."""
        runtime = self._registry.find(event.strategy_id)
        if runtime is None or runtime.spec.max_signal_age_ns is None:
            self._state.anomalies["answer_of_no_remote_strategy"] += 1
            return NOTHING
        outcome = Outcome()
        self._intake.process_late(runtime, event, self._state.now_ns, outcome)
        return outcome

    def on_ready(self, event: RemoteReady) -> Outcome:
        """What the strategy's process runs is what the strategy is from here on. Raises ``EngineError`` for a route or
        kinds of events that there are not."""
        runtime = self._registry.get(event.strategy_id)
        try:
            kinds = tuple(DataKind(kind) for kind in event.kinds)
        except ValueError:
            kinds = ()
        if event.route not in _ROUTES or not kinds:
            raise EngineError(
                f"strategy {event.strategy_id}: expected the route vote or direct and some of {', '.join(DataKind)}, "
                f"got {event.route!r} and {list(event.kinds)!r}"
            )
        spec = msgspec.structs.replace(runtime.spec, version=event.version, route=event.route, kinds=kinds)
        config = dict(event.config) if event.config else runtime.current.config
        runtime.become(runtime.current.described_as(spec, config))
        self._registry.forget_routes()
        return NOTHING

    def on_rolled_back(self, event: RemoteRolledBack) -> Outcome:
        """The failure is counted and shown like any other, but is no step towards auto-pause: the version that made it
        is gone. Raises ``EngineError`` as ``on_ready`` does."""
        self.on_ready(event.ready)
        runtime, back = self._registry.get(event.ready.strategy_id), event.ready
        fault = runtime.fault(event.error.kind, RemoteError(event.error), self._state.now_ns)
        runtime.forgive()
        rolled_back = RolledBack(
            runtime.strategy_id, event.failed_version, back.version, event.ticks, fault.message, fault.where
        )
        outcome = Outcome()
        outcome.faults.append(fault)
        outcome.rollbacks.append(rolled_back)
        return outcome
