"""A strategy inside the engine: its instances, its lifecycle, and what it has done and done wrong.

This is the only place that calls into strategy code, and one of the two places that catch broadly.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from math import isfinite
from traceback import extract_tb, format_exception
from typing import Any

import msgspec

from sengine.domain.events import Interrupted, ReportedError
from sengine.domain.market import MarketData
from sengine.domain.order import Fill
from sengine.domain.signal import Direction, Signal, StampedSignal
from sengine.engine.guard import CALL_OF_KIND, ON_TICK, TIMEOUT, Guard, StrategyTimeout
from sengine.engine.latency import LatencyHistogram
from sengine.engine.lifecycle import Lifecycle, State
from sengine.engine.recent import ANY_SYMBOL
from sengine.engine.spec import StrategySpec as StrategySpec
from sengine.engine.trial import Trial
from sengine.errors import PluginError
from sengine.strategy import BaseStrategy

# Latency histograms are brought up to date when nothing else waits (``Engine.fold_next``), at the latest every 8,192 of
# their samples; strategies take turns, so that the work never falls on one tick.
FOLD_EVERY = 8192
_DIRECTIONS = {
    text: direction
    for direction in (Direction.LONG, Direction.SHORT, Direction.CLOSE)
    for text in (direction.value, direction.value.lower())
}


class StrategyFault(msgspec.Struct, frozen=True):
    """One thing that a strategy did wrong. ``kind`` is the metric label; ``where`` is ``file:line`` when known.
    ``call`` and ``number`` say in which call: of ``on_tick`` the how many-th, of any other among all others."""

    strategy_id: str
    kind: str
    message: str
    where: str
    timestamp_ns: int
    traceback: str = ""
    call: str = ""
    number: int = 0


class InstanceState(msgspec.Struct, frozen=True):
    """An instance of a strategy in a checkpoint: what it declared of itself, under which version."""

    state: Any
    version: int
    position: float


class GuestState(msgspec.Struct, frozen=True):
    """A strategy in a checkpoint. ``instances`` is by symbol; ``fault_times_ns`` count towards auto-pause."""

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


class InvalidSignalError(Exception):
    """A strategy returned something that is not a valid signal; the message says what."""


class RemoteError(Exception):
    """What the process of a remote strategy reported."""

    def __init__(self, error: ReportedError) -> None:
        super().__init__(error.message)
        self.where = error.where
        self.traceback = error.traceback


class Guest:
    """One configured strategy. The engine calls ``instance_for`` when routes are built and ``stamp`` on signals."""

    def __init__(self, spec: StrategySpec, max_errors: int, reset_after_ns: int, guard: Guard) -> None:
        self.spec = spec
        self.strategy_id = spec.strategy_id
        self.config: dict[str, Any] = dict(spec.config)
        self.written: dict[str, Any] = dict(spec.config)
        """The configuration in force as it was given; ``config`` has defaults filled in."""
        self.is_direct = spec.route == "direct"
        self.lifecycle = Lifecycle(spec.strategy_id)
        self.instances: dict[str, BaseStrategy] = {}
        self.on_tick_latency = LatencyHistogram(guard.tick_budget_ns)
        # Handing a tick to another process takes no time worth showing; its round trip is recorded when it ends.
        self._record_on_tick = self.on_tick_latency.record if spec.max_signal_age_ns is None else _not_timed
        self.until_fold = FOLD_EVERY
        """Samples until the latencies are folded; it starts differently for each strategy."""
        self.guard = guard
        self.ticks = 0
        self.calls = 0
        """Calls into it other than ``on_tick``, those left out that no event asks for."""
        self._interrupts: list[Interrupted] = []
        self.signals = 0
        self.last_signal_ns = 0
        self.errors: dict[str, int] = {}
        self.last_fault: StrategyFault | None = None
        self.pause_reason = ""
        self.was_paused_for_errors = False
        self.stalled_s = 0.0
        """For how long it has had no tick, where that is too long. The edge sets it, and it decides nothing."""
        self._reset_after_ns = reset_after_ns
        self._fault_times_ns: deque[int] = deque(maxlen=max_errors)
        self._spare: BaseStrategy | None = None
        self._reloaded: tuple[Any, dict[str, Any]] | None = None
        self.trial: Trial | None = None
        """The version before this one, while it may still come back."""

    def load(self, spare: BaseStrategy | None = None) -> None:
        """UNLOADED to INITIALIZED, with ``spare`` as the first instance. Raises what making one raises, as
        ``PluginError`` where that is no ``Exception``; the guest is then UNLOADED again."""
        self.lifecycle.to(State.LOADING)
        try:
            with self.calling(has_patience=True):
                self._spare = spare or self.spec.create()
                self.config = self.spec.prepare(dict(self.spec.config))[1]
        except BaseException as error:
            self.lifecycle.to(State.UNLOADED)
            self.guard.contain(error)
            if isinstance(error, Exception):
                raise
            raise PluginError(
                f"{self._where(error)}: {self.strategy_id} could not start: {describe_error(error)}"
            ) from error
        self.lifecycle.to(State.INITIALIZED)

    @property
    def is_active(self) -> bool:
        return self.lifecycle.state is State.ACTIVE

    def wants(self, symbol: str) -> bool:
        return symbol in self.spec.symbols or ANY_SYMBOL in self.spec.symbols

    @staticmethod
    def key_of(symbol: str, spec: StrategySpec) -> str:
        """Which instance trades ``symbol``."""
        return symbol if spec.one_instance_per_symbol else ANY_SYMBOL

    def instance_for(self, symbol: str) -> BaseStrategy:
        """The instance that trades ``symbol``, made on first need."""
        key = self.key_of(symbol, self.spec)
        instance = self.instances.get(key)
        if instance is None:
            instance, self._spare = self._spare or self._new_instance(), None
            self.instances[key] = instance
        return instance

    def has_instance(self, symbol: str) -> bool:
        return self.key_of(symbol, self.spec) in self.instances

    def _new_instance(self) -> BaseStrategy:
        """One more instance, with the parameters in force now."""
        instance = self.spec.create()
        if self._reloaded is not None:
            instance.params = self._reloaded[0]
            instance.hot_reload(self._reloaded[1])
        return instance

    def calling(self, *, has_patience: bool = False) -> Guard:
        """``with guest.calling():`` around every call into the strategy that an event leads to, ``on_tick`` aside.
        Raises ``StrategyTimeout`` instead where a journal says that this call was interrupted."""
        self.calls += 1
        self._raise_if_interrupted(False, self.calls)
        return self.guard.calling(self, has_patience=has_patience)

    def to_call(self, symbol: str) -> Callable[[MarketData], object]:
        """``on_tick`` of the instance for ``symbol``; raises what making that raises."""
        on_tick = self.instance_for(symbol).on_tick
        if not self._interrupts:
            return on_tick

        def on_tick_or_interrupted(data: MarketData) -> object:
            self._raise_if_interrupted(True, self.ticks)
            return on_tick(data)

        return on_tick_or_interrupted

    def interrupt(self, event: Interrupted) -> None:
        """Have a call end as it did when the event was recorded, without making it."""
        self._interrupts.append(event)

    def _raise_if_interrupted(self, is_tick: bool, number: int) -> None:
        for event in self._interrupts:
            if event.number == number and (event.call == ON_TICK) == is_tick:
                self._interrupts.remove(event)
                raise StrategyTimeout(event.message)

    def took(self, duration_ns: int) -> None:
        """Record how long a call of ``on_tick`` took."""
        self._record_on_tick(duration_ns)
        self.until_fold -= 1
        if self.until_fold <= 0:
            self.until_fold = FOLD_EVERY
            self.on_tick_latency.fold()

    def all_instances(self) -> Sequence[BaseStrategy]:
        return tuple(self.instances.values()) or ((self._spare,) if self._spare is not None else ())

    def stamp(self, signal: object, data: MarketData, sequence: int) -> StampedSignal:
        """Make a strategy's signal the engine's: author and event time set, everything checked.

        Raises ``InvalidSignalError`` with a sentence on what is wrong.
        """
        if not isinstance(signal, Signal):
            raise InvalidSignalError(f"on_tick must return Signal, several or None, got {type(signal).__name__}")
        try:
            direction = _DIRECTIONS[signal.direction]
        except (KeyError, TypeError):
            raise InvalidSignalError(f"direction must be LONG, SHORT or CLOSE, got {signal.direction!r}") from None
        symbol = signal.symbol or data.symbol
        if symbol != data.symbol and not (isinstance(symbol, str) and self.wants(symbol)):
            raise InvalidSignalError(f"symbol must be one that the strategy is subscribed to, got {symbol!r}")
        confidence = signal.confidence if type(signal.confidence) is float else _number("confidence", signal.confidence)
        if not 0.0 <= confidence <= 1.0:
            raise InvalidSignalError(f"confidence must be from 0 to 1, got {signal.confidence!r}")
        size = signal.size if type(signal.size) is float else _number("size", signal.size or 0.0)
        if not (size >= 0.0 and isfinite(size)):
            raise InvalidSignalError(f"size must be finite and >= 0, got {signal.size!r}")
        limit_price = signal.limit_price
        if limit_price is not None:
            limit_price = _number("limit_price", limit_price)
            if not (limit_price > 0.0 and isfinite(limit_price)):
                raise InvalidSignalError(f"limit_price must be finite and > 0, got {signal.limit_price!r}")
            if self.spec.route != "direct":
                raise InvalidSignalError("limit_price needs route: direct, because votes are summed into market orders")
        return StampedSignal(
            sequence,
            self.strategy_id,
            symbol,
            direction,
            confidence,
            size or self.spec.default_size,
            data.timestamp_ns,
            limit_price,
            signal.metadata,
        )

    def fill(self, share: Fill) -> None:
        """Tell the instance that trades the fill's symbol about its share."""
        with self.calling():
            if self.trial is not None:
                self._fill_old(self.trial, share)
            self.instance_for(share.symbol).on_fill(share)

    def _fill_old(self, trial: Trial, share: Fill) -> None:
        old = trial.instances.get(self.key_of(share.symbol, trial.spec))
        if old is not None:
            with contextlib.suppress(Exception, SystemExit):
                old.on_fill(share)

    def reload_parameters(self, config: dict[str, Any]) -> None:
        """Validate ``config`` and hand it to every instance. Whatever raises, the old parameters are back in force."""
        with self.calling(has_patience=True):
            self._give_parameters(config)

    def _give_parameters(self, config: dict[str, Any]) -> None:
        prepared = self.spec.prepare(config)
        reloaded: list[tuple[BaseStrategy, Any]] = []
        try:
            for instance in self.all_instances():
                reloaded.append((instance, instance.params))
                instance.params = prepared[0]
                instance.hot_reload(prepared[1])
        except BaseException:
            for instance, params in reloaded:
                instance.params = params
                instance.hot_reload(self.config)
            raise
        self.config, self.written = prepared[1], config
        self._reloaded = prepared

    def swap(
        self,
        spec: StrategySpec,
        config: dict[str, Any],
        instances: dict[str, BaseStrategy],
        since_tick: int,
        rollback_ticks: int,
    ) -> None:
        """Go on with other code. What ran until now is on hand as ``trial``."""
        self.trial = Trial(
            self.spec,
            self.config,
            self.written,
            self.instances,
            self._spare,
            self._reloaded,
            since_tick,
            self.ticks,
            self.ticks + rollback_ticks,
        )
        self._run(spec, config, dict(spec.config), instances, None, None)

    def roll_back(self, trial: Trial) -> Sequence[BaseStrategy]:
        """Go on with the version on hand; the instances that this ends."""
        ended = self.all_instances()
        self.trial = None
        self._run(trial.spec, trial.config, trial.written, trial.instances, trial.spare, trial.reloaded)
        return ended

    def _run(
        self,
        spec: StrategySpec,
        config: dict[str, Any],
        written: dict[str, Any],
        instances: dict[str, BaseStrategy],
        spare: BaseStrategy | None,
        reloaded: tuple[Any, dict[str, Any]] | None,
    ) -> None:
        self.spec, self.is_direct = spec, spec.route == "direct"
        self.config, self.written = config, written
        self.instances, self._spare, self._reloaded = instances, spare, reloaded

    def state(self) -> GuestState:
        """This strategy, for a checkpoint. What ``export_state`` raises counts as declaring nothing."""
        return GuestState(
            self.strategy_id,
            self.lifecycle.state,
            self.pause_reason,
            self.ticks,
            self.calls,
            self.signals,
            self.last_signal_ns,
            dict(self.errors),
            list(self._fault_times_ns),
            self.last_fault,
            {symbol: _exported(instance) for symbol, instance in self.instances.items()},
            self.was_paused_for_errors,
        )

    def restore(self, state: GuestState) -> None:
        """Take up a checkpoint's counts and instances; the lifecycle is the roster's business. Raises what
        ``import_state`` raises."""
        self.pause_reason = state.pause_reason
        self.ticks, self.signals, self.last_signal_ns = state.ticks, state.signals, state.last_signal_ns
        self.errors = dict(state.errors)
        self._fault_times_ns.extend(state.fault_times_ns)
        self.last_fault = state.last_fault
        for symbol, kept in state.instances.items():
            # One instance for all, or one for each symbol: the file says which, and it may have changed.
            if self.spec.one_instance_per_symbol is (symbol != ANY_SYMBOL):
                instance = self.instance_for(symbol)
                instance.position = kept.position
                if kept.state is not None:
                    instance.import_state(kept.state, kept.version)
        self.calls = state.calls

    def fault(self, kind: str, error: BaseException, timestamp_ns: int) -> StrategyFault:
        """Count an error against this strategy and say where in its file it was."""
        try:
            # Showing an error runs code of its author.
            with self.guard.calling(self):
                message = describe_error(error)
                trace = error.traceback if isinstance(error, RemoteError) else "".join(format_exception(error))
        except BaseException as worse:
            self.guard.contain(worse)
            message, trace = f"{type(error).__name__}: its message cannot be shown", ""
        call = CALL_OF_KIND.get(kind, kind)
        if isinstance(error, StrategyTimeout):
            kind = TIMEOUT
        fault = StrategyFault(
            self.strategy_id,
            kind,
            message,
            self._where(error),
            timestamp_ns,
            trace,
            call,
            self.ticks if call == ON_TICK else self.calls,
        )
        self.recall(fault)
        return fault

    def recall(self, fault: StrategyFault) -> None:
        """Count an error that is described already."""
        self.errors[fault.kind] = self.errors.get(fault.kind, 0) + 1
        self.last_fault = fault
        self._fault_times_ns.append(fault.timestamp_ns)

    @property
    def has_too_many_faults(self) -> bool:
        """``max_errors`` or more within ``reset_after`` of event time."""
        times = self._fault_times_ns
        return len(times) == times.maxlen and times[-1] - times[0] < self._reset_after_ns

    def forgive(self) -> None:
        """Start counting towards auto-pause anew, as after a person resumed the strategy."""
        self._fault_times_ns.clear()

    def _where(self, error: BaseException) -> str:
        """The innermost line of the strategy's own file; for what never left the engine, where ``on_tick`` begins."""
        if isinstance(error, RemoteError):
            return error.where
        frames = extract_tb(error.__traceback__)
        for frame in reversed(frames):
            if frame.filename == self.spec.source:
                return f"{frame.filename}:{frame.lineno}"
        for instance in self.all_instances():
            code = getattr(type(instance).on_tick, "__code__", None)
            if code is not None and code.co_filename == self.spec.source:
                return f"{code.co_filename}:{code.co_firstlineno}"
        return self.spec.source


def _exported(instance: BaseStrategy) -> InstanceState:
    try:
        state = msgspec.to_builtins(instance.export_state())
        position = float(instance.position)
    except (Exception, SystemExit):
        state, position = None, 0.0
    return InstanceState(state, instance.state_version, position)


def describe_error(error: BaseException) -> str:
    """The error's type and message; the message alone where the engine itself, or a strategy's host, wrote it."""
    try:
        text = str(error)
    except Exception:
        text = "its message cannot be shown"
    is_sentence = isinstance(error, InvalidSignalError | RemoteError | StrategyTimeout)
    return text if is_sentence else f"{type(error).__name__}: {text}"


def _not_timed(duration_ns: int) -> None:
    pass


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        try:
            # NumPy scalars are numbers to their author.
            return float(value.item())  # type: ignore[attr-defined]
        except (AttributeError, TypeError, ValueError):
            raise InvalidSignalError(f"{name} must be a number, got {value!r}") from None
    return float(value)
