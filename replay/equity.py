"""The equity curve of a run, sampled in event time within a fixed amount of memory.

Samples are taken at whole multiples of an interval. It starts at one second; whenever the curve would outgrow
``max_samples``, the interval steps up the ladder and the samples between the new boundaries are dropped. The ladder's
steps divide each other, so a curve is the same whichever way it was arrived at.
"""

from __future__ import annotations

from typing import Final

from sengine.clock import NS_PER_S

MAX_SAMPLES: Final = 10_000
LADDER_NS: Final = tuple(seconds * NS_PER_S for seconds in (1, 5, 15, 60, 300, 900, 3600, 14400, 86400))


class EquityCurve:
    """P&L and gross notional over time. ``advance`` is called when ``next_ns`` was reached."""

    def __init__(self, max_samples: int = MAX_SAMPLES) -> None:
        self._max_samples = max_samples
        self._step = 0
        self._first = 0
        """Index, counted from the epoch in intervals, of the first sample."""
        self.pnl: list[float] = []
        self.gross_notional: list[float] = []
        self.next_ns = -(2**63)

    @property
    def interval_ns(self) -> int:
        return LADDER_NS[self._step]

    def times_ns(self) -> list[int]:
        """The moment of each sample."""
        return [(self._first + place) * self.interval_ns for place in range(len(self.pnl))]

    def advance(self, now_ns: int, pnl: float, gross_notional: float) -> int:
        """Take the samples due up to ``now_ns``; ``pnl`` and ``gross_notional`` held until then.

        Returns the moment when the next sample is due.
        """
        if not self.pnl:
            # The boundary at or before the first event: the state before the run.
            self._first = now_ns // self.interval_ns
            self._append(pnl, gross_notional)
        while self.next_ns <= now_ns:
            self._append(pnl, gross_notional)
        return self.next_ns

    def finish(self, pnl: float, gross_notional: float) -> None:
        """Add the state at the end of the run as the last sample."""
        if self.pnl:
            self._append(pnl, gross_notional)

    def _append(self, pnl: float, gross_notional: float) -> None:
        self.pnl.append(pnl)
        self.gross_notional.append(gross_notional)
        if len(self.pnl) > self._max_samples and self._step + 1 < len(LADDER_NS):
            self._coarsen()
        self.next_ns = (self._first + len(self.pnl)) * self.interval_ns

    def _coarsen(self) -> None:
        ratio = LADDER_NS[self._step + 1] // self.interval_ns
        skipped = -self._first % ratio
        # A first boundary between the new ones moves down to the one before, where the run had not begun either.
        before_run = slice(0, 1 if skipped else 0)
        self.pnl = self.pnl[before_run] + self.pnl[skipped::ratio]
        self.gross_notional = self.gross_notional[before_run] + self.gross_notional[skipped::ratio]
        self._first //= ratio
        self._step += 1
