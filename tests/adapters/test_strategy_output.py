"""What strategies print, log and warn becomes lines of theirs; what the program itself writes does not."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.adapters.containment.strategy_output import (
    LONGEST_LINE,
    StrategyOutput,
    called_by,
    unheard,
)
from sengine.domain.strategy_line import StrategyLine
from sengine.engine.strategies.guard import Guard, Loading
from tests.engine.conftest import Actor, S, quote, simulated_engine

GUEST = Loading("chatty")


@contextmanager
def hearing(**bounds: Any) -> Iterator[tuple[Guard, list[StrategyLine], list[int]]]:
    """A guard, the lines heard so far, and event time, to be set."""
    guard, lines, now_ns = Guard(), list[StrategyLine](), [0]
    with StrategyOutput(called_by(guard), lambda: now_ns[0], lines.append, **bounds):
        yield guard, lines, now_ns


def test_print_in_a_call_is_a_line_of_the_strategy_with_event_time(capsys: pytest.CaptureFixture[str]) -> None:
    with hearing() as (guard, lines, now_ns):
        print("ours before")
        now_ns[0] = 5 * S
        with guard.calling(GUEST):
            print("mid", 1.5)
            print("to the other", file=sys.stderr)
            sys.stdout.writelines(["half ", "a line\nand another\n"])
        print("ours after")
    assert lines == [
        StrategyLine("chatty", 5 * S, "info", "mid 1.5"),
        StrategyLine("chatty", 5 * S, "warning", "to the other"),
        StrategyLine("chatty", 5 * S, "info", "half a line"),
        StrategyLine("chatty", 5 * S, "info", "and another"),
    ]
    assert capsys.readouterr().out == "ours before\nours after\n"


def test_what_is_logged_is_lines_with_their_level(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("some.strategy")
    with hearing() as (guard, lines, _), guard.calling(GUEST):
        log.info("bought %d", 3)
        log.warning("odd")
        try:
            raise ValueError("deep")
        except ValueError:
            log.exception("failed")
    said = [(line.level, line.text) for line in lines]
    assert said[:3] == [("info", "bought 3"), ("warning", "odd"), ("error", "failed")]
    assert ("error", "ValueError: deep") in said
    assert capsys.readouterr() == ("", "")


def test_other_parts_log_as_they_would_without_it(capsys: pytest.CaptureFixture[str]) -> None:
    log, root = logging.getLogger("library"), logging.getLogger()
    before, root.handlers = root.handlers, []
    level = root.level
    try:
        with hearing() as (_, lines, _now):
            log.info("nobody asked")
            log.warning("hear this")
    finally:
        root.handlers = before
    assert lines == []
    assert capsys.readouterr().err == "hear this\n"
    assert (root.handlers, root.level) == (before, level)


def test_another_thread_is_not_taken_for_the_strategy_that_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with hearing() as (guard, lines, _), guard.calling(GUEST):
        thread = threading.Thread(target=print, args=("elsewhere",))
        thread.start()
        thread.join()
    assert lines == []
    assert capsys.readouterr().out == "elsewhere\n"


def test_too_many_lines_within_a_second_are_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    with hearing(per_second=3) as (guard, lines, now_ns):
        for second in (1, 2):
            now_ns[0] = second * S
            with guard.calling(GUEST):
                for number in range(5):
                    print(second, number)
    assert [line.text for line in lines] == [
        "1 0", "1 1", "1 2", "2 more lines of it left out: 3 a second of event time are told",
        "2 0", "2 1", "2 2", "2 more lines of it left out: 3 a second of event time are told",
    ]  # fmt: skip


def test_there_is_a_most_in_all_that_is_told_once() -> None:
    with hearing(per_second=100, most=2) as (guard, lines, now_ns):
        for second in range(9):
            now_ns[0] = second * S
            with guard.calling(GUEST):
                print("second", second)
    assert [line.text for line in lines[:2]] == ["second 0", "second 1"]
    assert [line.level for line in lines[2:]] == ["warning"]
    assert "it has had its 2 lines" in lines[2].text


def test_two_strategies_have_their_own_bounds_and_their_own_half_lines() -> None:
    other = Loading("other")
    with hearing(per_second=1) as (guard, lines, _):
        for runtime in (GUEST, other, GUEST, other):
            with guard.calling(runtime):
                print("half", end=" ")
    assert [(line.strategy_id, line.text) for line in lines] == [("chatty", "half half "), ("other", "half half ")]


@given(st.lists(st.text(max_size=3 * LONGEST_LINE), max_size=6))
def test_no_line_is_longer_than_allowed_or_has_a_line_break(texts: list[str]) -> None:
    with hearing() as (guard, lines, _), guard.calling(GUEST):
        for text in texts:
            print(text)
    assert all(len(line.text) <= LONGEST_LINE + 40 and len(line.text.splitlines()) <= 1 for line in lines)


def test_code_that_is_run_aside_is_not_heard_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with hearing() as (guard, lines, _), guard.calling(GUEST):
        with unheard():
            print("in its proof already")
            logging.getLogger("x").warning("this too")
        print("now")
    assert [line.text for line in lines] == ["now"]
    assert capsys.readouterr() == ("", "")


def test_the_streams_are_put_back_and_still_are_streams_meanwhile() -> None:
    before = sys.stdout, sys.stderr
    with hearing():
        assert sys.stdout is not before[0]
        assert sys.stdout.isatty() == before[0].isatty()
        assert sys.stdout.encoding == before[0].encoding
        sys.stdout.flush()
    assert (sys.stdout, sys.stderr) == before


def test_a_strategy_in_an_engine_is_heard_in_on_tick_on_fill_and_shutdown() -> None:
    def chatty(data: Any) -> None:
        print("tick at", data.timestamp_ns)

    engine = simulated_engine(Actor("a", chatty))
    lines: list[StrategyLine] = []
    with StrategyOutput(called_by(engine.guard), lambda: engine.now_ns, lines.append):
        engine.process(quote(7))
    assert lines == [StrategyLine("a", 7 * S, "info", f"tick at {7 * S}")]
