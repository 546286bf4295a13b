"""An engine restored from a checkpoint goes on as the first would have; one that follows knows what the first did."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.events import BookEvent, Flatten, KillSwitch, PauseStrategy, Rearm
from sengine.domain.signal import Signal
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint, restore
from sengine.engine.checkpoint.follower import Follower, Happened
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from sengine.engine.risk.limits import RepeatedExecutionLimit
from sengine.engine.strategies.spec import StrategySpec
from sengine.errors import EngineError
from sengine.strategy import BaseStrategy
from tests.engine.conftest import Actor, engine_with, fill, ladder, long, short
from tests.engine.test_random_events import Setting, events_of, happenings, settings_of_an_engine

COUNTERS = ("rejected", "gaps", "anomalies", "dispositions", "filtered_by")
BOOK = ladder([(99.0, 1.0)], [(101.0, 1.0)])


commands = st.lists(
    st.tuples(
        st.floats(0.0, 1.0),
        st.sampled_from([Flatten(), Flatten("one"), Flatten(symbol="BTC"), KillSwitch("enough"), Rearm()]),
    ),
    max_size=4,
)


def with_commands(events: list[tuple], given: list[tuple[float, Any]]) -> list[tuple]:
    """The events with commands between them, each at a share of the way."""
    events = list(events)
    for share, command in given:
        events.insert(int(share * len(events)), (command, (None, None, None)))
    return events


def through_bytes(state: Checkpoint) -> Checkpoint:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(state, enc_hook=repr), type=Checkpoint)


def play(engine: Engine, actors: list[Actor], events: list[tuple]) -> list[Any]:
    outcomes = []
    for event, said in events:
        for actor, words in zip(actors, said, strict=True):
            actor.answers.clear()
            actor.says(words)
        try:
            outcomes.append(engine.process(event))
        except EngineError:
            outcomes.append(Outcome())  # a flatten of what is not there
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
@given(settings_of_an_engine, happenings, commands, st.floats(0.0, 1.0))
def test_restored_engine_does_what_the_first_one_would_have_done(
    setting: Setting, events_given: list[tuple], given: list[tuple[float, Any]], share: float
) -> None:
    events = with_commands(events_of(events_given), given)
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
@given(settings_of_an_engine, happenings, commands, st.floats(0.0, 1.0))
def test_follower_knows_all_that_the_engine_knows_whatever_its_strategies_say(
    setting: Setting, events_given: list[tuple], given: list[tuple[float, Any]], share: float
) -> None:
    events = with_commands(events_of(events_given), given)
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
            fault.strategy_id: runtime.pause_reason
            for fault in outcome.faults
            if (runtime := first.registry.find(fault.strategy_id)) is not None and runtime.pause_reason
        }
        follower.event(event)
        follower.happened(happened(outcome, paused))
    follower.end()
    assert plain(checkpoint(second)) == plain(checkpoint(first))


def happened(outcome: Outcome, paused: dict[str, str]) -> Happened:
    return Happened(
        outcome.signals,
        outcome.orders,
        outcome.cancels,
        outcome.faults,
        paused,
        outcome.crosses,
        withdrawn=outcome.withdrawn,
    )


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
    engine.registry.load(StrategySpec("count", create))
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
    assert not second.registry.get("silent").is_active
    assert second.registry.get("silent").pause_reason == "a person"


def test_after_a_restart_rounding_is_still_measured_by_the_largest_quantity_before() -> None:
    actor = Actor("a", long(size=26.0))
    first = engine_with(actor)
    first.process(BookEvent("BTC", 1, BOOK))
    first.process(fill("1", 26.0))
    sells = [fill("2", 0.1, side="sell", fill_id=f"s{number}") for number in range(260)]
    actor.says(short(size=26.0))
    first.process(BookEvent("BTC", 10**10, BOOK))
    for each in sells[:259]:
        first.process(each)
    again = Actor("a")
    second = engine_with(again)
    assert restore(second, through_bytes(checkpoint(first))) == []
    second.process(sells[259])
    assert second.portfolio.quantity("a", "BTC") == again.instances[0].position == 0.0


def test_strategy_that_refuses_its_old_state_is_paused_and_told() -> None:
    first = counting_engine()
    first.process(BookEvent("BTC", 1, BOOK))
    state = checkpoint(first)
    second = counting_engine(version=4)
    (trouble,) = restore(second, state)
    assert trouble.startswith("strategy count could not take up its state: ValueError: cannot read version 3")
    assert not second.registry.get("count").is_active
    assert second.registry.get("silent").is_active


def test_flatten_under_way_goes_on_after_a_restart_and_what_a_check_disabled_stays_so() -> None:
    def new_engine() -> tuple[Engine, Actor]:
        actor = Actor("a", route="direct")
        return engine_with(actor, checks=[RepeatedExecutionLimit(max_executions=2, within_ns=10**12)]), actor

    first, actor = new_engine()
    second, _ = new_engine()
    restore(second, through_bytes(checkpoint(first)))
    follower = Follower(second)

    def both(event: Any) -> Outcome:
        outcome = first.process(event)
        follower.event(event)
        paused = {runtime.strategy_id: runtime.pause_reason for runtime in first.registry if runtime.pause_reason}
        follower.happened(happened(outcome, paused))
        return outcome

    actor.says(*[Signal(direction="LONG", confidence=1.0, size=2.0)] * 3)
    for step in range(1, 4):
        for order in both(BookEvent("BTC", step, BOOK)).orders:
            both(fill(order.order_id, 2.0))
    assert not second.registry.get("a").is_active
    assert not second.registry.get("a").was_paused_for_errors
    (getting_out,) = both(Flatten()).orders
    assert both(fill(getting_out.order_id, 1.0, side="sell")).orders == []
    follower.end()
    assert list(second.flattening) == [("a", "BTC")]
    assert plain(checkpoint(second)) == plain(checkpoint(first))
    second.process(fill(getting_out.order_id, 3.0, side="sell"))
    assert not second.flattening
    assert second.portfolio.quantity("a", "BTC") == 0.0
