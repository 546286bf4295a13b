"""Profit and loss over the life of the engine, kept small, so that a screen that attaches late has the past."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sengine.clock import NS_PER_S

POINTS: Final = 3600


class PnlHistory:
    """To be sampled once a second. It keeps every point at first; when there are ``POINTS``, every other one goes and
    the step doubles.

    ``read`` gives the moment and the P&L, realized and unrealized; ``None`` while there is no one sum of it.
    """

    def __init__(self, read: Callable[[], tuple[int, float] | None]) -> None:
        self.times_ns: list[int] = []
        self.pnl: list[float] = []
        self._read = read
        self._step_ns = NS_PER_S

    def sample(self) -> None:
        now = self._read()
        if now is None:
            return
        at_ns, pnl = now
        # Half a step of grace: the sleep between two samples is never exact.
        if self.times_ns and at_ns - self.times_ns[-1] < self._step_ns - NS_PER_S // 2:
            return
        self.times_ns.append(at_ns)
        self.pnl.append(pnl)
        if len(self.times_ns) > POINTS:
            del self.times_ns[1::2], self.pnl[1::2]
            self._step_ns *= 2
