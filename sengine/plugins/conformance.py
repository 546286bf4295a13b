"""Does a strategy keep the contract? The same ticks through it in several ways, and its signals compared one by one.

A way to run it is a value: a name and a function that loads it anew. What a strategy may depend on is what the engine
shows it; each check takes one other thing away (the clock, chance, its other instances, the future, what it saw long
ago) and sees whether its signals change.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import zip_longest
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import msgspec

from sengine.clock import NS_PER_S, format_timestamp
from sengine.domain.events import MarketEvent
from sengine.domain.market import MarketData
from sengine.domain.signal import Signal
from sengine.engine.aggregation import VoteBook
from sengine.engine.core import Engine
from sengine.engine.positions import PositionTracker
from sengine.engine.recent import ANY_SYMBOL, recent_ticks
from sengine.engine.risk import RiskPipeline
from sengine.engine.simulated import SimulatedVenue
from sengine.engine.spec import StrategySpec

Load: TypeAlias = Callable[[], StrategySpec]
"""Loads the strategy anew, as if it had never been loaded before."""

_DAYS_LATER_S: Final = 1_234_567.0
_CLOCKS: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


class Said(msgspec.Struct, frozen=True):
    """What a strategy said to one tick, as text that compares exactly. ``tick`` counts from 1."""

    tick: int
    timestamp_ns: int
    symbol: str
    words: str


class Finding(msgspec.Struct, frozen=True):
    """One check: whether it was passed, and a sentence for its author. ``skipped`` checks had nothing to look at."""

    check: str
    passed: bool
    sentence: str
    skipped: bool = False


def check(
    ways: Mapping[str, Load], events: Sequence[MarketEvent], warmup_ticks: int, *, is_remote: bool = False
) -> list[Finding]:
    """Every check, on ``events``. ``is_remote``: it is only known by its address, and its instances are its own
    matter. The first of ``ways`` is the one that the others are compared with.

    Raises what loading the strategy raises.
    """
    (first, load), *others = ways.items()
    opened: list[str] = []
    with _opening_noted(opened), _other_world(1, 0.0):
        whole = run(load(), events)
    return [
        _says_something(whole),
        *(_same_elsewhere(first, name, whole, run(other(), events)) for name, other in others),
        _repeats(whole, load, events),
        _not_ours() if is_remote else _shares_nothing(load, events),
        _opens_nothing(opened),
        _keeps_its_past(whole, load, events),
        _warms_up(load, events, warmup_ticks),
    ]


def run(spec: StrategySpec, events: Sequence[MarketEvent]) -> list[Said]:
    """The strategy alone in an engine of its own, its orders filled at once at the touch."""
    engine = Engine(VoteBook("first_signal", NS_PER_S), RiskPipeline([]), PositionTracker(100_000.0), SimulatedVenue())
    engine.roster.load(spec)
    said: list[Said] = []
    for number, event in enumerate(events, 1):
        outcome = engine.process(event)
        for result in outcome.signals:
            signal = result.signal
            said.append(_said(number, event, signal.symbol, signal))
        said += [Said(number, event.timestamp_ns, event.symbol, fault.message) for fault in outcome.faults]
    return said


def _said(number: int, event: MarketEvent, symbol: str, signal: Any) -> Said:
    limit = "" if signal.limit_price is None else f" at {signal.limit_price!r}"
    words = f"{signal.direction} {signal.size!r}{limit} confidence {signal.confidence!r}"
    return Said(number, event.timestamp_ns, symbol, words)


def _says_something(whole: Sequence[Said]) -> Finding:
    sentence = (
        f"it gave {len(whole)} signals" if whole else "it gave no signal at all on this data: nothing is proved by it"
    )
    return Finding("signals", bool(whole), sentence)


def _same_elsewhere(first: str, name: str, here: Sequence[Said], there: Sequence[Said]) -> Finding:
    difference = _difference(here, there, first, name)
    return Finding(f"same {name}", not difference, difference or f"it gives the same signals {name} and {first}")


def _repeats(whole: Sequence[Said], load: Load, events: Sequence[MarketEvent]) -> Finding:
    with _other_world(2, _DAYS_LATER_S):
        again = run(load(), events)
    difference = _difference(whole, again, "the first time", "the second time")
    sentence = (
        f"it depends on a clock, on chance or on something it left behind: {difference}"
        if difference
        else "the same ticks give the same signals, on another day and with other random numbers"
    )
    return Finding("repeatable", not difference, sentence)


def _shares_nothing(load: Load, events: Sequence[MarketEvent]) -> Finding:
    spec = load()
    with _other_world(1, 0.0):
        one, another = run(spec, events), run(spec, events)
    difference = _difference(one, another, "one instance", "another one after it")
    sentence = (
        f"its instances share state, at module or class level: {difference}"
        if difference
        else "an instance does not notice that there was another one before it"
    )
    return Finding("no shared state", not difference, sentence)


def _not_ours() -> Finding:
    return Finding("no shared state", True, "not checked: its instances are in another process", skipped=True)


def _opens_nothing(opened: Sequence[str]) -> Finding:
    sentence = (
        f"on_tick opens {opened[0]}: what it reads there is in no replay and may be the future"
        if opened
        else "it opens no file and no connection while it runs"
    )
    return Finding("no other input", not opened, sentence)


def _keeps_its_past(whole: Sequence[Said], load: Load, events: Sequence[MarketEvent]) -> Finding:
    for part in (3, 2):
        ticks = len(events) // part
        with _other_world(1, 0.0):
            short = run(load(), events[:ticks])
        past = [said for said in whole if said.tick <= ticks]
        difference = _difference(past, short, "with the ticks after it", "without them")
        if difference:
            return Finding("no look-ahead", False, f"what it says depends on later ticks: {difference}")
    return Finding("no look-ahead", True, "what it says does not change when the ticks after it are taken away")


def _warms_up(load: Load, events: Sequence[MarketEvent], warmup_ticks: int) -> Finding:
    """Signals after k and after 2k ticks of warm-up agree. Without fills, which would make them differ by position."""
    spec = load()
    asked = _shown(spec, events)
    after = len(asked) - 2 * warmup_ticks
    if after < 1:
        need = 2 * warmup_ticks + 1
        return Finding(
            "warm-up", True, f"not checked: it needs {need} ticks of this data, there are {len(asked)}", skipped=True
        )
    judged = asked[2 * warmup_ticks :]
    start = 2 * warmup_ticks
    answers = [_answers(spec, asked[start - length : start], judged) for length in (warmup_ticks, 2 * warmup_ticks)]
    names = f"after {warmup_ticks} ticks of warm-up", f"after {2 * warmup_ticks}"
    difference = _difference(answers[0], answers[1], *names)
    sentence = (
        f"{warmup_ticks} ticks of warm-up (plugins.warmup_ticks) are too few for it: {difference}"
        if difference
        else f"{warmup_ticks} ticks of warm-up are enough: it then says what it says after {2 * warmup_ticks}"
    )
    return Finding("warm-up", not difference, sentence)


def _shown(spec: StrategySpec, events: Sequence[MarketEvent]) -> list[MarketData]:
    """What the engine shows of these events to a strategy that asks for such kinds of them."""
    engine = Engine(
        VoteBook("first_signal", NS_PER_S),
        RiskPipeline([]),
        PositionTracker(100_000.0),
        recent_ticks=len(events),
    )
    engine.roster.load(spec)
    for event in events:
        engine.process(event)
    return [data for _, data in recent_ticks(engine.markets, ANY_SYMBOL, spec.symbols, spec.kinds)]


def _answers(spec: StrategySpec, before: Sequence[MarketData], judged: Sequence[MarketData]) -> list[Said]:
    instances: dict[str, Any] = {}
    said: list[Said] = []
    for number, data in enumerate([*before, *judged], 1 - len(before)):
        key = data.symbol if spec.one_instance_per_symbol else ANY_SYMBOL
        instance = instances.get(key) or instances.setdefault(key, spec.create())
        result = instance.on_tick(data)
        if number < 1 or result is None:
            continue
        for signal in (result,) if isinstance(result, Signal) else result:
            words = f"{signal.direction} {signal.size!r} confidence {signal.confidence!r}"
            said.append(Said(number, data.timestamp_ns, signal.symbol or data.symbol, words))
    return said


def _difference(one: Sequence[Said], other: Sequence[Said], first: str, second: str) -> str:
    """The first tick at which they differ, as a sentence; empty where they do not."""
    pairs = zip_longest(one, other)
    left, right = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
    if left is None and right is None:
        return ""
    at = min((said for said in (left, right) if said is not None), key=lambda said: said.tick)
    says = [said.words if said is not None and said.tick == at.tick else "nothing" for said in (left, right)]
    when = format_timestamp(at.timestamp_ns)
    return f"at tick {at.tick} ({at.symbol}, {when}) it says {says[0]} {first}, and {says[1]} {second}"


@contextmanager
def _other_world(seed: int, later_s: float) -> Iterator[None]:
    """Clocks of the time module run ``later_s`` ahead, and random numbers start from ``seed``."""

    def moved(name: str) -> Callable[[], float]:
        real = getattr(time, name)
        ahead = int(later_s * NS_PER_S) if name.endswith("_ns") else later_s
        return lambda: real() + ahead

    state = random.getstate()
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
    try:
        with ExitStack() as stack:
            for name in _CLOCKS:
                stack.enter_context(patch.object(time, name, moved(name)))
            yield
    finally:
        random.setstate(state)


_noted: list[str] | None = None
_is_hooked = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook; there is no way to take one out again, so it looks whether anybody wants to know."""
    if _noted is None or event not in ("open", "socket.connect"):
        return
    frame = sys._getframe(1)
    while frame is not None:
        # Imports on first use are no input.
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return
        if frame.f_code.co_name in ("on_tick", "on_fill"):
            _noted.append(str(arguments[0] if event == "open" else arguments[1]))
            return
        frame = frame.f_back  # type: ignore[assignment]


@contextmanager
def _opening_noted(into: list[str]) -> Iterator[None]:
    """Notes what strategy code opens while it is called."""
    global _noted, _is_hooked
    if not _is_hooked:
        sys.addaudithook(_note)
        _is_hooked = True
    _noted = into
    try:
        yield
    finally:
        _noted = None
