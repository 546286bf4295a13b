"""The strategies' signals, newest first, with what the engine did with each and why. What one says again and again is
one row."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from sengine.adapters.control.views import SignalView
from tui import figures
from tui.bursts import Bursts
from tui.frame import Frame
from tui.themes import Palette
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row

SHOWN = 100
COLUMNS = (
    Column("time", "time", 10),
    Column("strategy", "strategy", 16),
    Column("symbol", "symbol", 9, rank=1),
    Column("direction", "signal", 7),
    Column("confidence", "conf", 4, "right", rank=2),
    Column("size", "size", 6, "right", rank=3),
    Column("disposition", "outcome", 10, grows=True),
)


class SignalsPanel(TablePanel):
    NAME = "signals"
    NUMBER = 3
    TITLE = "Signals"
    EMPTY = "no signals since the engine started"
    IS_TAIL = True
    COLUMNS = COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self._bursts = Bursts(SHOWN)
        self._rows: list[Row] = []
        self._shown: tuple[Any, ...] = ()
        self._made: dict[int, tuple[int, Row]] = {}

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
        tail, palette = frame.signals, frame.palette
        shown = (id(tail), tail.restarts, tail.total, palette)
        if shown != self._shown:
            if (shown[0], shown[1], palette) != (*self._shown[:2], *self._shown[3:]):
                self._made.clear()
            self._shown = shown
            made = {}
            for burst in self._bursts.follow(tail):
                row = self._made.get(burst.number)
                if row is None or row[0] != burst.count:
                    # It stands where it began; what it says is its last.
                    view = replace(burst.last, timestamp_ns=burst.began_ns)
                    row = burst.count, signal_row(burst.number, view, palette, burst.count)
                made[burst.number] = row
            self._made = made
            self._rows = [row for _, row in made.values()][::-1]
        return self._rows


def signal_row(number: int, view: SignalView, palette: Palette, count: int = 1) -> Row:
    arrow, colour = {"LONG": ("▲", palette.up), "SHORT": ("▼", palette.down)}.get(view.direction, ("■", palette.warn))
    outcome = figures.DISPOSITIONS.get(view.disposition, view.disposition)
    if view.reason or view.check:
        outcome = f"✕ {figures.in_words(view.reason or view.check)}"
    times = f"{count}\N{MULTIPLICATION SIGN} " if count > 1 else ""
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
            Cell(times + outcome, outcome_colour, outcome),
        ),
        view.strategy_id,
        view.symbol,
    )
