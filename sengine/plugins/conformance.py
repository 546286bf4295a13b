"""Does a strategy keep the contract? The same ticks through it in several ways, and its signals compared one by one.

A way to run it is a value: a name and a function that loads it anew. What a strategy may depend on is what the engine
shows it; each check takes one other thing away (the clock, chance, its other instances, the future, what it saw long
ago) and sees whether its signals change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from sengine.domain.events import MarketEvent
from sengine.engine.strategies.spec import StrategySpec
from sengine.plugins.checked_run import CheckedRun, Limit, Said, answers, difference, run, shown, unlimited
from sengine.plugins.loader import LoadedPlugin, beginning
from sengine.plugins.surroundings import opening_noted, other_world

Load: TypeAlias = Callable[[], StrategySpec]
"""Loads the strategy anew, as if it had never been loaded before."""

OUT_OF_PROCESS: Final = "out of process"
_DAYS_LATER_S: Final = 1_234_567.0


class Finding(msgspec.Struct, frozen=True):
    """One check: whether it was passed, and a sentence for its author. ``skipped`` checks had nothing to look at."""

    check: str
    passed: bool
    sentence: str
    skipped: bool = False


class _Subject(msgspec.Struct, frozen=True):
    """What is checked: ``load`` gives it anew, ``limit`` cuts its calls short."""

    load: Load
    events: Sequence[MarketEvent]
    limit: Limit

    def run(self, ticks: int | None = None) -> CheckedRun:
        return run(self.load(), self.events[:ticks], self.limit)


def check(
    ways: Mapping[str, Load],
    events: Sequence[MarketEvent],
    warmup_ticks: int,
    *,
    apart: Load | None = None,
    limit: Limit = unlimited,
) -> list[Finding]:
    """Every check, on ``events``. The first of ``ways`` is the one that the others are compared with; calls in this
    process are cut short by ``limit``. ``apart`` runs it in another process. Without any ``ways`` that is all that is
    known of it, and its instances are its own matter. What makes an error gets that as its only finding.

    Raises what loading the strategy raises.
    """
    # First where it can neither end this process nor hang it.
    alone = run(apart(), events) if apart is not None else None
    if alone is not None and alone.failure is not None:
        return [_fails(alone.failure.sentence(_on_tick(ways)))]
    named = dict(ways) or ({OUT_OF_PROCESS: apart} if apart is not None else {})
    (first, load), *others = named.items()
    subject = _Subject(load, events, limit if ways else unlimited)
    opened: list[str] = []
    with opening_noted(opened), other_world(1, 0.0):
        ran = subject.run()
    if ran.failure is not None:
        return [_fails(ran.failure.sentence())]
    whole = ran.said
    elsewhere = {name: run(other(), events, limit).said for name, other in others}
    if ways and alone is not None:
        elsewhere[OUT_OF_PROCESS] = alone.said
    return [
        _says_something(whole),
        Finding("no errors", True, f"it made no error on {len(events)} events"),
        *(_same_elsewhere(first, name, whole, said) for name, said in elsewhere.items()),
        _repeats(whole, subject),
        _shares_nothing(subject) if ways else _not_ours(),
        _opens_nothing(opened),
        _keeps_its_past(whole, subject),
        _warms_up(subject, warmup_ticks),
    ]


def _fails(sentence: str) -> Finding:
    return Finding("no errors", False, f"{sentence}; the other checks want that mended first")


def _on_tick(ways: Mapping[str, Load]) -> str:
    """Where ``on_tick`` begins; empty for a strategy that is not loaded here."""
    for load in ways.values():
        loaded = load().loaded_from
        if isinstance(loaded, LoadedPlugin):
            return beginning(loaded.strategy_type.on_tick, loaded.path)
    return ""


def _says_something(whole: Sequence[Said]) -> Finding:
    sentence = (
        f"it gave {len(whole)} signals" if whole else "it gave no signal at all on this data: nothing is proved by it"
    )
    return Finding("signals", bool(whole), sentence)


def _same_elsewhere(first: str, name: str, here: Sequence[Said], there: Sequence[Said]) -> Finding:
    differs = difference(here, there, first, name)
    return Finding(f"same {name}", not differs, differs or f"it gives the same signals {name} and {first}")


def _repeats(whole: Sequence[Said], subject: _Subject) -> Finding:
    with other_world(2, _DAYS_LATER_S):
        again = subject.run().said
    differs = difference(whole, again, "the first time", "the second time")
    sentence = (
        f"it depends on a clock, on chance or on something it left behind: {differs}"
        if differs
        else "the same ticks give the same signals, on another day and with other random numbers"
    )
    return Finding("repeatable", not differs, sentence)


def _shares_nothing(subject: _Subject) -> Finding:
    spec = subject.load()
    with other_world(1, 0.0):
        one, another = (run(spec, subject.events, subject.limit).said for _ in range(2))
    differs = difference(one, another, "one instance", "another one after it")
    sentence = (
        f"its instances share state, at module or class level: {differs}"
        if differs
        else "an instance does not notice that there was another one before it"
    )
    return Finding("no shared state", not differs, sentence)


def _not_ours() -> Finding:
    return Finding("no shared state", True, "not checked: its instances are in another process", skipped=True)


def _opens_nothing(opened: Sequence[str]) -> Finding:
    sentence = (
        f"on_tick opens {opened[0]}: what it reads there is in no replay and may be the future"
        if opened
        else "it opens no file and no connection while it runs"
    )
    return Finding("no other input", not opened, sentence)


def _keeps_its_past(whole: Sequence[Said], subject: _Subject) -> Finding:
    for part in (3, 2):
        ticks = len(subject.events) // part
        with other_world(1, 0.0):
            short = subject.run(ticks).said
        past = [said for said in whole if said.tick <= ticks]
        differs = difference(past, short, "with the ticks after it", "without them")
        if differs:
            return Finding("no look-ahead", False, f"what it says depends on later ticks: {differs}")
    return Finding("no look-ahead", True, "what it says does not change when the ticks after it are taken away")


def _warms_up(subject: _Subject, warmup_ticks: int) -> Finding:
    """Signals after k and after 2k ticks of warm-up agree. Without fills, which would make them differ by position."""
    spec = subject.load()
    asked = shown(spec, subject.events, subject.limit)
    after = len(asked) - 2 * warmup_ticks
    if after < 1:
        need = 2 * warmup_ticks + 1
        return Finding(
            "warm-up", True, f"not checked: it needs {need} ticks of this data, there are {len(asked)}", skipped=True
        )
    judged = asked[2 * warmup_ticks :]
    start = 2 * warmup_ticks
    lengths = warmup_ticks, 2 * warmup_ticks
    runs = [answers(spec, asked[start - length : start], judged, subject.limit) for length in lengths]
    for ran in runs:
        if ran.failure is not None:
            return Finding("warm-up", False, ran.failure.sentence())
    names = f"after {warmup_ticks} ticks of warm-up", f"after {2 * warmup_ticks}"
    differs = difference(runs[0].said, runs[1].said, *names)
    sentence = (
        f"{warmup_ticks} ticks of warm-up (plugins.warmup_ticks) are too few for it: {differs}"
        if differs
        else f"{warmup_ticks} ticks of warm-up are enough: it then says what it says after {2 * warmup_ticks}"
    )
    return Finding("warm-up", not differs, sentence)
