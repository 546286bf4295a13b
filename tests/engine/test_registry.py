"""Loading, pausing, resuming, unloading: the lifecycle in the hands of an operator, and what it means for votes."""

from __future__ import annotations

import pytest

from sengine.domain.events import PauseStrategy, ReloadParameters, ResumeStrategy, Shutdown, UnloadStrategy
from sengine.domain.signal import Disposition
from sengine.engine.outcome import NOTHING
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.lifecycle import State
from sengine.engine.strategies.spec import LoadStrategy
from sengine.errors import EngineError, LifecycleError, PluginError
from tests.engine.conftest import Actor, endings, engine_with, long, ns, quote, short, simulated_engine


class Stubborn(Actor):
    """An actor whose strategies raise when they are shut down, and write down that they were."""

    def __init__(self, strategy_id: str, error: BaseException | None = None, **rest) -> None:
        super().__init__(strategy_id, **rest)
        self.error = error
        self.shut_down = 0

    def _create(self):
        strategy = super()._create()

        def shutdown() -> None:
            self.shut_down += 1
            if self.error is not None:
                raise self.error

        strategy.shutdown = shutdown
        return strategy


def state_of(engine, strategy_id: str = "a") -> State:
    return engine.registry.get(strategy_id).lifecycle.state


def test_a_loaded_strategy_is_active() -> None:
    engine = engine_with(Actor("a"))
    assert state_of(engine) is State.ACTIVE


def test_a_strategy_can_be_loaded_and_activated_later() -> None:
    actor = Actor("a")
    engine = engine_with()
    engine.registry.load(actor.spec, activate=False)
    assert state_of(engine) is State.INITIALIZED
    engine.process(quote(1))
    assert actor.seen == []
    engine.process(ResumeStrategy("a"))
    engine.process(quote(2))
    assert (state_of(engine), len(actor.seen)) == (State.ACTIVE, 1)


def test_a_strategy_loaded_between_two_events_is_called_for_the_next() -> None:
    early, late = Actor("early", symbols=("BTC",)), Actor("late")
    engine = engine_with(early)
    engine.process(quote(1))
    assert engine.process(quote(1, symbol="ETH")).rejected == "no_strategy_wants_symbol"
    engine.registry.load(late.spec)
    engine.process(quote(2))
    assert engine.process(quote(2, symbol="ETH")).rejected == ""
    assert [data.symbol for data in late.seen] == ["BTC", "ETH"]


def test_loading_is_a_command_in_the_stream_of_events() -> None:
    actor = Actor("late")
    engine = engine_with()
    assert engine.process(quote(1)).rejected == "no_strategy_wants_symbol"
    assert engine.process(LoadStrategy(actor.spec)) is NOTHING
    assert engine.process(quote(2)).rejected == ""
    assert (state_of(engine, "late"), len(actor.seen)) == (State.ACTIVE, 1)
    with pytest.raises(LifecycleError, match="already loaded"):
        engine.process(LoadStrategy(actor.spec))


def test_a_taken_id_is_refused_and_the_strategy_there_stays() -> None:
    first = Actor("a")
    engine = engine_with(first)
    with pytest.raises(LifecycleError, match='"a" is already loaded and ACTIVE; unload it first'):
        engine.registry.load(Actor("a").spec)
    engine.process(quote(1))
    assert len(first.seen) == 1


@pytest.mark.parametrize(("error", "raised"), [(ValueError("broken"), ValueError), (SystemExit(1), PluginError)])
def test_a_strategy_that_cannot_be_made_is_not_in_the_roster(error: BaseException, raised: type[BaseException]) -> None:
    def create():
        raise error

    engine = engine_with(Actor("neighbour"))
    spec = type(Actor("a").spec)("a", create)
    with pytest.raises(raised):
        engine.registry.load(spec)
    assert [runtime.strategy_id for runtime in engine.registry] == ["neighbour"]
    assert engine.registry.find("a") is None


def test_an_unknown_strategy_is_an_error_that_names_those_there_are() -> None:
    engine = engine_with(Actor("rsi"), Actor("momentum"))
    for command in (
        PauseStrategy("macd"),
        ResumeStrategy("macd"),
        UnloadStrategy("macd"),
        ReloadParameters("macd", {}),
    ):
        with pytest.raises(EngineError, match='no strategy "macd"; loaded: rsi, momentum'):
            engine.process(command)
    with pytest.raises(EngineError, match="none is loaded"):
        engine_with().process(PauseStrategy("macd"))


def test_a_paused_strategy_is_not_called_until_it_is_resumed() -> None:
    actor = Actor("a")
    engine = engine_with(actor)
    assert engine.process(PauseStrategy("a", "news")) is NOTHING
    assert (state_of(engine), engine.registry.get("a").pause_reason) == (State.PAUSED, "news")
    assert engine.process(quote(1)).rejected == ""
    assert actor.seen == []
    engine.process(ResumeStrategy("a"))
    engine.process(quote(2))
    assert (len(actor.seen), engine.registry.get("a").pause_reason) == (1, "")


def test_a_strategy_that_was_called_before_its_pause_is_not_called_after_it() -> None:
    actor = Actor("a")
    engine = engine_with(actor)
    engine.process(quote(1))
    engine.process(PauseStrategy("a"))
    engine.process(quote(2))
    assert len(actor.seen) == 1


@pytest.mark.parametrize("leave", [PauseStrategy, UnloadStrategy])
def test_the_votes_of_a_strategy_that_leaves_are_withdrawn(leave) -> None:
    votes = VoteBook("weighted_average", ns(60))
    leaving, staying = Actor("leaving", long(1.0)), Actor("staying", None, short(0.2))
    engine = engine_with(leaving, staying, votes=votes)
    engine.process(quote(1))
    engine.process(leave("leaving"))
    assert list(votes.live()) == []
    assert endings(engine.process(quote(2))) == [("staying", Disposition.PASSED)]


def test_positions_of_a_paused_strategy_are_kept_and_marked() -> None:
    engine = simulated_engine(Actor("a", long(size=2.0)))
    engine.process(quote(1))
    engine.process(PauseStrategy("a"))
    engine.process(quote(2, 109.0, 111.0))
    assert engine.portfolio.quantity("a", "BTC") == 2.0
    assert engine.portfolio.equity_of("a").unrealized == 18.0


@pytest.mark.parametrize(
    ("commands", "states"),
    [
        ([ResumeStrategy("a")], ("ACTIVE", "ACTIVE")),
        ([PauseStrategy("a"), PauseStrategy("a", "again")], ("PAUSED", "PAUSED")),
    ],
)
def test_an_illegal_command_names_both_states_and_changes_nothing(commands: list, states: tuple[str, str]) -> None:
    engine = engine_with(Actor("a"))
    *before, illegal = commands
    for command in before:
        engine.process(command)
    reason = engine.registry.get("a").pause_reason
    with pytest.raises(LifecycleError, match=f"a is {states[0]} and cannot become {states[1]}"):
        engine.process(illegal)
    assert state_of(engine) == states[0]
    assert engine.registry.get("a").pause_reason == reason


def test_unloading_calls_shutdown_of_every_instance_and_frees_the_id() -> None:
    actor = Stubborn("a")
    engine = engine_with(actor)
    for symbol in ("BTC", "ETH"):
        engine.process(quote(1, symbol=symbol))
    runtime = engine.registry.get("a")
    assert engine.process(UnloadStrategy("a")).faults == []
    assert (actor.shut_down, runtime.lifecycle.state, engine.registry.find("a")) == (2, State.UNLOADED, None)
    assert engine.process(quote(2)).rejected == "no_strategy_wants_symbol"
    engine.registry.load(Actor("a").spec)
    assert engine.process(quote(2)).rejected == ""


@pytest.mark.parametrize("error", [ValueError("will not go"), SystemExit()])
def test_a_strategy_that_fails_to_shut_down_is_unloaded_all_the_same(error: BaseException) -> None:
    engine = engine_with(Stubborn("a", error), Actor("b"))
    (fault,) = engine.process(UnloadStrategy("a")).faults
    assert (fault.strategy_id, fault.kind) == ("a", "shutdown")
    assert [runtime.strategy_id for runtime in engine.registry] == ["b"]


def test_a_strategy_without_a_tick_is_shut_down_as_well() -> None:
    actor = Stubborn("a")
    engine_with(actor).process(UnloadStrategy("a"))
    assert actor.shut_down == 1


def test_shutdown_calls_each_strategys_shutdown_and_takes_no_more_market_data() -> None:
    actors = [Stubborn("a"), Stubborn("b", ValueError("no")), Stubborn("c")]
    engine = engine_with(*actors)
    engine.process(quote(1))
    engine.process(PauseStrategy("c"))
    outcome = engine.process(Shutdown())
    assert [fault.strategy_id for fault in outcome.faults] == ["b"]
    assert [actor.shut_down for actor in actors] == [1, 1, 1]
    assert (list(engine.registry), engine.is_shut_down) == ([], True)
    assert engine.process(quote(2)).rejected != ""
    assert all(len(actor.seen) <= 1 for actor in actors)


def test_ten_strategies_are_loaded_and_unloaded() -> None:
    actors = [Actor(f"s{number}", symbols=("BTC",)) for number in range(10)]
    engine = engine_with(*actors)
    engine.process(quote(1))
    assert [len(actor.seen) for actor in actors] == [1] * 10
    for number, actor in enumerate(actors):
        engine.process(UnloadStrategy(actor.strategy_id))
        outcome = engine.process(quote(2 + number))
        assert outcome.rejected == ("no_strategy_wants_symbol" if number == 9 else "")
        assert [len(each.seen) for each in actors[: number + 1]] == list(range(1, number + 2))
    assert list(engine.registry) == []
