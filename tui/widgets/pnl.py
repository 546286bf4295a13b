"""Profit and loss over the time these screens have watched."""

from __future__ import annotations

from rich.text import Text

from sengine.clock import NS_PER_S
from tui import figures
from tui.frame import Frame
from tui.themes import signed
from tui.widgets.curve import draw_curve
from tui.widgets.panel import DrawnPanel


class PnlPanel(DrawnPanel):
    NAME = "pnl"
    NUMBER = 4
    TITLE = "P&L"

    def summary(self, frame: Frame) -> str:
        if frame.pnl is None:
            return "[b]n/a[/] · several currencies"
        colour = "$secondary" if abs(frame.pnl) < 0.005 else "$success" if frame.pnl > 0 else "$error"
        share = frame.pnl / frame.snapshot.initial_capital if frame.snapshot.initial_capital else 0.0
        return f"[b {colour}]{figures.money(frame.pnl)}[/] · {share:+z.3%}"

    def draw(self, frame: Frame, width: int, height: int) -> Text:
        palette, values = frame.palette, frame.history.pnl
        text = Text(no_wrap=True, end="")
        if frame.pnl is None:
            return _by_currency(frame)
        if len(values) < 2 or height < 3:
            text.append("collecting", palette.dim)
            return text
        low, high = min(values), max(values)
        if high - low < 0.01:
            low, high = low - 1, high + 1
        # Nothing earned is in the picture where that does not make the curve a line.
        span = high - low
        if low - span < 0 < high + span:
            low, high = min(low, 0.0), max(high, 0.0)
        label = max(len(figures.money(low)), len(figures.money(high)), 4)
        lines = draw_curve(values, max(4, width - label - 2), height - 1, low, high)
        zero = round(high / (high - low) * (len(lines) - 1)) if low <= 0 <= high else None
        colour = signed(palette, values[-1])
        for n, line in enumerate(lines):
            name = figures.money(high) if n == 0 else figures.money(low) if n == len(lines) - 1 else ""
            if n == zero:
                name = "0"
                line = line.replace("\u2800", "╌")
            text.append(f"{name:>{label}} ", palette.dim)
            for part, style in _runs(line, colour, palette.dim):
                text.append(part, style)
            text.append("\n")
        seconds = (frame.history.times_ns[-1] - frame.history.times_ns[0]) / NS_PER_S
        ago, peak = f"{figures.span(seconds)} ago", f"peak {figures.money(frame.snapshot.peak_pnl)}"
        room = max(0, width - label - 2 - len(ago) - len("now"))
        text.append(f"{'':>{label}} {ago}{peak.center(room)}now", palette.dim)
        return text


def _by_currency(frame: Frame) -> Text:
    """Amounts of different currencies have no sum to draw."""
    palette, totals = frame.palette, frame.snapshot.totals
    text = Text(end="")
    width = max((len(figures.money(total.pnl)) for total in totals), default=0)
    for total in totals:
        text.append(f"{figures.money(total.pnl):>{width}}", signed(palette, total.pnl))
        text.append(f" {total.name}\n", palette.text)
    text.append(frame.snapshot.not_added_up, palette.dim)
    return text


def _runs(line: str, colour: str, dim: str) -> list[tuple[str, str]]:
    """Neighbours of one style together."""
    runs: list[tuple[str, str]] = []
    for char in line:
        style = dim if char in "╌\u2800" else colour
        if runs and runs[-1][1] == style:
            runs[-1] = (runs[-1][0] + char, style)
        else:
            runs.append((char, style))
    return runs
