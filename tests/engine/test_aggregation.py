"""The four methods of semantics section 3, as pure functions of the fresh votes."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.signal import Direction, StampedSignal
from sengine.engine.signals.aggregation import METHODS, first_signal, majority_vote, unanimous, weighted_average
from tests.engine.conftest import vote

NONE, LONG, SHORT, CLOSE = Direction.NONE, Direction.LONG, Direction.SHORT, Direction.CLOSE

# Coarse and fine confidences: the coarse ones tie often.
confidences = st.one_of(st.integers(0, 4).map(lambda quarters: quarters / 4), st.floats(0.0, 1.0))
ballots = st.lists(
    st.tuples(st.sampled_from(["LONG", "SHORT", "CLOSE"]), confidences, st.integers(0, 4)), min_size=1, max_size=7
).map(
    lambda cast: [
        vote(f"s{place}", direction, confidence, age, sequence=place)
        for place, (direction, confidence, age) in enumerate(cast)
    ]
)


def cast(*ballot: tuple[str, float]) -> list[StampedSignal]:
    return [
        vote(f"s{place}", direction, confidence, sequence=place) for place, (direction, confidence) in enumerate(ballot)
    ]


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@settings(max_examples=40)
@given(data=st.data(), votes=ballots)
def test_the_order_of_votes_never_matters(method, data: st.DataObject, votes: list[StampedSignal]) -> None:
    assert method(data.draw(st.permutations(votes))) == method(votes)


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@settings(max_examples=40)
@given(votes=ballots)
def test_confidence_is_from_0_to_1(method, votes: list[StampedSignal]) -> None:
    assert 0.0 <= method(votes).confidence <= 1.0


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
@settings(max_examples=40)
@given(votes=ballots)
def test_a_decision_has_a_direction_that_the_method_can_reach(method, votes: list[StampedSignal]) -> None:
    reachable = {each.direction for each in votes} | {NONE}
    if method is weighted_average:
        reachable.add(CLOSE)
    assert method(votes).direction in reachable


@given(ballots)
def test_mean_confidence_is_the_exact_mean(votes: list[StampedSignal]) -> None:
    mean = sum(Fraction(each.confidence) for each in votes) / len(votes)
    assert majority_vote(votes).confidence == pytest.approx(float(mean), rel=1e-15, abs=1e-300)


@given(ballots)
def test_weighted_average_agrees_with_exact_fractions(votes: list[StampedSignal]) -> None:
    weight = sum(Fraction(each.confidence) for each in votes)
    if weight < Fraction(1, 10**9):
        return
    values = {LONG: 1, SHORT: -1, CLOSE: 0}
    x = sum(values[each.direction] * Fraction(each.confidence) for each in votes) / weight
    if abs(abs(x) - Fraction(3, 10)) < Fraction(1, 10**12):
        return
    expected = LONG if x > 0.3 else SHORT if x < -0.3 else CLOSE
    assert weighted_average(votes).direction is expected


@given(ballots)
def test_majority_agrees_with_exact_fractions(votes: list[StampedSignal]) -> None:
    totals: dict[Direction, Fraction] = {}
    for each in votes:
        totals[each.direction] = totals.get(each.direction, Fraction(0)) + Fraction(each.confidence)
    ranked = sorted(totals, key=lambda direction: -totals[direction])
    if len(ranked) > 1 and 0 < totals[ranked[0]] - totals[ranked[1]] < Fraction(1, 10**12):
        return
    tie = len(ranked) > 1 and totals[ranked[0]] == totals[ranked[1]]
    assert majority_vote(votes).direction is (NONE if tie else ranked[0])


def test_majority_is_by_the_sum_of_confidences_and_not_by_heads() -> None:
    decision = majority_vote(cast(("LONG", 0.25), ("LONG", 0.25), ("SHORT", 0.75)))
    assert decision.direction is SHORT
    assert decision.confidence == pytest.approx(1.25 / 3)


@pytest.mark.parametrize(
    "ballot",
    [
        [("LONG", 0.5), ("SHORT", 0.5)],
        [("LONG", 0.25), ("LONG", 0.25), ("CLOSE", 0.5), ("SHORT", 0.125)],
        [("LONG", 0.0), ("SHORT", 0.0)],
    ],
)
def test_a_tie_of_the_majority_is_none(ballot: list[tuple[str, float]]) -> None:
    assert majority_vote(cast(*ballot)).direction is NONE


def test_a_tie_below_the_largest_sum_is_no_tie() -> None:
    assert majority_vote(cast(("LONG", 0.25), ("SHORT", 0.25), ("CLOSE", 0.5))).direction is CLOSE


def test_tenths_that_are_summed_in_another_order_still_tie() -> None:
    tenths = [0.1, 0.2, 0.3, 0.4]
    ballot = [("LONG", part) for part in tenths] + [("SHORT", part) for part in reversed(tenths)]
    assert majority_vote(cast(*ballot)).direction is NONE


@pytest.mark.parametrize(
    ("ballot", "expected"),
    [
        ([("LONG", 0.75), ("SHORT", 0.25)], LONG),  # x = 0.5
        ([("LONG", 0.25), ("SHORT", 0.75)], SHORT),  # x = -0.5
        ([("LONG", 0.625), ("SHORT", 0.375)], CLOSE),  # x = 0.25
        ([("LONG", 0.375), ("SHORT", 0.625)], CLOSE),  # x = -0.25
        ([("LONG", 0.5), ("SHORT", 0.5)], CLOSE),  # x = 0
        ([("LONG", 0.5), ("CLOSE", 0.5)], LONG),  # x = 0.5
        ([("LONG", 0.25), ("CLOSE", 0.75)], CLOSE),  # x = 0.25
        ([("SHORT", 0.5), ("CLOSE", 0.5), ("SHORT", 0.0)], SHORT),
        ([("CLOSE", 0.5), ("CLOSE", 1.0)], CLOSE),
    ],
)
def test_weighted_average_takes_a_side_beyond_three_tenths(
    ballot: list[tuple[str, float]], expected: Direction
) -> None:
    assert weighted_average(cast(*ballot)).direction is expected


@pytest.mark.parametrize(("side", "other"), [("LONG", "SHORT"), ("SHORT", "LONG")])
def test_an_average_of_exactly_three_tenths_takes_no_side(side: str, other: str) -> None:
    ballot = [(side, 1.0)] * 13 + [(other, 1.0)] * 7  # 6/20
    assert weighted_average(cast(*ballot)).direction is CLOSE


@pytest.mark.parametrize("ballot", [[("LONG", 0.0)], [("LONG", 0.0), ("SHORT", 0.0), ("CLOSE", 0.0)]])
def test_weighted_average_without_any_confidence_is_none(ballot: list[tuple[str, float]]) -> None:
    decision = weighted_average(cast(*ballot))
    assert (decision.direction, decision.confidence) == (NONE, 0.0)


@pytest.mark.parametrize("direction", ["LONG", "SHORT", "CLOSE"])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_a_lone_vote_decides(method, direction: str) -> None:
    decision = method(cast((direction, 0.7)))
    assert (decision.direction, decision.confidence) == (Direction(direction), 0.7)


@pytest.mark.parametrize("method", [majority_vote, weighted_average])
def test_confidence_is_the_mean_over_all_votes_the_losing_ones_included(method) -> None:
    assert method(cast(("LONG", 1.0), ("SHORT", 0.25))).confidence == 0.625


def test_unanimous_is_the_direction_that_all_share() -> None:
    decision = unanimous(cast(("SHORT", 0.5), ("SHORT", 1.0)))
    assert (decision.direction, decision.confidence) == (SHORT, 0.75)


def test_one_dissenter_makes_unanimous_none_with_no_confidence() -> None:
    decision = unanimous(cast(("SHORT", 0.5), ("SHORT", 1.0), ("CLOSE", 0.1)))
    assert (decision.direction, decision.confidence) == (NONE, 0.0)


def test_first_signal_is_the_oldest_votes_direction_and_confidence() -> None:
    votes = [vote("late", "LONG", 0.9, 2.0, 1), vote("early", "SHORT", 0.4, 1.0, 2), vote("last", "LONG", 1.0, 3.0, 3)]
    decision = first_signal(votes)
    assert (decision.direction, decision.confidence) == (SHORT, 0.4)


def test_of_equally_old_votes_the_one_given_first_is_first() -> None:
    votes = [vote("b", "LONG", 0.9, 1.0, sequence=2), vote("a", "SHORT", 0.4, 1.0, sequence=1)]
    assert first_signal(votes).direction is SHORT
