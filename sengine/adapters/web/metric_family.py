"""One Prometheus metric with its samples, and how the engine's counters and histograms become one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, Final, TypeAlias

import msgspec

from sengine.engine.latency import PLAN_BUCKETS_US, LatencyHistogram

# sengine_*_seconds: doublings from 1.024 us to 8.6 s.
_FIRST_OCTAVE: Final = 9
_LAST_OCTAVE: Final = 32

Labels: TypeAlias = tuple[tuple[str, str], ...]
Sample: TypeAlias = tuple[str, Labels, float]
"""Suffix of the family's name, labels, value."""


class Family(msgspec.Struct, frozen=True):
    """One metric. ``kind`` is counter, gauge or histogram; a counter's name ends in ``_total``."""

    name: str
    kind: str
    help: str
    samples: Iterable[Sample]


def counter(name: str, text: str, counts: Mapping[Any, int], labels: Sequence[str]) -> Family:
    # A copy, because the engine goes on counting between two samples.
    items = list(counts.items())
    return Family(name, "counter", text, (("", tuple(zip(labels, key, strict=True)), count) for key, count in items))


def total(name: str, text: str, value: float) -> Family:
    return Family(name, "counter", text, [("", (), value)])


def gauge(name: str, text: str, value: float) -> Family:
    return Family(name, "gauge", text, [("", (), value)])


def plan_histogram(histogram: LatencyHistogram, labels: Labels) -> Iterator[Sample]:
    counts = histogram.plan_buckets()
    for edge, count in zip((*map(float, PLAN_BUCKETS_US), inf), counts, strict=True):
        yield "_bucket", (*labels, ("le", number(edge))), count
    yield "_count", labels, counts[-1]
    yield "_sum", labels, histogram.sum_ns / 1000


def seconds(name: str, text: str, histogram: LatencyHistogram) -> Family:
    return Family(name, "histogram", text, _octave_histogram(histogram))


def _octave_histogram(histogram: LatencyHistogram) -> Iterator[Sample]:
    below, counts, total, sum_ns = 0, histogram.octave_counts(), histogram.count, histogram.sum_ns
    for octave, count in enumerate(counts[: _LAST_OCTAVE + 1]):
        below += count
        if octave >= _FIRST_OCTAVE:
            yield "_bucket", (("le", number(2 ** (octave + 1) / 1e9)),), below
    yield "_bucket", (("le", "+Inf"),), total
    yield "_count", (), total
    yield "_sum", (), sum_ns / 1e9


def number(value: float) -> str:
    """As the format wants it: 12.0, 1e-06, +Inf, NaN."""
    text = repr(float(value))
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(text, text)
