"""Latency histograms that cost the tick path one ``list.append``.

Samples are appended as plain nanoseconds and folded now and then, in bulk, into log-scaled buckets: 32 to each
doubling, so a percentile read back is within 3.2% of the sample it stands for. ``max`` is exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Final

SUB_BUCKETS: Final = 32
_SUB_BITS: Final = SUB_BUCKETS.bit_length() - 1
_OCTAVES: Final = 48  # 2**48 ns is three days
_LARGEST_NS: Final = 2**_OCTAVES - 1

# The plan's Prometheus buckets for on_tick, in microseconds.
PLAN_BUCKETS_US: Final = (10, 50, 100, 250, 500, 1000, 2000, 5000)
_PLAN_EDGES_NS: Final = tuple(edge_us * 1000 for edge_us in PLAN_BUCKETS_US)

# Histograms are brought up to date when nothing else waits (``FoldTurns``), at the latest every 8,192 of their
# samples; strategies take turns, so that the work never falls on one tick.
FOLD_EVERY: Final = 8192
_WORTH_FOLDING: Final = 128


class LatencyHistogram:
    """Durations in nanoseconds. Call ``record(ns)`` on the hot path and ``fold()`` every few thousand samples."""

    __slots__ = (
        "_counts",
        "_over_budget",
        "_pending",
        "_plan_counts",
        "budget_ns",
        "count",
        "max_ns",
        "record",
        "sum_ns",
    )

    def __init__(self, budget_ns: int = _LARGEST_NS) -> None:
        self.budget_ns = budget_ns
        self._over_budget = 0
        self._pending: list[int] = []
        self.record: Callable[[int], None] = self._pending.append
        self._counts = [0] * (_OCTAVES * SUB_BUCKETS)
        self._plan_counts = [0] * (len(PLAN_BUCKETS_US) + 1)
        self.count = 0
        self.sum_ns = 0
        self.max_ns = 0

    @property
    def pending(self) -> int:
        """Samples that are not in the buckets yet."""
        return len(self._pending)

    def fold(self) -> None:
        """Move the pending samples into the buckets."""
        pending = self._pending
        if not pending:
            return
        self.count += len(pending)
        self.sum_ns += sum(pending)
        self.max_ns = max(self.max_ns, max(pending))
        # Counting equal samples runs in C; only the few distinct ones are looked at one by one.
        for sample_ns, count in Counter(pending).items():
            self._counts[_bucket(sample_ns)] += count
            self._plan_counts[bisect_left(_PLAN_EDGES_NS, sample_ns)] += count
            if sample_ns > self.budget_ns:
                self._over_budget += count
        pending.clear()

    @property
    def over_budget(self) -> int:
        """Samples longer than ``budget_ns``."""
        self.fold()
        return self._over_budget

    def percentile_ns(self, quantile: float) -> float:
        """Nanoseconds below which ``quantile`` (0 to 1) of the samples lie; 0.0 when there are none."""
        self.fold()
        rank = max(1.0, quantile * self.count)
        for bucket, below in enumerate(accumulate(self._counts)):
            if below >= rank:
                octave, sub = divmod(bucket, SUB_BUCKETS)
                return min(float(1 << octave) * (1 + (sub + 0.5) / SUB_BUCKETS), float(self.max_ns))
        return float(self.max_ns)

    def plan_buckets(self) -> list[int]:
        """Cumulative counts at ``PLAN_BUCKETS_US`` and, last, of all samples: a Prometheus histogram."""
        self.fold()
        return list(accumulate(self._plan_counts))

    def octave_counts(self) -> list[int]:
        """Counts per doubling, from 1 ns up: what a terminal has room to draw."""
        self.fold()
        return [sum(self._counts[start : start + SUB_BUCKETS]) for start in range(0, len(self._counts), SUB_BUCKETS)]

    def summary_us(self) -> dict[str, float]:
        """``p50``, ``p99`` and ``max`` in microseconds."""
        return {
            "p50": self.percentile_ns(0.50) / 1000,
            "p99": self.percentile_ns(0.99) / 1000,
            "max": self.max_ns / 1000,
        }


def _bucket(sample_ns: int) -> int:
    """The doubling that a sample lies in, and which of its equal parts."""
    sample_ns = min(max(sample_ns, 1), _LARGEST_NS)
    octave = sample_ns.bit_length() - 1
    part = (sample_ns << _SUB_BITS >> octave) - SUB_BUCKETS
    return octave * SUB_BUCKETS + part


class FoldTurns:
    """Histograms take turns in being brought up to date; ``histograms`` are those there are when a round begins."""

    def __init__(self, histograms: Callable[[], Iterable[LatencyHistogram]]) -> None:
        self._histograms = histograms
        self._round: Iterator[LatencyHistogram] | None = None

    def fold_next(self) -> None:
        """Bring one up to date, the next one's turn; for moments when nothing waits."""
        if self._round is None:
            self._round = iter(self._histograms())
        for histogram in self._round:
            if histogram.pending >= _WORTH_FOLDING:
                histogram.fold()
                return
        self._round = None

    def fold_all(self) -> None:
        for histogram in self._histograms():
            histogram.fold()
