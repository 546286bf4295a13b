"""Operators' commands, one handler each: what they change in the engine, and what they refuse to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sengine.domain.events import (
    CancelOrder,
    ChangeAggregation,
    Flatten,
    Interrupted,
    KillSwitch,
    PauseStrategy,
    Rearm,
    ReloadParameters,
    ResumeStrategy,
    Shutdown,
    UnloadStrategy,
)
from sengine.engine.engine_state import EngineState
from sengine.engine.orders.flatten import Flattener
from sengine.engine.orders.flatten_plan import FlattenPlan
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.signals.aggregation import METHODS
from sengine.engine.strategies.lifecycle import State
from sengine.engine.strategies.spec import LoadStrategy
from sengine.engine.strategies.swap import SwapStrategy
from sengine.errors import EngineError, LimitError


class CommandHandler:
    """Carries commands out. Each raises ``LifecycleError``, ``LimitError`` or ``EngineError`` for what cannot be done,
    and has changed nothing then."""

    def __init__(self, state: EngineState, flow: OrderFlow, flattener: Flattener) -> None:
        self._state = state
        self._registry = state.registry
        self._orders = state.orders
        self._markets = state.markets
        self._flow = flow
        self._flattener = flattener
        self.handlers: dict[type, Callable[[Any], Outcome]] = {
            PauseStrategy: self._pause,
            ResumeStrategy: self._resume,
            UnloadStrategy: self._unload,
            ReloadParameters: self._reload_parameters,
            LoadStrategy: self._load,
            SwapStrategy: self._swap,
            KillSwitch: self._kill,
            Rearm: self._rearm,
            ChangeAggregation: self._change_aggregation,
            Flatten: self._flatten,
            CancelOrder: self._cancel_order,
            ChangeLimits: self._change_limits,
            Shutdown: self._shutdown,
            Interrupted: self._interrupted,
        }

    def _pause(self, command: PauseStrategy) -> Outcome:
        self._registry.pause(command.strategy_id, command.reason)
        return NOTHING

    def _resume(self, command: ResumeStrategy) -> Outcome:
        self._registry.resume(command.strategy_id)
        self._state.record.forgive(command.strategy_id)
        return NOTHING

    def _load(self, command: LoadStrategy) -> Outcome:
        self._registry.load(command.spec, command.spare)
        self._state.route_anew()
        return NOTHING

    def _unload(self, command: UnloadStrategy) -> Outcome:
        outcome = Outcome()
        outcome.faults.extend(self._registry.unload(command.strategy_id, self._state.now_ns))
        self._state.route_anew()
        return outcome

    def _reload_parameters(self, command: ReloadParameters) -> Outcome:
        outcome = Outcome()
        fault = self._registry.reload_parameters(command.strategy_id, command.config, self._state.now_ns)
        if fault is not None:
            outcome.faults.append(fault)
        return outcome

    def _swap(self, command: SwapStrategy) -> Outcome:
        outcome = Outcome()
        state = self._state
        self._registry.swap(command, state.portfolio, state.now_ns, state.ticks, outcome)
        self._state.route_anew()
        return outcome

    def _interrupted(self, event: Interrupted) -> Outcome:
        runtime = self._registry.get(event.strategy_id)
        runtime.interrupt(event)
        self._registry.forget_routes()
        return NOTHING

    def _kill(self, command: KillSwitch) -> Outcome:
        outcome = Outcome()
        self._state.kill_reason = command.reason or "no reason given"
        self._flow.begin(outcome, self._state.now_ns)
        self._flow.cancel_all()
        outcome.notices.append(
            f"kill switch pulled: {self._state.kill_reason}; {len(outcome.cancels)} orders to cancel"
        )
        given_up = self._flattener.give_up()
        if given_up:
            outcome.notices.append(f"the kill switch ends the flatten of {given_up} positions; flatten again")
        self._flow.news.tell(outcome, self._state.now_ns)
        return outcome

    def _rearm(self, command: Rearm) -> Outcome:
        outcome = Outcome()
        if self._state.kill_reason:
            outcome.notices.append(f"re-armed; the kill switch had been pulled: {self._state.kill_reason}")
            self._state.kill_reason = ""
        return outcome

    def flatten_plan(self, strategy_id: str = "", symbol: str = "") -> FlattenPlan:
        """What ``Flatten`` with these names would do now. Raises ``EngineError`` for names that mean nothing here."""
        if not self._flattener.knows(strategy_id, symbol):
            if strategy_id:
                self._registry.get(strategy_id)
            if symbol and symbol not in self._markets:
                known = ", ".join(list(self._markets)[:20]) or "none has arrived yet"
                raise EngineError(f'there is no market data of "{symbol}"; symbols: {known}')
        return self._flattener.plan(strategy_id, symbol)

    def _change_aggregation(self, command: ChangeAggregation) -> Outcome:
        if command.method not in METHODS or command.window_ns <= 0:
            raise EngineError(
                f"aggregation: expected one of {', '.join(METHODS)} and a window above 0, "
                f"got {command.method} and {command.window_ns} ns"
            )
        votes = self._state.votes
        votes.method, votes.window_ns = command.method, command.window_ns
        return Outcome()

    def _flatten(self, command: Flatten) -> Outcome:
        self.flatten_plan(command.strategy_id, command.symbol)
        outcome = Outcome()
        plan = self._flattener.begin(command.strategy_id, command.symbol, outcome, self._state.now_ns)
        scope = " ".join(filter(None, (command.strategy_id, command.symbol))) or "everything"
        said = plan.in_words
        if self._flow.is_simulated or not said:
            # An execution service has not had time to answer; the simulated venue has answered.
            said = "; ".join(filter(None, (said, self._flattener.waits_for(command.strategy_id, command.symbol))))
        outcome.notices.append(f"flatten of {scope} ({command.reason}): {said or 'nothing to do'}")
        self._flow.news.tell(outcome, self._state.now_ns)
        return outcome

    def _cancel_order(self, command: CancelOrder) -> Outcome:
        if not self._orders.is_open(command.order_id):
            raise EngineError(f'no order "{command.order_id}" is open')
        outcome = Outcome()
        self._flow.begin(outcome, self._state.now_ns)
        self._flow.cancel(command.order_id)
        self._flow.news.tell(outcome, self._state.now_ns)
        return outcome

    def _change_limits(self, command: ChangeLimits) -> Outcome:
        risk = self._state.risk
        looser = risk.loosened_by(command.limits, command.bypass)
        if looser and not command.allow_loosening:
            raise LimitError(
                f"the limits stay as they are, because these would be looser: {'; '.join(looser)}; "
                "loosen them on purpose with `sengine reload --risk --allow-loosening`"
            )
        risk.change(command.limits, command.bypass)
        risk.loosened.extend(looser)
        outcome = Outcome()
        outcome.notices.extend([f"limit loosened: {each}" for each in looser])
        return outcome

    def _shutdown(self, command: Shutdown) -> Outcome:
        outcome = Outcome()
        if command.cancel_orders:
            self._flow.begin(outcome, self._state.now_ns)
            self._flow.cancel_all()
            self._flow.news.tell(outcome, self._state.now_ns)
        for runtime in list(self._registry):
            if runtime.lifecycle.state is not State.SHUTTING_DOWN:
                outcome.faults.extend(self._registry.unload(runtime.strategy_id, self._state.now_ns))
        for market in self._markets.values():
            market.routed = False
        self._state.is_shut_down = True
        return outcome
