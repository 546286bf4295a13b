"""A strategy inside the engine: its lifecycle, the calls into it, and what it has done and done wrong.

The version that runs, with its instances, is ``current``. Whoever calls into strategy code catches broadly, and hands
what was raised to ``fault``.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sengine.domain.events import Interrupted
from sengine.domain.market import MarketData
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews
from sengine.engine.latency import FOLD_EVERY, LatencyHistogram
from sengine.engine.strategies.faults import (
    UNSPEAKABLE,
    StrategyFault,
    answered_call,
    describe_error,
    in_words,
    place_of,
    timeout_text,
    traceback_of,
)
from sengine.engine.strategies.guard import CALL_OF_KIND, ON_TICK, SHOWING, TIMEOUT, Guard, StrategyTimeout
from sengine.engine.strategies.lifecycle import Lifecycle, State
from sengine.engine.strategies.plain_values import type_name
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.stamping import UnwantedAnswerError
from sengine.engine.strategies.trial import Trial
from sengine.engine.strategies.version import RunningVersion
from sengine.errors import PluginError
from sengine.strategy import BaseStrategy


class StrategyRuntime:
    """One configured strategy. The engine calls what ``to_call`` gives when routes are built. ``in_flight`` says what
    its orders on a symbol may still fill, or on all for ``*``."""

    def __init__(
        self,
        spec: StrategySpec,
        max_errors: int,
        reset_after_ns: int,
        guard: Guard,
        in_flight: Callable[[str], float] = lambda symbol: 0.0,
    ) -> None:
        self.strategy_id = spec.strategy_id
        self.current = RunningVersion(spec, dict(spec.config), dict(spec.config), {}, in_flight=in_flight)
        self._in_flight = in_flight
        self.is_direct = spec.route == "direct"
        self.trial: Trial | None = None
        """The version before this one, while it may still come back."""
        self.lifecycle = Lifecycle(spec.strategy_id)
        self.pause_reason = ""
        self.was_paused_for_errors = False
        self.guard = guard
        self.ticks = 0
        self.calls = 0
        """Calls into it other than ``on_tick``, those left out that no event asks for."""
        self._interrupts: list[Interrupted] = []
        self.signals = 0
        self.last_signal_ns = 0
        self.stalled_s = 0.0
        """For how long it has been without a tick, or its process without an answer, where that is too long. The edge
        sets it, and it decides nothing."""
        self.stalled_reason = ""
        self.errors: dict[str, int] = {}
        self.last_fault: StrategyFault | None = None
        self.fault_times_ns: deque[int] = deque(maxlen=max_errors)
        self._reset_after_ns = reset_after_ns
        self.on_tick_latency = LatencyHistogram(guard.tick_budget_ns)
        # Handing a tick to another process takes no time worth showing; its round trip is recorded when it ends.
        self._record_on_tick = self.on_tick_latency.record if spec.max_signal_age_ns is None else _not_timed
        self.until_fold = FOLD_EVERY
        """Samples until the latencies are folded; it starts differently for each strategy."""

    @property
    def spec(self) -> StrategySpec:
        return self.current.spec

    @property
    def config(self) -> Mapping[str, Any]:
        """The parameters in force, defaults filled in."""
        return self.current.config

    @property
    def written(self) -> Mapping[str, Any]:
        """The parameters in force as they were given."""
        return self.current.written

    @property
    def instances(self) -> Mapping[str, BaseStrategy]:
        return self.current.instances

    @property
    def is_active(self) -> bool:
        return self.lifecycle.state is State.ACTIVE

    # Calling it.

    def calling(self, *, has_patience: bool = False) -> Guard:
        """``with runtime.calling():`` around every call into the strategy that an event leads to, ``on_tick`` aside.
        Raises ``StrategyTimeout`` instead where a journal says that this call was interrupted."""
        self.begin_call()
        self.guard.has_patience = has_patience
        return self.guard

    def begin_call(self) -> None:
        """``calling`` for where a ``with`` takes too long: whoever calls ends it by ``guard.running = None``, or by
        ``guard.contain``."""
        self.calls += 1
        if self._interrupts:
            self._raise_if_interrupted("", self.calls)
        guard = self.guard
        guard.entered += 1
        guard.running = self

    def to_call(self, symbol: str) -> Callable[[MarketData], object]:
        """``on_tick`` of the instance for ``symbol``; raises what making that raises."""
        on_tick = self.current.instance_for(symbol).on_tick
        if not self._interrupts:
            return on_tick

        def on_tick_or_interrupted(data: MarketData) -> object:
            self._raise_if_interrupted(ON_TICK, self.ticks)
            return on_tick(data)

        return on_tick_or_interrupted

    def interrupt(self, event: Interrupted) -> None:
        """Have a call end as it did when the event was recorded, without making it."""
        self._interrupts.append(event)

    def _raise_if_interrupted(self, call: str, number: int) -> None:
        """``call`` is one that is counted by itself, or empty for all others."""
        for event in self._interrupts:
            if event.number == number and call == (event.call if event.call in _COUNTED_BY_THEMSELVES else ""):
                self._interrupts.remove(event)
                raise StrategyTimeout(event.message)

    def took(self, duration_ns: int) -> None:
        """Record how long a call of ``on_tick`` took."""
        self._record_on_tick(duration_ns)
        self.until_fold -= 1
        if self.until_fold <= 0:
            self.until_fold = FOLD_EVERY
            self.on_tick_latency.fold()

    def load(self, spare: BaseStrategy | None = None) -> None:
        """UNLOADED to INITIALIZED, with ``spare`` as the first instance. Raises what making one raises, as
        ``PluginError`` where that is no ``Exception``; the runtime is then UNLOADED again."""
        current, spec = self.current, self.spec
        self.lifecycle.to(State.LOADING)
        try:
            with self.calling(has_patience=True):
                current.spare = spare or spec.create()
                current.config = spec.prepare(dict(spec.config))[1]
        except BaseException as error:
            self.lifecycle.to(State.UNLOADED)
            self.guard.contain(error)
            if isinstance(error, Exception):
                raise
            message, _ = in_words(self.guard, self, error)
            raise PluginError(f"{place_of(error, current)}: {self.strategy_id} could not start: {message}") from error
        self.lifecycle.to(State.INITIALIZED)

    def fill(self, share: Fill) -> None:
        """Tell the instance that trades the fill's symbol about its share; and that of the version before, where that
        may still come back. What it raises is for ``guard.contain``."""
        self._hand_over("on_fill", share)

    @property
    def hears_of_orders(self) -> bool:
        """Whether there is anybody to ``tell``: a version that overrides ``on_order``."""
        versions = (self.current,) if self.trial is None else (self.current, self.trial.before)
        if any(version.is_told is None for version in versions):
            try:
                with self.guard.calling(self):
                    return any(version.hears_of_orders for version in versions)
            except BaseException as error:
                self.guard.contain(error)
        return any(version.is_told for version in versions)

    def tell(self, news: OrderNews) -> None:
        """Tell the instance that trades the symbol what became of a signal or an order, as ``fill`` does."""
        self._hand_over("on_order", news)

    def _hand_over(self, call: str, what: Fill | OrderNews) -> None:
        self.begin_call()
        if self.trial is not None:
            before = self.trial.before
            old = before.instances.get(before.key_of(what.symbol))
            if old is not None:
                with self.guard.for_kept(), contextlib.suppress(Exception, SystemExit):
                    getattr(old, call)(what)
        said = getattr(self.current.instance_for(what.symbol), call)(what)
        if said is not None:
            raise UnwantedAnswerError(call, type_name(type(said)))
        self.guard.running = None

    def reload_parameters(self, config: dict[str, Any]) -> None:
        """Validate ``config`` and hand it to every instance. Whatever raises, the old parameters are back in force."""
        with self.calling(has_patience=True):
            self.current.give_parameters(config)

    # From one version to another.

    def become(self, version: RunningVersion) -> None:
        """Go on as ``version`` says."""
        version.introduce(self._in_flight)
        self.current, self.is_direct = version, version.spec.route == "direct"

    def swap(self, version: RunningVersion, since_tick: int, rollback_ticks: int) -> None:
        """Go on with other code. What ran until now is on hand as ``trial``."""
        self.trial = Trial(self.current, since_tick, self.ticks, self.ticks + rollback_ticks)
        self.become(version)

    def roll_back(self, trial: Trial) -> Sequence[BaseStrategy]:
        """Go on with the version on hand; the instances that this ends."""
        ended = self.current.all_instances
        self.trial = None
        self.become(trial.before)
        return ended

    # What it does wrong.

    def fault(self, kind: str, error: BaseException, timestamp_ns: int) -> StrategyFault:
        """Count an error against this strategy and say where in its file it was. An error whose text takes too long is
        a call that does."""
        call = answered_call(error) or CALL_OF_KIND.get(kind, kind)
        number = self.ticks if call == ON_TICK else self.calls
        if issubclass(type(error), StrategyTimeout):
            kind = TIMEOUT
        shown, trace = "", ""
        try:
            # Showing an error runs code of its author.
            with self.guard.calling(self):
                if self._interrupts:
                    self._raise_if_interrupted(SHOWING, self._faults + 1)
                shown, trace = describe_error(error), traceback_of(error)
        except BaseException as worse:
            self.guard.contain(worse)
            if type(worse) is StrategyTimeout:
                kind, call, number, shown = TIMEOUT, SHOWING, self._faults + 1, timeout_text(worse)
            else:
                shown = shown or f"{type_name(type(error))}: {UNSPEAKABLE}"
        place = place_of(error, self.current)
        fault = StrategyFault(self.strategy_id, kind, shown, place, timestamp_ns, trace, call, number)
        self.recall(fault)
        return fault

    @property
    def _faults(self) -> int:
        return sum(self.errors.values())

    def recall(self, fault: StrategyFault) -> None:
        """Count an error that is described already."""
        self.errors[fault.kind] = self.errors.get(fault.kind, 0) + 1
        self.last_fault = fault
        self.fault_times_ns.append(fault.timestamp_ns)

    @property
    def has_too_many_faults(self) -> bool:
        """``max_errors`` or more within ``reset_after`` of event time."""
        times = self.fault_times_ns
        return len(times) == times.maxlen and times[-1] - times[0] < self._reset_after_ns

    def forgive(self) -> None:
        """Start counting towards auto-pause anew, as after a person resumed the strategy."""
        self.fault_times_ns.clear()


_COUNTED_BY_THEMSELVES: Final = (ON_TICK, SHOWING)


def _not_timed(duration_ns: int) -> None:
    pass
