"""Who is in the engine: strategies by id, their lifecycle, and who is called for which symbol."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

from sengine.domain.market import DataKind, MarketData
from sengine.engine.latency import FOLD_EVERY
from sengine.engine.outcome import Outcome
from sengine.engine.state.markets import Market
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.strategies.guard import TIMEOUT, Guard, StrategyTimeout
from sengine.engine.strategies.lifecycle import State
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.swap import SwapStrategy, roll_back, swap
from sengine.errors import EngineError, LifecycleError
from sengine.strategy import BaseStrategy

Route: TypeAlias = tuple[StrategyRuntime, Callable[[MarketData], object]]


class StrategyRegistry:
    """Strategies in the order of the configuration. ``on_leave`` is told the id of each one that stops taking part.
    ``in_flight`` is asked by instances for what is in flight of a strategy on a symbol, ``*`` for all."""

    def __init__(
        self,
        max_errors: int,
        reset_after_ns: int,
        on_leave: Callable[[str], None],
        markets: Mapping[str, Market],
        guard: Guard,
        in_flight: Callable[[str, str], float] = lambda strategy_id, symbol: 0.0,
    ) -> None:
        self._in_flight = in_flight
        self._runtimes: dict[str, StrategyRuntime] = {}
        self.routes: dict[DataKind, dict[str, Sequence[Route]]] = {kind: {} for kind in DataKind}
        """Who is called, by kind and symbol; emptied in place when that changes, filled by ``routes_for``."""
        self._loaded = 0
        self.unstarted: list[tuple[StrategyRuntime, BaseException]] = []
        """Active strategies that could not be made for a symbol, and why; ``pause_unstarted`` empties it."""
        self._max_errors = max_errors
        self._reset_after_ns = reset_after_ns
        self._on_leave = on_leave
        self._markets = markets
        self._guard = guard

    def __iter__(self) -> Iterator[StrategyRuntime]:
        return iter(self._runtimes.values())

    def find(self, strategy_id: str) -> StrategyRuntime | None:
        return self._runtimes.get(strategy_id)

    def get(self, strategy_id: str) -> StrategyRuntime:
        """The runtime of that id. Raises ``EngineError`` naming those there are."""
        runtime = self._runtimes.get(strategy_id)
        if runtime is None:
            known = ", ".join(self._runtimes) or "none is loaded"
            raise EngineError(f'there is no strategy "{strategy_id}"; loaded: {known}')
        return runtime

    def load(self, spec: StrategySpec, spare: BaseStrategy | None = None, *, activate: bool = True) -> StrategyRuntime:
        """Make a strategy from its spec. Raises what its constructor or ``initialize`` raises, and ``LifecycleError``
        when the id is taken."""
        if spec.strategy_id in self._runtimes:
            state = self._runtimes[spec.strategy_id].lifecycle.state
            raise LifecycleError(f'strategy "{spec.strategy_id}" is already loaded and {state}; unload it first')
        runtime = StrategyRuntime(
            spec, self._max_errors, self._reset_after_ns, self._guard, partial(self._in_flight, spec.strategy_id)
        )
        runtime.load(spare)
        self._loaded += 1
        runtime.until_fold -= 379 * self._loaded % FOLD_EVERY
        if activate:
            runtime.lifecycle.to(State.ACTIVE)
        self._runtimes[spec.strategy_id] = runtime
        self.forget_routes()
        return runtime

    def pause(self, strategy_id: str, reason: str) -> None:
        runtime = self.get(strategy_id)
        runtime.lifecycle.to(State.PAUSED)
        runtime.pause_reason = reason
        runtime.was_paused_for_errors = False
        self._left(strategy_id)

    def resume(self, strategy_id: str) -> None:
        """Back to ACTIVE; counting towards auto-pause starts anew."""
        runtime = self.get(strategy_id)
        runtime.lifecycle.to(State.ACTIVE)
        runtime.pause_reason = ""
        runtime.was_paused_for_errors = False
        runtime.forgive()
        self.forget_routes()

    def unload(self, strategy_id: str, now_ns: int) -> list[StrategyFault]:
        """Call ``shutdown`` and forget the strategy. Returns what ``shutdown`` raised, as faults."""
        runtime = self.get(strategy_id)
        runtime.lifecycle.to(State.SHUTTING_DOWN)
        faults = self._end_trial(runtime, now_ns)
        faults += self._shut_down(runtime, runtime.current.all_instances, now_ns)
        runtime.lifecycle.to(State.UNLOADED)
        del self._runtimes[strategy_id]
        self._left(strategy_id)
        return faults

    def reload_parameters(self, strategy_id: str, config: dict[str, Any], now_ns: int) -> StrategyFault | None:
        """New parameters for a running strategy. On failure the fault is returned and nothing has changed, the
        lifecycle state included."""
        runtime = self.get(strategy_id)
        before = runtime.lifecycle.state
        runtime.lifecycle.to(State.RELOAD_PENDING)
        try:
            runtime.reload_parameters(config)
        except BaseException as error:
            self._guard.contain(error)
            return runtime.fault("reload", error, now_ns)
        finally:
            runtime.lifecycle.to(before)
        # Who gives a version new parameters means to keep it.
        self._end_trial(runtime, now_ns)
        return None

    def swap(self, command: SwapStrategy, portfolio: Portfolio, now_ns: int, tick: int, outcome: Outcome) -> None:
        """Another version of a running strategy. On failure there is a fault in ``outcome`` and nothing has changed,
        the lifecycle state included."""
        runtime = self.get(command.spec.strategy_id)
        before, trial = runtime.lifecycle.state, runtime.trial
        runtime.lifecycle.to(State.RELOAD_PENDING)
        try:
            with runtime.calling(has_patience=True):
                swap(runtime, command, self._markets, portfolio, now_ns, tick)
        except BaseException as error:
            self._guard.contain(error)
            outcome.faults.append(runtime.fault("reload", error, now_ns))
            return
        finally:
            runtime.lifecycle.to(before)
        if trial is not None:
            outcome.faults += self._shut_down(runtime, trial.before.all_instances, now_ns)
        if not command.rollback_ticks:
            outcome.faults += self._end_trial(runtime, now_ns)
        self.forget_routes()

    def end_trials(self, now_ns: int) -> list[StrategyFault]:
        """Let go of the old versions whose successors have proved themselves; what their ``shutdown`` raised."""
        return [
            fault
            for runtime in self._runtimes.values()
            if runtime.trial is not None and runtime.ticks >= runtime.trial.until
            for fault in self._end_trial(runtime, now_ns)
        ]

    def _end_trial(self, runtime: StrategyRuntime, now_ns: int) -> list[StrategyFault]:
        trial, runtime.trial = runtime.trial, None
        if trial is None:
            return []
        with self._guard.for_kept():
            return self._shut_down(runtime, trial.before.all_instances, now_ns)

    def _shut_down(
        self, runtime: StrategyRuntime, instances: Iterable[BaseStrategy], now_ns: int
    ) -> list[StrategyFault]:
        faults = []
        for instance in instances:
            try:
                with runtime.calling(has_patience=True):
                    instance.shutdown()
            except BaseException as error:
                self._guard.contain(error)
                faults.append(runtime.fault("shutdown", error, now_ns))
        return faults

    def fault(self, runtime: StrategyRuntime, kind: str, error: BaseException, now_ns: int, outcome: Outcome) -> None:
        """Count an error and report it in ``outcome``. A version on trial makes way for the one before it; a strategy
        with too many errors is paused."""
        fault = runtime.fault(kind, error, now_ns)
        outcome.faults.append(fault)
        if runtime.trial is not None and runtime.ticks <= runtime.trial.until:
            report, ended = roll_back(runtime, self._markets, fault.message, fault.where)
            outcome.rollbacks.append(report)
            outcome.faults += self._shut_down(runtime, ended, now_ns)
            self.forget_routes()
            return
        if fault.kind == TIMEOUT:
            if runtime.is_active:
                self._pause_with_notice(runtime, f"{fault.call} was {fault.message}", outcome)
        elif runtime.has_too_many_faults and runtime.is_active:
            seconds = self._reset_after_ns / 1e9
            reason = f"{self._max_errors} errors within {seconds:g} s; last: {fault.message}"
            self._pause_with_notice(runtime, reason, outcome)

    def pause_unstarted(self, now_ns: int, outcome: Outcome) -> None:
        """Pause the strategies that could not be made for a new symbol."""
        unstarted, self.unstarted = self.unstarted, []
        for runtime, error in unstarted:
            rollbacks = len(outcome.rollbacks)
            kind = "initialize" if issubclass(type(error), StrategyTimeout) else "exception"
            self.fault(runtime, kind, error, now_ns, outcome)
            if runtime.is_active and len(outcome.rollbacks) == rollbacks:
                said = outcome.faults[-1].message
                self._pause_with_notice(runtime, f"could not start for a new symbol: {said}", outcome)

    def _pause_with_notice(self, runtime: StrategyRuntime, reason: str, outcome: Outcome) -> None:
        self.pause(runtime.strategy_id, reason)
        runtime.was_paused_for_errors = True
        outcome.notices.append(f"strategy {runtime.strategy_id} paused: {reason}")

    def disable(self, strategy_id: str, reason: str, outcome: Outcome) -> None:
        """Pause a strategy that a check has disabled; only a person resumes it."""
        runtime = self._runtimes.get(strategy_id)
        if runtime is not None and runtime.is_active:
            self._pause_with_notice(runtime, reason, outcome)
            runtime.was_paused_for_errors = False

    def wants(self, symbol: str) -> bool:
        """Whether any strategy, active or not, is subscribed to the symbol."""
        return any(runtime.spec.wants(symbol) for runtime in self._runtimes.values())

    def routes_for(self, kind: DataKind, symbol: str) -> Sequence[Route]:
        """Who is called for this kind of event on this symbol, in the order of the configuration."""
        routes = self.routes[kind].get(symbol)
        if routes is None:
            routes = self.routes[kind][symbol] = [
                (runtime, on_tick)
                for runtime in self._runtimes.values()
                if runtime.is_active and runtime.spec.wants(symbol) and kind in runtime.spec.kinds
                if (on_tick := self._started(runtime, symbol)) is not None
            ]
        return routes

    def _started(self, runtime: StrategyRuntime, symbol: str) -> Callable[[MarketData], object] | None:
        """``on_tick`` of the instance for ``symbol``; where making it fails, that is noted and there is none."""
        try:
            if runtime.current.has_instance(symbol):
                # Even looking for its method can run its code.
                with self._guard.calling(runtime):
                    return runtime.to_call(symbol)
            with runtime.calling(has_patience=True):
                return runtime.to_call(symbol)
        except BaseException as error:
            self._guard.contain(error)
            self.unstarted.append((runtime, error))
            return None

    def forget_routes(self) -> None:
        """Who is called for what is to be found out anew."""
        for routes in self.routes.values():
            routes.clear()

    def _left(self, strategy_id: str) -> None:
        self.forget_routes()
        self._on_leave(strategy_id)
