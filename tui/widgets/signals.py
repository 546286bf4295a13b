"""The strategies' signals, newest first, with what the engine did with each and why."""

from __future__ import annotations

from typing import Any

from sengine.adapters.control.views import SignalView
from tui import figures
from tui.frame import Frame
from tui.themes import Palette
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row

SHOWN = 100
COLUMNS = (
    Column("time", "time", 10),
    Column("strategy", "strategy", 16),
    Column("symbol", "symbol", 9),
    Column("direction", "signal", 7),
    Column("confidence", "conf", 4, "right"),
    Column("size", "size", 6, "right", rank=2),
    Column("disposition", "outcome", 10, grows=True),
)


class SignalsPanel(TablePanel):
    NAME = "signals"
    NUMBER = 3
    TITLE = "Signals"
    EMPTY = "no signals yet"
    IS_TAIL = True
    COLUMNS = COLUMNS
    _rows: list[Row]
    _made: tuple[Any, ...] = ()

    def summary(self, frame: Frame) -> str:
        counts = frame.snapshot.dispositions
        # What was lost comes first: the right end is cut where there is no room.
        dropped = frame.signals.dropped
        parts = [f"[$warning]{figures.count(dropped)} dropped[/]"] if dropped else []
        parts.append(f"{figures.count(frame.snapshot.signals)} in all")
        for name, word in figures.DISPOSITIONS.items():
            if counts.get(name):
                parts.append(f"{figures.count(counts[name])} {word}")
        return " · ".join(parts)

    def rows(self, frame: Frame) -> list[Row]:
        made = (id(frame.signals), frame.signals.total, frame.palette)
        if made != self._made:
            self._made = made
            last = list(frame.signals.items)[-SHOWN:]
            first = frame.signals.total - len(last)
            self._rows = [signal_row(first + n, view, frame.palette) for n, view in enumerate(last)][::-1]
        return self._rows


def signal_row(number: int, view: SignalView, palette: Palette) -> Row:
    arrow, colour = {"LONG": ("▲", palette.up), "SHORT": ("▼", palette.down)}.get(view.direction, ("■", palette.warn))
    outcome = figures.DISPOSITIONS.get(view.disposition, view.disposition)
    if view.reason or view.check:
        outcome = f"✕ {figures.in_words(view.reason or view.check)}"
    outcome_colour = {"passed": palette.up, "filtered": palette.warn}.get(view.disposition, palette.dim)
    return Row(
        str(number),
        (
            Cell(figures.time_of_day(view.timestamp_ns, with_ms=True)[:-2], palette.dim, view.timestamp_ns),
            Cell(view.strategy_id, palette.text),
            Cell(view.symbol, palette.bold),
            Cell(f"{arrow} {view.direction.lower()}", colour),
            Cell(f"{view.confidence:.2f}", palette.text, view.confidence),
            Cell(f"{view.size:g}", palette.label, view.size),
            Cell(outcome, outcome_colour),
        ),
        view.strategy_id,
        view.symbol,
    )
