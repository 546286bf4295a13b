"""From what strategies answered to settled signals: steps 5 to 10 of a tick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from sengine.clock import NS_PER_MS
from sengine.domain.events import RemoteSignals, ReportedError
from sengine.domain.market import EMPTY_BOOK, MarketData
from sengine.domain.signal import Disposition, Signal, SignalResult, StampedSignal
from sengine.engine.engine_state import EngineState
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.outcome import Outcome
from sengine.engine.signals.decisions import OrderDecider
from sengine.engine.strategies.faults import RemoteError
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.stamping import several, stamp

Answer: TypeAlias = tuple[StrategyRuntime, object]
SIGNAL_AGE: Final = "signal_age"


class Raised:
    """What stands for an answer when a strategy raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class SignalIntake:
    """Stamps signals, has them settled, and counts how they ended."""

    def __init__(self, state: EngineState, flow: OrderFlow, decider: OrderDecider) -> None:
        self._state = state
        self._registry = state.registry
        self._votes = state.votes
        self._flow = flow
        self._decider = decider

    def process(self, answers: Sequence[Answer], data: MarketData, outcome: Outcome) -> None:
        """Everything that the strategies answered to one tick, in the order of the configuration."""
        if self._state.is_following:
            return
        direct: list[StampedSignal] = []
        voting: list[StampedSignal] = []
        for runtime, answer in answers:
            if type(answer) is Raised:
                self._registry.fault(runtime, "exception", answer.error, data.timestamp_ns, outcome)
            else:
                self._stamp(runtime, answer, data, direct if runtime.is_direct else voting, outcome)
        if direct or voting:
            self._settle(direct, voting, data.timestamp_ns, outcome)
            self._flow.news.tell(outcome, data.timestamp_ns)

    def process_late(self, runtime: StrategyRuntime, said: RemoteSignals, now_ns: int, outcome: Outcome) -> None:
        """What a strategy in another process answered to an earlier tick. Too late, its signals are ``filtered``."""
        if self._state.is_following:
            return
        self._state.risk_view.late_ns = said.late_ns
        fresh: list[StampedSignal] = []
        tick = MarketData(said.symbol, said.timestamp_ns, EMPTY_BOOK)
        self._stamp(runtime, (*said.signals, *said.errors), tick, fresh, outcome)
        age_ns, most_ns = now_ns - said.timestamp_ns, runtime.spec.max_signal_age_ns
        if not fresh:
            return
        if not runtime.is_active:
            # Paused by its own errors in this answer, or since the tick: nobody would have asked it.
            results = [
                _refused(signal, "strategy_not_active", "its strategy is not active any more") for signal in fresh
            ]
        elif most_ns is not None and age_ns > most_ns:
            reason = f"answers a tick of {age_ns / NS_PER_MS:g} ms ago; max_signal_age_ms is {most_ns / NS_PER_MS:g}"
            results = [_refused(signal, "signal_too_old", reason) for signal in fresh]
        else:
            direct, voting = (fresh, []) if runtime.is_direct else ([], fresh)
            self._settle(direct, voting, now_ns, outcome)
            self._flow.news.tell(outcome, now_ns)
            return
        self._count(results, now_ns, outcome)
        self._flow.news.tell(outcome, now_ns)

    def _stamp(
        self, runtime: StrategyRuntime, answer: object, data: MarketData, fresh: list[StampedSignal], outcome: Outcome
    ) -> None:
        """Make one signal, or a list or tuple of them, the engine's own."""
        signals = (answer,) if type(answer) is Signal else self._each(runtime, answer, data, outcome)
        for signal in signals:
            if type(signal) is ReportedError:
                reported = RemoteError(signal)
                self._registry.fault(runtime, reported.kind, reported, data.timestamp_ns, outcome)
                continue
            try:
                runtime.begin_call()
                stamped = stamp(runtime.current.spec, signal, data, self._state.signals + 1)
                runtime.guard.running = None
            # Reading what strategy code made can raise anything: arrays for numbers, texts with methods of their own.
            except BaseException as error:
                runtime.guard.contain(error)
                kind = "invalid_signal" if issubclass(type(signal), Signal) else "bad_return"
                self._registry.fault(runtime, kind, error, data.timestamp_ns, outcome)
                continue
            self._state.signals += 1
            runtime.signals += 1
            runtime.last_signal_ns = data.timestamp_ns
            fresh.append(stamped)

    def _each(self, runtime: StrategyRuntime, answer: object, data: MarketData, outcome: Outcome) -> Sequence[object]:
        """What a list or tuple holds, read without its author's code; anything else is one thing."""
        kind = type(answer)
        if not issubclass(kind, list | tuple):
            return (answer,)
        try:
            with runtime.calling():
                return several(answer)
        except BaseException as error:
            runtime.guard.contain(error)
            self._registry.fault(runtime, "bad_return", error, data.timestamp_ns, outcome)
            return ()

    def _settle(
        self, direct: Sequence[StampedSignal], voting: Sequence[StampedSignal], now_ns: int, outcome: Outcome
    ) -> None:
        self._flow.begin(outcome, now_ns)
        self._count(self._decider.settle(direct, voting, now_ns), now_ns, outcome)
        if self._decider.disabled:
            for strategy_id, reason in self._decider.disabled.items():
                self._registry.disable(strategy_id, reason, outcome)
            self._decider.disabled.clear()
        for fault in outcome.faults:
            # One that was paused in this very event has cast its vote after it left.
            runtime = self._registry.find(fault.strategy_id)
            if runtime is None or not runtime.is_active:
                self._votes.withdraw(fault.strategy_id)

    def _count(self, results: Sequence[SignalResult], now_ns: int, outcome: Outcome) -> None:
        state = self._state
        for settled in results:
            state.dispositions[settled.disposition] += 1
            if settled.check:
                state.filtered_by[settled.check] += 1
        outcome.signals.extend(results)
        self._flow.news.of_signals(results, outcome.orders, now_ns)


def _refused(signal: StampedSignal, code: str, reason: str) -> SignalResult:
    return SignalResult(signal, Disposition.FILTERED, SIGNAL_AGE, code, reason)
