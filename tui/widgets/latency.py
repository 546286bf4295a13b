"""Latency histograms on one logarithmic scale, with the budget of 500 us marked.

Columns are the engine's octaves: column i counts samples of [2^i, 2^(i+1)) nanoseconds. The budget's mark stands
before the octave that begins at 524 us, the first whose samples are all over it.
"""

from __future__ import annotations

from typing import Final

from rich.text import Text

from sengine.adapters.control.views import LatencyView
from tui import figures
from tui.frame import Frame
from tui.themes import Palette
from tui.widgets.panel import DrawnPanel

BUDGET_US: Final = 500.0
_FIRST: Final = 9  # 512 ns
_LAST: Final = 24  # to 34 ms; what is outside is in the edge columns
_BUDGET_OCTAVE: Final = 19
_BLOCKS: Final = " ▁▂▃▄▅▆▇█"
# Octaves to name under the columns: 2^10 ns and so on are close enough to these for a scale.
_MARKS: Final = ((10, "1us"), (13, "10us"), (17, "100us"), (20, "1ms"), (23, "10ms"))


class LatencyPanel(DrawnPanel):
    NAME = "latency"
    NUMBER = 5
    TITLE = "Latency"

    def summary(self, frame: Frame) -> str:
        p99 = frame.snapshot.tick.p99_us
        colour = "$success" if p99 <= BUDGET_US else "$error"
        return f"tick p99 [{colour}]{figures.micros(p99) or '-'}[/]"

    def draw(self, frame: Frame, width: int, height: int) -> Text:
        snapshot, palette = frame.snapshot, frame.palette
        rows = [("tick", snapshot.tick), ("tick to order", snapshot.gateway.tick_to_order)]
        rows += [(view.strategy_id, view.on_tick) for view in snapshot.strategies]
        octaves = _LAST - _FIRST + 1
        each = max(1, min(4, (width - 16 - 16) // octaves))
        label = max(6, min(24, width - 16 - octaves * each))
        room = max(1, height - 2)
        tall = max(1, min(4, room // max(1, len(rows))))
        text = Text(no_wrap=True, end="")
        text.append(f"{'':{label}} {_scale(each)}{'p50':>6} {'p99':>6}\n", palette.dim)
        shown = rows[: max(1, room // tall)]
        for name, view in shown:
            _append(text, name, view, palette, label, each, tall)
        if len(rows) > len(shown):
            text.append(f"{len(rows) - len(shown)} more; m gives this panel the screen", palette.dim)
        else:
            text.append(f"{'':{label}} {' ' * ((_BUDGET_OCTAVE - _FIRST) * each)}└ budget 500us", palette.warn)
        return text


def _append(text: Text, name: str, view: LatencyView, palette: Palette, label: int, each: int, tall: int) -> None:
    counts = octaves_in_sight(view)
    peak = max(*counts, 1)
    before = _BUDGET_OCTAVE - _FIRST
    for line in range(tall):
        is_last = line == tall - 1
        shown = name if len(name) <= label else name[: label - 1] + "…"
        text.append(f"{shown if is_last else '':{label}} ", palette.text)
        bars = [_block(count, peak, tall, tall - 1 - line) * each for count in counts]
        text.append("".join(bars[:before]), palette.accent)
        text.append("│", palette.warn)
        text.append("".join(bars[before:]), palette.down)
        if is_last:
            text.append(f"{figures.micros(view.p50_us) or '-':>6} ", palette.label)
            text.append(f"{figures.micros(view.p99_us) or '-':>6}", palette.text)
        text.append("\n")


def octaves_in_sight(view: LatencyView) -> list[int]:
    """The counts of the octaves that are drawn; those beyond the edges are in the edges."""
    counts = list(view.octave_counts) + [0] * (_LAST + 1 - len(view.octave_counts))
    inner = counts[_FIRST : _LAST + 1]
    inner[0] += sum(counts[:_FIRST])
    inner[-1] += sum(counts[_LAST + 1 :])
    return inner


def _block(count: int, peak: int, tall: int, level: int) -> str:
    """The part of a column at ``level`` lines above the bottom. What is there at all is seen."""
    if not count:
        return " "
    eighths = max(1, round((count / peak) ** 0.5 * tall * 8)) - level * 8
    return _BLOCKS[min(8, max(0, eighths))]


def _scale(each: int) -> str:
    line = [" "] * ((_LAST - _FIRST + 1) * each + 1)
    free = 0
    for octave, name in _MARKS:
        at = (octave - _FIRST) * each + (octave >= _BUDGET_OCTAVE)
        if at >= free and at + len(name) <= len(line):
            line[at : at + len(name)] = name
            free = at + len(name) + 1
    return "".join(line)
