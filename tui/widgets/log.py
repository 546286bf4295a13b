"""The engine's log, newest first, and what the screens themselves have to say."""

from __future__ import annotations

from typing import Any

from sengine.adapters.control.views import LogLineView
from tui import figures
from tui.frame import Frame
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row

SHOWN = 200


class LogPanel(TablePanel):
    NAME = "log"
    NUMBER = 9
    TITLE = "Log"
    EMPTY = "nothing logged yet"
    IS_TAIL = True
    COLUMNS = (
        Column("time", "time", 8),
        Column("level", "level", 5),
        Column("event", "event", 30, grows=True),
    )
    _rows: list[Row]
    _made: tuple[Any, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[LogLineView] = []
        """Results of the actions taken here."""

    def summary(self, frame: Frame) -> str:
        return f"[$warning]{figures.count(frame.log.dropped)} dropped[/]" if frame.log.dropped else ""

    def rows(self, frame: Frame) -> list[Row]:
        made = (frame.log.total, len(self.notes), frame.palette)
        if made != self._made:
            self._made = made
            palette = frame.palette
            first = frame.log.total - len(frame.log.items)
            lines = [(f"{first + n}", line) for n, line in enumerate(frame.log.items)]
            # What the engine has logged itself is not said twice.
            logged = {line.event for line in frame.log.items}
            lines += [
                (f"here {n}", line)
                for n, line in enumerate(self.notes)
                if not {line.event, line.event.partition(";")[0]} & logged
            ]
            lines.sort(key=lambda each: each[1].time_ns, reverse=True)
            colours = {"error": palette.down, "critical": palette.down, "warning": palette.warn, "you": palette.accent}
            self._rows = [
                Row(
                    key,
                    (
                        Cell(figures.time_of_day(line.time_ns), palette.dim, line.time_ns),
                        Cell(
                            {"warning": "warn", "critical": "error"}.get(line.level, line.level),
                            colours.get(line.level, palette.label),
                        ),
                        Cell(_sentence(line), colours.get(line.level, palette.text)),
                    ),
                    str(line.fields.get("strategy", "")),
                )
                for key, line in lines[:SHOWN]
            ]
        return self._rows


def _sentence(line: LogLineView) -> str:
    return "  ".join([line.event, *[f"{name}={value}" for name, value in line.fields.items()]])
