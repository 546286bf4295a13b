from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.adapters.control.views import LatencyView, ReloadReportView, ReloadStepView, SignalComparisonView
from tui import figures
from tui.screens.details import last_reload_text
from tui.tail import Tail
from tui.themes import Palette
from tui.widgets.curve import draw_curve
from tui.widgets.latency import octaves_in_sight


def test_a_tail_counts_what_no_screen_has_seen() -> None:
    tail: Tail[int] = Tail(3)
    tail.extend([1, 2])
    assert tail.drain()
    tail.extend([3, 4, 5, 6, 7])
    assert list(tail.items) == [5, 6, 7]
    assert tail.dropped == 2
    tail.extend([], dropped_by_engine=10)
    assert tail.dropped == 12
    assert tail.drain()
    assert not tail.drain()


def test_history_that_finds_no_room_is_not_dropped() -> None:
    tail: Tail[int] = Tail(3)
    tail.extend(range(9))
    tail.restart(range(5))
    assert list(tail.items) == [2, 3, 4]
    assert tail.dropped == 0


@given(st.lists(st.integers(0, 20), max_size=20))
def test_a_tail_is_bounded_and_counts_everything(batches: list[int]) -> None:
    tail: Tail[int] = Tail(7)
    for size in batches:
        tail.extend(range(size))
    assert len(tail.items) <= 7
    assert tail.dropped == max(0, sum(batches) - 7)


@pytest.mark.parametrize(
    ("value_us", "text"),
    [(0, ""), (0.85, "850ns"), (9.26, "9.3us"), (62.9, "63us"), (1300.0, "1.3ms"), (2_000_000.0, "2.0s")],
)
def test_latencies_are_written_in_their_own_unit(value_us: float, text: str) -> None:
    assert figures.micros(value_us) == text


@pytest.mark.parametrize(("amount", "text"), [(0.0, "0.00"), (-0.004, "0.00"), (1234.5, "+1,234.50"), (-3, "-3.00")])
def test_money_is_signed_unless_it_is_nothing(amount: float, text: str) -> None:
    assert figures.money(amount) == text


@given(st.floats(allow_nan=False, min_value=-5, max_value=5), st.integers(1, 40))
def test_a_bar_is_as_wide_as_asked(share: float, width: int) -> None:
    assert len(figures.bar(share, width)) == width


@given(st.lists(st.floats(-1e9, 1e9), max_size=50), st.integers(1, 40), st.integers(1, 10))
def test_a_curve_fills_its_box_and_no_more(values: list[float], width: int, height: int) -> None:
    lines = draw_curve(values, width, height, min(values, default=0.0), max(values, default=0.0))
    assert [len(line) for line in lines] == [width] * height


@given(st.lists(st.integers(0, 1000), max_size=50))
def test_no_sample_is_left_out_of_the_histogram(octaves: list[int]) -> None:
    view = LatencyView(count=sum(octaves), p50_us=1.0, p99_us=1.0, max_us=1.0, octave_counts=tuple(octaves))
    assert sum(octaves_in_sight(view)) == sum(octaves)


def test_the_last_reload_is_told_step_by_step() -> None:
    report = ReloadReportView(
        strategy_id="a",
        what="code",
        trigger="file",
        time_ns=0,
        is_done=False,
        old_version="1",
        new_version="2",
        message="strategy a not reloaded",
        reason="too slow",
        where="a.py:3",
        steps=(
            ReloadStepView(name="load", is_done=True, took_ms=1.25, note=""),
            ReloadStepView(name="canary", is_done=False, took_ms=20.0, note="too slow"),
        ),
        compared=SignalComparisonView(ticks=10, same=9, differ=1, first_difference="BTC at noon"),
        on_tick_p50_us=1.0,
        on_tick_p99_us=2.0,
        swap_pause_us=0.0,
        longest_stall_us=0.0,
        took_ms=22.0,
    )
    lines = last_reload_text(report, Palette(*[""] * 8)).plain.splitlines()
    assert lines[2:] == [
        "strategy a not reloaded",
        "done        1.2 ms  load",
        "FAILED     20.0 ms  canary",
        "1 of 10 differ, first BTC at noon",
    ]
