"""The first line: what runs, whether it is healthy, what it earns, where it is, and the time. And the banner below."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import Static

from sengine.adapters.control.views import SnapshotView
from sengine.domain.state import NO_TICK
from tui import figures
from tui.themes import Palette, signed


class HeaderLine(Static):
    """One line, filled from both ends."""

    def show(
        self, snapshot: SnapshotView | None, palette: Palette, address: str, rate: float, problem: str, mode: str
    ) -> None:
        width = self.size.width
        left, right = Text(no_wrap=True), Text(no_wrap=True)
        left.append(" ◆ ", palette.accent)
        left.append(snapshot.service.name if snapshot else "sengine", palette.bold)
        left.append("  ")
        left.append(*_health(snapshot, palette, problem))
        if snapshot is not None:
            left.append("  P&L ", palette.label)
            if snapshot.pnl is None and width >= 100:
                for total in snapshot.totals:
                    left.append(f"{figures.money(total.pnl)} {total.name}  ", f"bold {signed(palette, total.pnl)}")
                left.right_crop(2)
            else:
                left.append(figures.money(snapshot.pnl), f"bold {signed(palette, snapshot.pnl)}")
            if width >= 70:
                left.append(f"  {rate:,.0f}", palette.text)
                left.append(" ticks/s", palette.label)
            if width >= 130:
                left.append(f"  up {figures.span(snapshot.service.uptime_s)}", palette.label)
                left.append(f"  {snapshot.service.version}", palette.dim)
        if mode:
            right.append(f"{mode}  ", palette.warn)
        clock = figures.time_of_day(snapshot.time_ns) if snapshot else ""
        clock = f"{clock} UTC " if clock else ""
        room = width - left.cell_len - right.cell_len - len(clock) - 4
        if room >= 12:
            right.append(address if len(address) <= room else "…" + address[-(room - 1) :], palette.dim)
            right.append("  ")
        right.append(clock, palette.text)
        gap = max(1, width - left.cell_len - right.cell_len)
        line = Text.assemble(left, " " * gap, right, no_wrap=True, end="")
        if line != getattr(self, "_line", None):
            self._line = line
            self.update(line, layout=False)


class Banner(Static):
    """A line over the whole width, there only when something is wrong."""

    def tell(self, problem: str, age_s: float, has_snapshot: bool, killed_by: str) -> None:
        if problem:
            when = f"figures are {figures.span(age_s)} old" if has_snapshot else "nothing to show yet"
            text, kind = f" ENGINE NOT ANSWERING · {when} · trying again · {problem}", "-stale"
            if not has_snapshot and problem == "connecting":
                text, kind = " connecting", "-note"
        elif killed_by:
            text, kind = f" KILL SWITCH ON · no orders go out · {killed_by} · A re-arms", "-killed"
        else:
            text, kind = "", ""
        if text != getattr(self, "_told", None):
            self._told = text
            self.update(Text(text, no_wrap=True, overflow="ellipsis"), layout=False)
            for each in ("-stale", "-killed", "-note"):
                self.set_class(each == kind, each)
            self.display = bool(text)


def _health(snapshot: SnapshotView | None, palette: Palette, problem: str) -> tuple[str, str]:
    if problem and (snapshot is not None or problem != "connecting"):
        return "○ no answer", f"bold {palette.down}"
    if snapshot is None:
        return "○ connecting", palette.warn
    if snapshot.kill_reason:
        return "■ KILLED", f"bold {palette.down}"
    if not snapshot.is_ready:
        return "◐ not ready", palette.warn
    active = [view for view in snapshot.strategies if view.is_active]
    if not active:
        return "◐ no strategy runs", palette.warn
    if not snapshot.ticks:
        return "◐ no market data yet", palette.warn
    if all(view.stalled_s for view in active):
        if any(view.stalled_reason != NO_TICK for view in active):
            return "◐ no strategy answers", palette.warn
        return f"◐ no market data for {figures.span(min(view.stalled_s for view in active))}", palette.warn
    if any(view.errors for view in snapshot.strategies) or snapshot.failed:
        return "● trading, with errors", palette.warn
    return "● trading", palette.up
