"""Latency histograms that cost the tick path one ``list.append``.

Samples are appended as plain nanoseconds and folded now and then, in bulk, into log-scaled buckets: 32 to each
doubling, so a percentile read back is within 3.2% of the sample it stands for. ``max`` is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

SUB_BUCKETS: Final = 32
_OCTAVES: Final = 48  # 2**48 ns is three days

# The plan's Prometheus buckets for on_tick, in microseconds.
PLAN_BUCKETS_US: Final = (10, 50, 100, 250, 500, 1000, 2000, 5000)
_PLAN_EDGES_NS: Final = np.array(PLAN_BUCKETS_US, dtype=np.int64) * 1000


class LatencyHistogram:
    """Durations in nanoseconds. Call ``record(ns)`` on the hot path and ``fold()`` every few thousand samples."""

    __slots__ = ("_counts", "_pending", "_plan_counts", "count", "max_ns", "record", "sum_ns")

    def __init__(self) -> None:
        self._pending: list[int] = []
        self.record: Callable[[int], None] = self._pending.append
        self._counts = np.zeros(_OCTAVES * SUB_BUCKETS, dtype=np.int64)
        self._plan_counts = np.zeros(len(PLAN_BUCKETS_US) + 1, dtype=np.int64)
        self.count = 0
        self.sum_ns = 0
        self.max_ns = 0

    def fold(self) -> None:
        """Move the pending samples into the buckets."""
        if not self._pending:
            return
        samples = np.array(self._pending, dtype=np.int64)
        self._pending.clear()
        mantissa, exponent = np.frexp(np.maximum(samples, 1))
        index = (exponent - 1) * SUB_BUCKETS + ((mantissa * 2 - 1) * SUB_BUCKETS).astype(np.int64)
        self._counts += np.bincount(np.minimum(index, self._counts.size - 1), minlength=self._counts.size)
        bucket = np.searchsorted(_PLAN_EDGES_NS, samples, side="left")
        self._plan_counts += np.bincount(bucket, minlength=self._plan_counts.size)
        self.count += int(samples.size)
        self.sum_ns += int(samples.sum())
        self.max_ns = max(self.max_ns, int(samples.max()))

    def percentile_ns(self, quantile: float) -> float:
        """Nanoseconds below which ``quantile`` (0 to 1) of the samples lie; 0.0 when there are none."""
        self.fold()
        if self.count == 0:
            return 0.0
        rank = max(1, int(np.ceil(quantile * self.count)))
        octave, sub = divmod(int(np.searchsorted(np.cumsum(self._counts), rank)), SUB_BUCKETS)
        middle = float(2**octave) * (1 + (sub + 0.5) / SUB_BUCKETS)
        return float(min(middle, self.max_ns))

    def plan_buckets(self) -> list[int]:
        """Cumulative counts at ``PLAN_BUCKETS_US`` and, last, of all samples: a Prometheus histogram."""
        self.fold()
        return [int(count) for count in np.cumsum(self._plan_counts)]

    def octave_counts(self) -> list[int]:
        """Counts per doubling, from 1 ns up: what a terminal has room to draw."""
        self.fold()
        return [int(count) for count in self._counts.reshape(_OCTAVES, SUB_BUCKETS).sum(axis=1)]

    def summary_us(self) -> dict[str, float]:
        """``p50``, ``p99`` and ``max`` in microseconds."""
        return {
            "p50": self.percentile_ns(0.50) / 1000,
            "p99": self.percentile_ns(0.99) / 1000,
            "max": self.max_ns / 1000,
        }
