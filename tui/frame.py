"""All that one repaint shows, taken at one moment and handed to every panel that is in sight."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from sengine.adapters.control.views import LogLineView, PnlHistoryView, SignalView, SnapshotView
from sengine.clock import NS_PER_S
from tui.tail import Tail
from tui.themes import Palette

_POINTS: Final = 7200


class History:
    """Profit and loss over time, the engine's own record first and then what these screens see, and the rate of ticks.

    One point a second; when there are ``_POINTS``, every other one goes and the step doubles."""

    def __init__(self) -> None:
        self.times_ns: list[int] = []
        self.pnl: list[float] = []
        self.ticks_per_s = 0.0
        self._step_ns = NS_PER_S // 2
        self._engine = (0, 0)
        self._seen: deque[tuple[float, int]] = deque(maxlen=9)

    def add(self, snapshot: SnapshotView, past: PnlHistoryView | None = None) -> None:
        engine = (snapshot.service.pid, snapshot.service.started_ns)
        if engine != self._engine:  # another run: its P&L is another curve
            self.times_ns.clear()
            self.pnl.clear()
            self._seen.clear()
            self._engine = engine
            if past is not None:
                self.times_ns += past.times_ns
                self.pnl += past.pnl
        up_s = snapshot.service.uptime_s  # in a replay time_ns goes at another pace
        if self._seen and self._seen[-1][0] == up_s:
            return
        self._seen.append((up_s, snapshot.ticks))
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        self.ticks_per_s = (last - first) / (last_s - first_s) if last_s > first_s else 0.0
        if not self.times_ns or snapshot.time_ns - self.times_ns[-1] >= self._step_ns:
            if snapshot.pnl is None:
                return
            self.times_ns.append(snapshot.time_ns)
            self.pnl.append(snapshot.pnl)
            if len(self.times_ns) > _POINTS:
                del self.times_ns[::2], self.pnl[::2]
                self._step_ns *= 2


class Frame(msgspec.Struct, frozen=True):
    snapshot: SnapshotView
    signals: Tail[SignalView]
    log: Tail[LogLineView]
    history: History
    palette: Palette
    is_stale: bool
    killed_by: str
    """The kill switch's reason, or empty."""

    @property
    def pnl(self) -> float | None:
        """``None`` where positions are in different currencies."""
        return self.snapshot.pnl

    @property
    def max_position(self) -> float | None:
        """The largest position that risk allows, of one strategy in one symbol."""
        for check in self.snapshot.risk:
            if check.limit_name == "max_position":
                return check.limit
        return None
