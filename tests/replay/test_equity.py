from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from replay.equity import LADDER_NS, MAX_SAMPLES, EquityCurve

S = 1_000_000_000


def fed(events: list[tuple[int, float]], max_samples: int = MAX_SAMPLES) -> EquityCurve:
    """A curve after events (time, P&L after the event), fed as a session feeds it."""
    curve = EquityCurve(max_samples)
    held = 0.0
    for time_ns, pnl in events:
        if time_ns >= curve.next_ns:
            curve.advance(time_ns, held, abs(held))
        held = pnl
    return curve


def test_the_first_sample_is_at_the_boundary_before_the_first_event() -> None:
    curve = fed([(7 * S + 300, 5.0)])
    assert curve.times_ns() == [7 * S]
    assert curve.pnl == [0.0]
    assert curve.next_ns == 8 * S


def test_a_level_is_held_until_the_next_event() -> None:
    curve = fed([(0, 1.0), (S + 1, 2.0), (4 * S, 3.0)])
    assert curve.times_ns() == [0, S, 2 * S, 3 * S, 4 * S]
    assert curve.pnl == [0.0, 1.0, 2.0, 2.0, 2.0]
    assert curve.gross_notional == curve.pnl


def test_the_end_of_the_run_is_the_last_sample() -> None:
    curve = fed([(0, 1.0), (S // 2, 4.0)])
    curve.finish(4.0, 7.0)
    assert curve.pnl == [0.0, 4.0]
    assert curve.gross_notional == [0.0, 7.0]


def test_a_run_without_events_has_no_samples() -> None:
    curve = EquityCurve()
    curve.finish(0.0, 0.0)
    assert curve.pnl == []
    assert curve.times_ns() == []


def test_times_before_the_epoch_are_sampled_as_well() -> None:
    assert fed([(-5 * S + 1, 1.0), (-3 * S, 2.0)]).times_ns() == [-5 * S, -4 * S, -3 * S]


def test_a_long_run_keeps_a_bounded_number_of_samples() -> None:
    curve = fed([(hour * 3600 * S, float(hour)) for hour in range(24 * 60)])
    assert len(curve.pnl) <= MAX_SAMPLES + 1
    assert curve.interval_ns > S
    assert curve.pnl[-1] == 24 * 60 - 2


def test_each_step_of_the_ladder_divides_the_next() -> None:
    assert LADDER_NS[0] == S
    assert all(coarser % finer == 0 for finer, coarser in pairwise(LADDER_NS))


@given(
    start_s=st.integers(0, 10_000),
    steps=st.lists(st.tuples(st.integers(0, 40 * S), st.integers(-5, 5)), min_size=1, max_size=40),
)
def test_a_coarsened_curve_is_the_one_sampled_at_that_interval_from_the_start(
    start_s: int, steps: list[tuple[int, int]]
) -> None:
    time_ns, level = start_s * S, 0.0
    events: list[tuple[int, float]] = []
    for gap_ns, change in steps:
        time_ns += gap_ns
        level += change
        events.append((time_ns, level))
    curve = fed(events, max_samples=8)
    expected = []
    for sample_ns in curve.times_ns():
        before = [pnl for event_ns, pnl in events if event_ns < sample_ns]
        expected.append(before[-1] if before else 0.0)
    assert curve.pnl == expected
    assert all(at % curve.interval_ns == 0 for at in curve.times_ns())
    assert len(curve.pnl) <= 8 or curve.interval_ns == LADDER_NS[-1]
    assert curve.times_ns()[-1] <= events[-1][0] < curve.next_ns
