"""Signals that say the same again and again, as one entry with a count: the quotes of one market maker would otherwise
push everybody else off the screen."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final, TypeAlias

from sengine.adapters.control.views import SignalView
from sengine.clock import NS_PER_S
from tui.tail import Tail

WITHIN_NS: Final = 10 * NS_PER_S

_Saying: TypeAlias = tuple[str, str, str, str, str]


class Burst:
    """``count`` signals of one strategy on one symbol with the same direction and outcome, the first of them the
    ``number``-th of the stream and from ``began_ns``, the last of them ``last``."""

    __slots__ = ("began_ns", "count", "last", "number")

    def __init__(self, number: int, first: SignalView) -> None:
        self.number = number
        self.last = first
        self.count = 1
        self.began_ns = first.timestamp_ns


class Bursts:
    """The last ``size`` bursts of a stream of signals. One takes what says the same within ``WITHIN_NS`` of its first
    signal."""

    def __init__(self, size: int) -> None:
        self._bursts: deque[Burst] = deque(maxlen=size)
        self._open: dict[_Saying, Burst] = {}
        self._followed = (0, 0)
        self._total = 0

    def follow(self, tail: Tail[SignalView]) -> Sequence[Burst]:
        """Take what is new in ``tail``; the bursts, oldest first."""
        if (id(tail), tail.restarts) != self._followed:
            self._bursts.clear()
            self._open.clear()
            self._followed, self._total = (id(tail), tail.restarts), 0
        items = tail.items
        first = max(self._total, tail.total - len(items))
        for number, view in enumerate(islice(items, len(items) - (tail.total - first), None), first):
            self._add(number, view)
        self._total = tail.total
        return self._bursts

    def _add(self, number: int, view: SignalView) -> None:
        saying = view.strategy_id, view.symbol, view.direction, view.disposition, view.check
        burst = self._open.get(saying)
        if burst is not None and view.timestamp_ns - burst.began_ns < WITHIN_NS:
            burst.count += 1
            burst.last = view
            return
        self._open[saying] = burst = Burst(number, view)
        self._bursts.append(burst)
