"""A strategy run alone over some market data, to see what it says: up to the first thing that it does wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import islice, zip_longest
from typing import Any, TypeAlias

import msgspec

from sengine.clock import NS_PER_S, format_timestamp
from sengine.domain.events import MarketEvent, ReportedError
from sengine.domain.market import MarketData
from sengine.domain.signal import StampedSignal
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.recent_ticks import ANY_SYMBOL, recent_ticks
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.faults import RemoteError, in_words, place_of
from sengine.engine.strategies.guard import ON_TICK, Guard, Loading
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.stamping import several, stamp
from sengine.engine.strategies.swap import SwapStrategy, Warmed
from sengine.engine.strategies.version import RunningVersion
from sengine.engine.strategies.windows import lost_in_words, sizes_of

Limit: TypeAlias = Callable[[Guard], AbstractContextManager[None]]
"""Cuts calls under this guard short that take too long, while it is entered."""


class Said(msgspec.Struct, frozen=True):
    """What a strategy said to one tick, as text that compares exactly. ``tick`` counts from 1."""

    tick: int
    timestamp_ns: int
    symbol: str
    words: str


class Failure(msgspec.Struct, frozen=True):
    """What it did wrong: ``said`` has the tick and the message. ``place`` is empty where nobody knows it."""

    said: Said
    call: str
    place: str

    def sentence(self, place: str = "") -> str:
        """``place`` stands in for one that is not known."""
        said, at = self.said, self.place or place
        when = f"tick {said.tick} ({said.symbol}, {format_timestamp(said.timestamp_ns)})"
        return f"{f'{at}: ' if at else ''}{self.call} at {when}: {' '.join(said.words.split())}"


class Reload(msgspec.Struct, frozen=True):
    """After the first ``at`` events new instances take over, shown the last ``warmup_ticks`` ticks of each."""

    at: int
    warmup_ticks: int


class CheckedRun(msgspec.Struct):
    """What it ``said``; the last of that is what it did wrong, where it did. ``events`` is how many there were,
    ``ticks`` how many calls of ``on_tick``. After a reload ``was_longer`` tells whether an instance had seen more than
    its successor was shown, and ``lost`` which windows are shorter than they were, in words."""

    said: list[Said] = []
    failure: Failure | None = None
    events: int = 0
    ticks: int = 0
    was_longer: bool = False
    lost: str = ""

    def fail(self, said: Said, call: str, place: str) -> None:
        self.said.append(said)
        self.failure = Failure(said, call, place)


def unlimited(guard: Guard) -> AbstractContextManager[None]:
    return nullcontext()


def run(
    spec: StrategySpec, events: Iterable[MarketEvent], limit: Limit = unlimited, reload: Reload | None = None
) -> CheckedRun:
    """The strategy alone in an engine of its own, its orders filled at once at the touch; with a ``reload`` of the same
    code on the way, where one is asked for."""
    engine = _engine(SimulatedVenue(), 0 if reload is None else reload.warmup_ticks + 1)
    ran = CheckedRun()
    with limit(engine.guard):
        runtime = engine.registry.load(spec)
        for number, event in enumerate(events, 1):
            if reload is not None and number == reload.at + 1:
                _reload(engine, runtime, reload, ran, event)
                if ran.failure is not None:
                    break
            outcome = engine.process(event)
            ran.events, ran.ticks = number, runtime.ticks
            for result in outcome.signals:
                signal = result.signal
                limit_price = "" if signal.limit_price is None else f" at {signal.limit_price!r}"
                ran.said.append(Said(number, event.timestamp_ns, signal.symbol, _words(signal, limit_price)))
            if outcome.faults:
                fault = outcome.faults[0]
                ran.fail(Said(number, event.timestamp_ns, event.symbol, fault.message), fault.call, fault.where)
                break
    return ran


def _reload(engine: Engine, runtime: StrategyRuntime, reload: Reload, ran: CheckedRun, event: MarketEvent) -> None:
    """What a running engine does with a changed file, but for the change."""
    spec, had, warmed = runtime.spec, sizes_of(runtime), dict[str, Warmed]()
    for key in runtime.instances:
        kept = len(recent_ticks(engine.markets, key, spec.symbols, spec.kinds))
        ran.was_longer = ran.was_longer or kept > reload.warmup_ticks
        held = sum(each.quantity for each in engine.portfolio.positions() if key in (ANY_SYMBOL, each.symbol))
        warmed[key] = Warmed(min(kept, reload.warmup_ticks), held)
    outcome = engine.process(SwapStrategy(spec, warmed))
    ran.lost = lost_in_words(had, sizes_of(runtime))
    if outcome.faults:
        fault = outcome.faults[0]
        said = Said(reload.at, event.timestamp_ns, event.symbol, fault.message)
        ran.fail(said, "the warm-up of a new instance", fault.where)


def answers(
    spec: StrategySpec, before: Sequence[MarketData], judged: Sequence[MarketData], limit: Limit = unlimited
) -> CheckedRun:
    """What it says to the ``judged`` after having seen those ``before``; without fills. Ticks count from the first of
    the ``judged``, for what it does wrong from the first of all."""
    guard, callee = Guard(), Loading(spec.strategy_id)
    version = RunningVersion(spec, dict(spec.config), dict(spec.config), {})
    ran = CheckedRun()
    with limit(guard):
        for number, data in enumerate([*before, *judged], 1):
            call = ON_TICK
            try:
                with guard.calling(callee, has_patience=not version.has_instance(data.symbol)):
                    instance = version.instance_for(data.symbol)
                with guard.calling(callee):
                    result = instance.on_tick(data)
                    call = "reading its signal"
                    signals = _stamped(spec, result, data)
            except BaseException as error:
                guard.contain(error)
                said, _ = in_words(guard, callee, error)
                wrong = Said(number, data.timestamp_ns, data.symbol, said)
                ran.fail(wrong, call, place_of(error, version))
                break
            if number > len(before):
                at = number - len(before)
                ran.said += [Said(at, data.timestamp_ns, signal.symbol, _words(signal)) for signal in signals]
    return ran


def shown(spec: StrategySpec, events: Iterable[MarketEvent], most: int, limit: Limit = unlimited) -> list[MarketData]:
    """What the engine shows of the first ``most`` events to a strategy that asks for such kinds of them."""
    engine = _engine(None, recent_ticks=most)
    with limit(engine.guard):
        engine.registry.load(spec)
        for event in islice(events, most):
            engine.process(event)
    return [data for _, data in recent_ticks(engine.markets, ANY_SYMBOL, spec.symbols, spec.kinds)]


def difference(one: Sequence[Said], other: Sequence[Said], first: str, second: str) -> str:
    """The first tick at which they differ, as a sentence; empty where they do not."""
    pairs = zip_longest(one, other)
    left, right = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    if left is None and right is None:
        return ""
    at = min((said for said in (left, right) if said is not None), key=lambda said: said.tick)
    says = [said.words if said is not None and said.tick == at.tick else "nothing" for said in (left, right)]
    when = format_timestamp(at.timestamp_ns)
    return f"at tick {at.tick} ({at.symbol}, {when}) it says {says[0]} {first}, and {says[1]} {second}"


def _engine(venue: SimulatedVenue | None, recent_ticks: int = 0) -> Engine:
    return Engine(
        VoteBook("first_signal", NS_PER_S),
        RiskPipeline([]),
        Portfolio(100_000.0),
        venue,
        recent_ticks=recent_ticks,
    )


def _stamped(spec: StrategySpec, result: Any, data: MarketData) -> list[StampedSignal]:
    if result is None:
        return []
    signals = several(result)
    for signal in signals:
        if type(signal) is ReportedError:
            raise RemoteError(signal)
    return [stamp(spec, signal, data, 1) for signal in signals]


def _words(signal: StampedSignal, limit_price: str = "") -> str:
    return f"{signal.direction} {signal.size!r}{limit_price} confidence {signal.confidence!r}"
