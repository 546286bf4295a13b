"""A strategy is a runtime: what it raises or returns wrongly is counted against it, located, and hurts nobody else."""

from __future__ import annotations

import numpy as np
import pytest

from sengine.domain.events import PauseStrategy, ResumeStrategy
from sengine.domain.signal import Disposition, Signal
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.lifecycle import State
from tests.engine import conftest
from tests.engine.conftest import Actor, endings, engine_with, fill, long, ns, quote, short, simulated_engine


class UnspeakableError(Exception):
    """An exception that fails again when it is shown."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


def runtime_of(engine, strategy_id: str = "a"):
    return engine.registry.get(strategy_id)


@pytest.mark.parametrize(
    "error", [ValueError("bad day"), ZeroDivisionError(), SystemExit(3), RecursionError(), KeyError(1)]
)
def test_a_strategy_that_raises_is_counted_and_the_others_run_on(error: BaseException) -> None:
    neighbour = Actor("neighbour", long())
    engine = engine_with(Actor("a", error), neighbour)
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("neighbour", Disposition.PASSED)]
    (fault,) = outcome.faults
    assert (fault.strategy_id, fault.kind, fault.timestamp_ns) == ("a", "exception", ns(1))
    assert fault.message == (f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
    assert runtime_of(engine).errors == {"exception": 1}
    assert runtime_of(engine).is_active


def test_ctrl_c_is_not_a_strategys_error() -> None:
    with pytest.raises(KeyboardInterrupt):
        engine_with(Actor("a", KeyboardInterrupt())).process(quote(1))


def test_an_error_is_located_at_the_line_of_the_strategys_own_file() -> None:
    def deep(data: object) -> None:
        np.zeros(3).reshape(2, 2)

    actor = Actor("a", deep, source=__file__)
    (fault,) = engine_with(actor).process(quote(1)).faults
    line = deep.__code__.co_firstlineno + 1
    assert fault.where == f"{__file__}:{line}"
    assert "reshape" in fault.traceback


def test_an_error_that_never_was_in_the_strategys_file_is_located_at_the_file() -> None:
    (fault,) = engine_with(Actor("a", "nonsense", source="/elsewhere/rsi.py")).process(quote(1)).faults
    assert fault.where == "/elsewhere/rsi.py"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("LONG", "bad_return", "str"),
        (42, "bad_return", "int"),
        ({"direction": "LONG"}, "bad_return", "dict"),
        (iter([]), "bad_return", "list_iterator"),
        (lambda data: Signal, "bad_return", "StructMeta"),
        ([None], "bad_return", "NoneType"),
        ([long()] * 2 + ["LONG"], "bad_return", "str"),
        (Signal(), "invalid_signal", "direction"),
        (Signal(direction="UP", confidence=0.5), "invalid_signal", "'UP'"),
        (Signal(direction="NONE", confidence=0.5), "invalid_signal", "'NONE'"),
        (Signal(direction=["LONG"], confidence=0.5), "invalid_signal", "direction"),
        (Signal(direction="LONG"), "invalid_signal", "confidence"),
        (long(1.1), "invalid_signal", "1.1"),
        (long(-0.1), "invalid_signal", "-0.1"),
        (long(float("nan")), "invalid_signal", "nan"),
        (long("high"), "invalid_signal", "'high'"),
        (long(True), "invalid_signal", "confidence"),
        (long(0.5, -1.0), "invalid_signal", "size"),
        (long(0.5, float("inf")), "invalid_signal", "inf"),
        (long(0.5, float("nan")), "invalid_signal", "nan"),
        (long(0.5, "2"), "invalid_signal", "'2'"),
        (long(0.5, symbol="ETH"), "invalid_signal", "'ETH'"),
        (long(0.5, symbol=5), "invalid_signal", "5"),
        (long(0.5, limit_price=99.0), "invalid_signal", "route: direct"),
        (long(0.5, limit_price=-1.0), "invalid_signal", "limit_price"),
        (long(0.5, limit_price=float("nan")), "invalid_signal", "limit_price"),
        (long(0.5, limit_price="99"), "invalid_signal", "'99'"),
    ],
)
def test_nonsense_is_an_error_of_the_strategy_and_goes_no_further(answer: object, kind: str, words: str) -> None:
    actor = Actor("a", answer, symbols=("BTC",))
    engine = engine_with(actor)
    outcome = engine.process(quote(1))
    (fault,) = outcome.faults
    assert fault.kind == kind
    assert words in fault.message
    assert (
        engine.signals_generated == len(outcome.signals) == (2 if isinstance(answer, list) and len(answer) == 3 else 0)
    )


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(long(0.5, np.array([1.0, 2.0])), id="array for a size"),
        pytest.param(long(0.5, 10**400), id="size beyond any float"),
        pytest.param(long(10**400), id="confidence beyond any float"),
        pytest.param(long(0.5, symbol=np.array(["BTC", "ETH"])), id="array for a symbol"),
        pytest.param(UnspeakableError(), id="exception that cannot be shown"),
    ],
)
def test_no_answer_of_a_strategy_makes_the_engine_raise(answer: object) -> None:
    engine = engine_with(Actor("a", answer))
    (fault,) = engine.process(quote(1)).faults
    assert fault.strategy_id == "a"


def test_a_constructor_that_fails_for_the_second_symbol_is_contained() -> None:
    actor = Actor("a")
    spec, made = actor.spec, []

    def create():
        made.append(1)
        if len(made) > 1:
            raise RuntimeError("only one of me")
        return spec.create()

    actor.spec = type(spec)("a", create)
    neighbour = Actor("neighbour")
    engine = engine_with(actor, neighbour)
    engine.process(quote(1, symbol="BTC"))
    outcome = engine.process(quote(1, symbol="ETH"))
    assert [fault.strategy_id for fault in outcome.faults] == ["a"]
    assert len(neighbour.seen) == 2


def test_a_constructor_that_fails_without_words_is_contained() -> None:
    actor = Actor("a")
    spec, made = actor.spec, []

    def create():
        made.append(1)
        if len(made) > 1:
            raise UnspeakableError
        return spec.create()

    actor.spec = type(spec)("a", create)
    engine = engine_with(actor)
    engine.process(quote(1, symbol="BTC"))
    assert [fault.strategy_id for fault in engine.process(quote(1, symbol="ETH")).faults] == ["a"]


class BrokenList(list):
    """A list that fails when it is looked into."""

    def __iter__(self):
        raise RuntimeError("nothing to see")


def test_a_list_that_cannot_be_read_is_an_error_of_the_strategy() -> None:
    (fault,) = engine_with(Actor("a", BrokenList([1]))).process(quote(1)).faults
    assert fault.strategy_id == "a"


def test_an_error_in_on_fill_is_counted_and_the_fill_is_booked() -> None:
    def fail(share: object) -> None:
        raise ValueError("unexpected fill")

    engine = engine_with(Actor("a", long(), on_fill=fail), Actor("b", long()))
    engine.process(quote(1))
    outcome = engine.process(fill("1", 2.0))
    assert [(fault.strategy_id, fault.kind) for fault in outcome.faults] == [("a", "on_fill")]
    assert outcome.faults[0].where.startswith(conftest.__file__)
    assert [engine.portfolio.quantity(name, "BTC") for name in "ab"] == [1.0, 1.0]


def test_max_errors_within_reset_after_pauses_the_strategy() -> None:
    actor = Actor("a", *[ValueError(number) for number in range(3)])
    engine = engine_with(actor, Actor("b"), max_errors=3, reset_after_s=10.0)
    assert [engine.process(quote(at_s)).notices for at_s in (0, 5)] == [[], []]
    outcome = engine.process(quote(9.9))
    assert runtime_of(engine).lifecycle.state is State.PAUSED
    assert outcome.notices == ["strategy a paused: 3 errors within 10 s; last: ValueError: 2"]
    assert runtime_of(engine).pause_reason == "3 errors within 10 s; last: ValueError: 2"
    engine.process(quote(10))
    assert len(actor.seen) == 3


def test_errors_that_are_further_apart_do_not_pause() -> None:
    engine = engine_with(Actor("a", *[ValueError()] * 5), max_errors=3, reset_after_s=10.0)
    for at_s in (0, 5, 10, 15, 20):
        engine.process(quote(at_s))
    assert runtime_of(engine).is_active
    assert runtime_of(engine).errors == {"exception": 5}


def test_errors_of_every_kind_count_towards_the_pause() -> None:
    actor = Actor("a", ValueError(), ["nonsense", long(7.0)])
    engine = engine_with(actor, max_errors=3)
    engine.process(quote(1))
    engine.process(quote(2))
    assert runtime_of(engine).errors == {"exception": 1, "bad_return": 1, "invalid_signal": 1}
    assert not runtime_of(engine).is_active


def test_a_resumed_strategy_starts_counting_anew() -> None:
    actor = Actor("a", *[ValueError()] * 4)
    engine = engine_with(actor, max_errors=2)
    for at_s in (1, 2):
        engine.process(quote(at_s))
    engine.process(ResumeStrategy("a"))
    assert (runtime_of(engine).is_active, runtime_of(engine).pause_reason) == (True, "")
    engine.process(quote(3))
    assert runtime_of(engine).is_active
    engine.process(quote(4))
    assert not runtime_of(engine).is_active


def test_a_strategy_that_pauses_itself_by_errors_loses_its_vote() -> None:
    failing, other = Actor("failing", long(1.0), ValueError()), Actor("other", None, None, short(0.2))
    engine = engine_with(failing, other, max_errors=1)
    for at_s in (1, 2):
        engine.process(quote(at_s))
    assert endings(engine.process(quote(3))) == [("other", Disposition.PASSED)]


def test_a_paused_strategy_has_no_vote_even_if_it_signalled_in_the_event_that_paused_it() -> None:
    votes = VoteBook("weighted_average", ns(5))
    engine = engine_with(Actor("a", [long(), "nonsense"]), votes=votes, max_errors=1)
    engine.process(quote(1))
    assert not runtime_of(engine).is_active
    assert list(votes.live()) == []


def test_errors_in_on_fill_of_a_paused_strategy_do_not_pause_it_again() -> None:
    def fail(share: object) -> None:
        raise ValueError

    engine = engine_with(Actor("a", long(), on_fill=fail), max_errors=1)
    engine.process(quote(1))
    engine.process(PauseStrategy("a", "lunch"))
    outcome = engine.process(fill("1"))
    assert (len(outcome.faults), outcome.notices, runtime_of(engine).pause_reason) == (1, [], "lunch")


def test_an_error_in_on_fill_can_pause_the_strategy_too() -> None:
    def fail(share: object) -> None:
        raise ValueError("no")

    engine = simulated_engine(Actor("a", long(), on_fill=fail), max_errors=1)
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("a", Disposition.PASSED)]
    assert outcome.notices == ["strategy a paused: 1 errors within 60 s; last: ValueError: no"]
