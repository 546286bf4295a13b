"""Does a strategy keep the contract? The same ticks through it in several ways, and its signals compared one by one.

A way to run it is a value: a name and a function that loads it anew. What a strategy may depend on is what the engine
shows it; each check takes one other thing away (the clock, chance, its other instances, the future, what it saw long
ago) and sees whether its signals change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from sengine.domain.events import MarketEvent
from sengine.engine.strategies.spec import StrategySpec
from sengine.plugins.checked_run import CheckedRun, Limit, Reload, Said, answers, difference, run, shown, unlimited
from sengine.plugins.loader import LoadedPlugin, beginning
from sengine.plugins.surroundings import opening_noted, other_world

Load: TypeAlias = Callable[[], StrategySpec]
"""Loads the strategy anew, as if it had never been loaded before."""

OUT_OF_PROCESS: Final = "out of process"
_DAYS_LATER_S: Final = 1_234_567.0
# Of a strategy that is not loaded here, the market is kept while it is checked.
_MOST_KEPT: Final = 100_000


class Finding(msgspec.Struct, frozen=True):
    """One check: whether it was passed, and a sentence for its author. ``skipped`` checks were not made. One that is
    not ``proved`` found no difference, in data in which there was nothing to find one."""

    check: str
    passed: bool
    sentence: str
    skipped: bool = False
    proved: bool = True

    @property
    def has_failed(self) -> bool:
        return self.proved and not self.passed

    @property
    def word(self) -> str:
        """``passed``, ``FAILED``, ``not proved`` or ``skipped``."""
        return "skipped" if self.skipped else "not proved" if not self.proved else "passed" if self.passed else "FAILED"


class _Subject(msgspec.Struct, frozen=True):
    """What is checked: ``load`` gives it anew, ``limit`` cuts its calls short."""

    load: Load
    events: Iterable[MarketEvent]
    limit: Limit

    def run(self, first: int | None = None, reload: Reload | None = None) -> CheckedRun:
        """On the ``first`` events, or all of them."""
        return run(self.load(), islice(self.events, first), self.limit, reload)


def check(
    ways: Mapping[str, Load],
    events: Iterable[MarketEvent],
    warmup_ticks: int,
    *,
    apart: Load | None = None,
    limit: Limit = unlimited,
) -> list[Finding]:
    """Every check, on ``events``, which are gone through several times.

    The first of ``ways`` is the one that the others are compared with; calls in this process are cut short by
    ``limit``. ``apart`` runs it in another process. Without any ``ways`` that is all that is known of it, and its
    instances are its own matter. What makes an error gets that as its only finding.

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
        Finding("no errors", True, f"it made no error on {ran.events} events"),
        *(_same_elsewhere(first, name, whole, said) for name, said in elsewhere.items()),
        _repeats(whole, subject),
        _shares_nothing(subject) if ways else _not_ours(),
        _opens_nothing(opened),
        _keeps_its_past(ran, subject),
        _warms_up(ran, subject, warmup_ticks) if ways else _warms_up_apart(subject, warmup_ticks),
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
    if whole:
        return Finding("signals", True, f"it gave {len(whole)} signals")
    return _not_proved("signals", "it gave no signal at all on this data: nothing is proved by it; give other --data")


def _not_proved(check: str, sentence: str) -> Finding:
    return Finding(check, False, sentence, proved=False)


def _compared(check: str, differs: str, same: str, wrong: str, of: Sequence[Said]) -> Finding:
    """``differs`` is empty where nothing does; that proves something only where there is something, ``of`` both, to be
    different."""
    if differs:
        return Finding(check, False, wrong + differs)
    return Finding(check, True, same) if of else _not_proved(check, "it gave no signal that could have been different")


def _same_elsewhere(first: str, name: str, here: Sequence[Said], there: Sequence[Said]) -> Finding:
    differs = difference(here, there, first, name)
    return _compared(f"same {name}", differs, f"it gives the same signals {name} and {first}", "", here)


def _repeats(whole: Sequence[Said], subject: _Subject) -> Finding:
    with other_world(2, _DAYS_LATER_S):
        again = subject.run().said
    return _compared(
        "repeatable",
        difference(whole, again, "the first time", "the second time"),
        "the same ticks give the same signals, on another day and with other random numbers",
        "it depends on a clock, on chance or on something it left behind: ",
        whole,
    )


def _shares_nothing(subject: _Subject) -> Finding:
    spec = subject.load()
    with other_world(1, 0.0):
        one, another = (run(spec, subject.events, subject.limit).said for _ in range(2))
    return _compared(
        "no shared state",
        difference(one, another, "one instance", "another one after it"),
        "an instance does not notice that there was another one before it",
        "its instances share state, at module or class level: ",
        one,
    )


def _not_ours() -> Finding:
    return Finding("no shared state", True, "not checked: its instances are in another process", skipped=True)


def _opens_nothing(opened: Sequence[str]) -> Finding:
    sentence = (
        f"on_tick opens {opened[0]}: what it reads there is in no replay and may be the future"
        if opened
        else "it opens no file and no connection while it runs"
    )
    return Finding("no other input", not opened, sentence)


def _keeps_its_past(whole: CheckedRun, subject: _Subject) -> Finding:
    for part in (3, 2):
        first = whole.events // part
        with other_world(1, 0.0):
            short = subject.run(first).said
        past = [said for said in whole.said if said.tick <= first]
        finding = _compared(
            "no look-ahead",
            difference(past, short, "with the ticks after it", "without them"),
            "what it says does not change when the ticks after it are taken away",
            "what it says depends on later ticks: ",
            past,
        )
        if finding.has_failed:
            break
    return finding


def _warms_up(whole: CheckedRun, subject: _Subject, warmup_ticks: int) -> Finding:
    """New instances that take over half-way, and at three quarters, say what those never interrupted say."""
    need = 2 * warmup_ticks + 1
    if whole.ticks < need:
        return _too_few(need, whole.ticks)
    after: list[Said] = []
    lost = ""
    places = whole.events // 2, whole.events * 3 // 4
    for at in places:
        with other_world(1, 0.0):
            ran = subject.run(reload=Reload(at, warmup_ticks))
        if ran.failure is not None:
            return Finding("warm-up", False, ran.failure.sentence())
        if not ran.was_longer:
            sentence = f"not checked: no instance has more than {warmup_ticks} ticks in the first half of this data"
            return Finding("warm-up", True, sentence, skipped=True)
        expected = [said for said in whole.said if said.tick > at]
        now = [said for said in ran.said if said.tick > at]
        differs = difference(expected, now, "when it is never interrupted", f"when it is reloaded after tick {at}")
        lost = lost or ran.lost
        if differs:
            told = f"; it then remembers less: {ran.lost}" if ran.lost else ""
            return Finding("warm-up", False, f"{_too_short(warmup_ticks)}{differs}{told}")
        after += expected
    if not after:
        return _not_proved("warm-up", f"it gave no signal after tick {places[0]}, before which it is reloaded")
    reloaded = f"reloaded after tick {places[0]}, or {places[1]}, it says what it says when it is never interrupted"
    told = f", though it remembers less: {lost}" if lost else ""
    return Finding("warm-up", True, f"{warmup_ticks} ticks of warm-up are enough on this data: {reloaded}{told}")


def _warms_up_apart(subject: _Subject, warmup_ticks: int) -> Finding:
    """The same of one that is not loaded here: begun anew half-way, it says what it says when it began before. Without
    fills, which would make the two differ by position."""
    asked = shown(subject.load(), subject.events, _MOST_KEPT)
    start, need = len(asked) // 2, 2 * warmup_ticks + 1
    if len(asked) < need:
        return _too_few(need, len(asked))
    whole = answers(subject.load(), asked[:start], asked[start:])
    ran = answers(subject.load(), asked[start - warmup_ticks : start], asked[start:])
    for each in (whole, ran):
        if each.failure is not None:
            return Finding("warm-up", False, each.failure.sentence())
    return _compared(
        "warm-up",
        difference(whole.said, ran.said, f"after {start} ticks", f"after {warmup_ticks} ticks of warm-up"),
        f"{warmup_ticks} ticks of warm-up are enough on this data: it then says what it says after {start}",
        _too_short(warmup_ticks),
        whole.said,
    )


def _too_short(warmup_ticks: int) -> str:
    return f"{warmup_ticks} ticks of warm-up (plugins.warmup_ticks) are too few for it: "


def _too_few(need: int, ticks: int) -> Finding:
    sentence = f"not checked: it needs {need} ticks of this data, there are {ticks}"
    return Finding("warm-up", True, sentence, skipped=True)
