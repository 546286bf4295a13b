"""An engine restored from a checkpoint goes on as the first would have; one that follows knows what the first did."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.events import BookEvent, PauseStrategy
from sengine.domain.signal import Signal
from sengine.engine.checkpoint import Checkpoint, checkpoint, restore
from sengine.engine.core import Engine
from sengine.engine.following import Follower, Happened
from sengine.engine.guest import StrategySpec
from sengine.strategy import BaseStrategy
from tests.engine.conftest import Actor, engine_with, ladder
from tests.engine.test_random_events import Setting, events_of, happenings, settings_of_an_engine

COUNTERS = ("rejected", "gaps", "anomalies", "dispositions", "filtered_by")
BOOK = ladder([(99.0, 1.0)], [(101.0, 1.0)])


def through_bytes(state: Checkpoint) -> Checkpoint:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state, enc_hook=repr), type=Checkpoint)


def play(engine: Engine, actors: list[Actor], events: list[tuple]) -> list[Any]:
    outcomes = []
    for event, said in events:
        for actor, words in zip(actors, said, strict=True):
            actor.answers.clear()
            actor.says(words)
        outcomes.append(engine.process(event))
    return outcomes


def without_tracebacks(outcomes: list[Any]) -> str:
    for outcome in outcomes:
        outcome.faults = [msgspec.structs.replace(fault, traceback="") for fault in outcome.faults]
    return repr(outcomes)


def plain(state: Checkpoint) -> Any:
    """Comparable: NaN equals NaN, and calls that answer to nobody are not counted."""
    counters = {name: dict(sorted(getattr(state, name).items())) for name in COUNTERS}
    strategies = [msgspec.structs.replace(each, calls=0) for each in state.strategies]
    state = msgspec.structs.replace(state, strategies=strategies, **counters)
    return repr(msgspec.msgpack.decode(msgspec.msgpack.encode(state, enc_hook=repr), type=Checkpoint))


@settings(max_examples=40, deadline=None)
@given(settings_of_an_engine, happenings, st.floats(0.0, 1.0))
def test_restored_engine_does_what_the_first_one_would_have_done(
    setting: Setting, happened: list[tuple], share: float
) -> None:
    events = events_of(happened)
    place = int(share * len(events))
    first, actors = setting.build()
    play(first, actors, events[:place])
    state = through_bytes(checkpoint(first))
    second, others = setting.build()
    assert restore(second, state) == []
    assert plain(checkpoint(second)) == plain(state)
    rest = events[place:]
    assert without_tracebacks(play(first, actors, rest)) == without_tracebacks(play(second, others, rest))
    assert plain(checkpoint(first)) == plain(checkpoint(second))


@settings(max_examples=40, deadline=None)
@given(settings_of_an_engine, happenings, st.floats(0.0, 1.0))
def test_follower_knows_all_that_the_engine_knows_whatever_its_strategies_say(
    setting: Setting, happened: list[tuple], share: float
) -> None:
    events = events_of(happened)
    place = int(share * len(events))
    first, actors = setting.build()
    play(first, actors, events[:place])
    state = through_bytes(checkpoint(first))
    second, others = setting.build()
    restore(second, state)
    for actor in others:
        actor.says(*(Signal(direction="LONG", confidence=1.0) for _ in range(100)))
    follower = Follower(second)
    for event, said in events[place:]:
        (outcome,) = play(first, actors, [(event, said)])
        paused = {
            fault.strategy_id: guest.pause_reason
            for fault in outcome.faults
            if (guest := first.roster.find(fault.strategy_id)) is not None and guest.pause_reason
        }
        follower.event(event)
        follower.happened(Happened(outcome.signals, outcome.orders, outcome.cancels, outcome.faults, paused))
    follower.end()
    assert plain(checkpoint(second)) == plain(checkpoint(first))


class Counting(BaseStrategy):
    state_version = 3

    def __init__(self, strategy_id: str) -> None:
        super().__init__(strategy_id)
        self.seen = 0
        self.refuses = False

    def on_tick(self, data: Any) -> Any:
        self.seen += 1
        return Signal(direction="LONG", confidence=1.0) if self.seen % 3 == 0 else None

    def export_state(self) -> Any:
        return {"seen": self.seen}

    def import_state(self, state: Any, version: int) -> None:
        if version != self.state_version:
            raise ValueError(f"cannot read version {version}")
        self.seen = state["seen"]


def counting_engine(version: int = 3) -> Engine:
    def create() -> BaseStrategy:
        strategy = Counting("count")
        type(strategy).state_version = version
        return strategy

    engine = engine_with(Actor("silent"))
    engine.roster.load(StrategySpec("count", create))
    return engine


def test_declared_state_and_position_are_carried_over() -> None:
    first = counting_engine()
    for step in range(1, 5):
        first.process(BookEvent("BTC", step, BOOK))
    first.process(PauseStrategy("silent", "a person"))
    state = through_bytes(checkpoint(first))
    second = counting_engine()
    assert restore(second, state) == []
    assert [second.process(BookEvent("BTC", step, BOOK)).orders != [] for step in range(5, 8)] == [False, True, False]
    assert not second.roster.get("silent").is_active
    assert second.roster.get("silent").pause_reason == "a person"


def test_strategy_that_refuses_its_old_state_is_paused_and_told() -> None:
    first = counting_engine()
    first.process(BookEvent("BTC", 1, BOOK))
    state = checkpoint(first)
    second = counting_engine(version=4)
    (trouble,) = restore(second, state)
    assert trouble.startswith("strategy count could not take up its state: ValueError: cannot read version 3")
    assert not second.roster.get("count").is_active
    assert second.roster.get("silent").is_active
