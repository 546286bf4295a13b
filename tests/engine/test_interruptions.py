"""Calls that a timer cut short: what becomes of the strategy, and how a journal makes the same happen again."""

from __future__ import annotations

import pytest

from sengine.domain.events import Interrupted, SoundBookEvent
from sengine.domain.signal import Disposition
from sengine.engine.core import Engine
from sengine.engine.strategies.guard import StrategyTimeout
from sengine.engine.strategies.lifecycle import State
from tests.engine.conftest import Actor, book, endings, engine_with, long, ns, quote, simulated_engine

TOO_LONG = StrategyTimeout("interrupted after 50 ms")


class Mischief(BaseException):
    """What only ``except BaseException`` catches."""


def test_an_interrupted_strategy_is_paused_at_once_and_its_neighbours_trade() -> None:
    engine = engine_with(Actor("a", TOO_LONG), Actor("neighbour", long()))
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("neighbour", Disposition.PASSED)]
    (fault,) = outcome.faults
    assert (fault.kind, fault.call, fault.number) == ("timeout", "on_tick", 1)
    runtime = engine.registry.get("a")
    assert runtime.lifecycle.state is State.PAUSED
    assert runtime.pause_reason == "on_tick was interrupted after 50 ms"
    assert runtime.was_paused_for_errors
    assert outcome.notices == ["strategy a paused: on_tick was interrupted after 50 ms"]


def test_a_fill_that_is_cut_short_pauses_the_strategy_too() -> None:
    def on_fill(fill: object) -> None:
        raise TOO_LONG

    engine = simulated_engine(Actor("a", long(), on_fill=on_fill))
    (fault,) = engine.process(quote(1)).faults
    assert (fault.kind, fault.call) == ("timeout", "on_fill")
    assert engine.registry.get("a").pause_reason == "on_fill was interrupted after 50 ms"
    assert engine.portfolio.positions()


def run_again(engine: Engine, recorded: list[tuple[object, list[Interrupted]]]) -> list[list[str]]:
    told = []
    for event, interruptions in recorded:
        for each in interruptions:
            engine.process(each)
        told.append([*engine.process(event).notices])  # type: ignore[arg-type]
    return told


@pytest.mark.parametrize("in_on_fill", [False, True])
def test_recorded_interruptions_make_a_run_go_the_same_way_again(in_on_fill: bool) -> None:
    def slow(fill: object) -> None:
        raise TOO_LONG

    answers = [None, long(), *([] if in_on_fill else [TOO_LONG]), long()]
    live = simulated_engine(Actor("a", *answers, on_fill=slow if in_on_fill else None))
    recorded, told = [], []
    for at_s in range(1, 6):
        outcome = live.process(quote(at_s))
        recorded.append((quote(at_s), list(outcome.interruptions())))
        told.append([*outcome.notices])
    assert sum(len(interruptions) for _, interruptions in recorded) == 1
    again = simulated_engine(Actor("a", None, long(), long()))
    assert run_again(again, recorded) == told
    assert again.registry.get("a").pause_reason == live.registry.get("a").pause_reason
    assert [each.quantity for each in again.portfolio.positions()] == [
        each.quantity for each in live.portfolio.positions()
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Mischief("x"), GeneratorExit()])
def test_nothing_that_a_strategy_raises_passes_where_ctrl_c_is_heard_elsewhere(error: BaseException) -> None:
    engine = engine_with(Actor("a", error, error), Actor("b"))
    engine.guard.passes_on = ()
    assert [fault.kind for fault in engine.process(quote(1)).faults] == ["exception"]
    step = engine.process_until(iter([SoundBookEvent("BTC", ns(2), book())]), ns(99))
    assert step is not None
    assert step[1] is not None
    assert [fault.kind for fault in step[1].faults] == ["exception"]
    assert engine.guard.running is None


def test_nobody_is_called_between_two_calls() -> None:
    engine = simulated_engine(Actor("a", long(), ValueError("x")), Actor("b"))
    for at_s in (1, 2, 3):
        engine.process(quote(at_s))
        assert engine.guard.running is None


def test_an_error_that_cannot_be_shown_because_that_never_ends_is_a_call_that_takes_too_long() -> None:
    class EndlessError(Exception):
        def __str__(self) -> str:
            raise TOO_LONG

    def answer(data: object) -> None:
        raise EndlessError

    (fault,) = engine_with(Actor("a", answer)).process(quote(1)).faults
    assert (fault.kind, fault.call, fault.message) == ("timeout", "the text of its error", "interrupted after 50 ms")


def test_ticks_over_budget_are_counted() -> None:
    times_ns = iter(range(300_000, 10**9, 300_000))
    engine = engine_with()
    engine._market_data.stopwatch_ns = lambda: next(times_ns)
    engine.guard.tick_budget_ns = 200_000
    engine.registry.load(Actor("slow").spec)
    engine.guard.tick_budget_ns = 400_000
    engine.registry.load(Actor("quick").spec)
    engine.process(quote(1))
    assert [runtime.on_tick_latency.over_budget for runtime in engine.registry] == [1, 0]
