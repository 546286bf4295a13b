from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.engine.latency import PLAN_BUCKETS_US, LatencyHistogram

durations = st.lists(st.integers(1, 10**12), min_size=1, max_size=100)


def recorded(samples: list[int]) -> LatencyHistogram:
    histogram = LatencyHistogram()
    for sample in samples:
        histogram.record(sample)
    return histogram


def test_nothing_recorded_is_all_zeros() -> None:
    histogram = LatencyHistogram()
    histogram.fold()
    assert histogram.summary_us() == {"p50": 0.0, "p99": 0.0, "max": 0.0}
    assert histogram.count == 0
    assert histogram.plan_buckets() == [0] * (len(PLAN_BUCKETS_US) + 1)


@given(durations, st.floats(0.0, 1.0))
def test_a_percentile_is_within_a_bucket_of_the_sample_it_stands_for(samples: list[int], quantile: float) -> None:
    exact = sorted(samples)[max(1, ceil(quantile * len(samples))) - 1]
    assert recorded(samples).percentile_ns(quantile) == pytest.approx(exact, rel=0.032)


@given(durations)
def test_count_sum_and_maximum_are_exact(samples: list[int]) -> None:
    histogram = recorded(samples)
    histogram.fold()
    assert (histogram.count, histogram.sum_ns, histogram.max_ns) == (len(samples), sum(samples), max(samples))
    assert sum(histogram.octave_counts()) == len(samples)


@given(durations, st.integers(0, 100))
def test_folding_in_between_changes_nothing(samples: list[int], cut: int) -> None:
    histogram = recorded(samples[:cut])
    histogram.fold()
    for sample in samples[cut:]:
        histogram.record(sample)
    whole = recorded(samples)
    assert histogram.summary_us() == whole.summary_us()
    assert histogram.octave_counts() == whole.octave_counts()
    assert histogram.plan_buckets() == whole.plan_buckets()


@given(durations)
def test_percentiles_never_fall_and_never_exceed_the_maximum(samples: list[int]) -> None:
    summary = recorded(samples).summary_us()
    assert summary["p50"] <= summary["p99"] <= summary["max"]


def test_the_plans_buckets_are_cumulative_and_hold_their_upper_edge() -> None:
    samples_us = [1, 10, 11, 50, 250, 251, 5_000, 5_001]
    histogram = recorded([sample * 1_000 for sample in samples_us])
    assert PLAN_BUCKETS_US == (10, 50, 100, 250, 500, 1000, 2000, 5000)
    assert histogram.plan_buckets() == [sum(sample <= edge for sample in samples_us) for edge in PLAN_BUCKETS_US] + [8]


def test_octaves_count_per_doubling() -> None:
    counts = recorded([1, 2, 3, 4, 7, 8, 1024]).octave_counts()
    assert counts[:4] == [1, 2, 2, 1]
    assert counts[10] == 1


def test_a_clock_that_stood_still_or_ran_for_weeks_is_recorded() -> None:
    histogram = recorded([0, 10**16])
    assert histogram.percentile_ns(0.5) <= 1.1
    assert histogram.summary_us()["max"] == 10**13
    assert sum(histogram.octave_counts()) == 2
