"""The risk checks with what is used of each limit, and the kill switch."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.widgets import Static

from sengine.adapters.control.views import RiskCheckView
from tui import figures
from tui.frame import Frame
from tui.themes import Palette
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row


class RiskPanel(TablePanel):
    NAME = "risk"
    NUMBER = 6
    TITLE = "Risk"
    EMPTY = "no risk checks are configured"
    COLUMNS = (
        Column("name", "check", 16),
        Column("use", "used", 11),
        Column("limit", "limit", 6, "right"),
        Column("refusals", "refused", 7, "right"),
        Column("by", "by", 12, rank=2, grows=True),
    )

    def __init__(self) -> None:
        super().__init__()
        self._kill_state = Static(id="kill-state")

    def compose(self) -> ComposeResult:
        yield self._kill_state
        yield from super().compose()

    def summary(self, frame: Frame) -> str:
        state = "[b $error]KILLED[/]" if frame.killed_by else "[$success]armed[/]"
        loosened = frame.snapshot.loosened_limits
        return f"[$warning]loosened: {_escaped(loosened[-1])}[/] · {state}" if loosened else state

    def paint(self, frame: Frame) -> None:
        if frame.killed_by:
            line = f"[b $error]■ KILLED[/] {_escaped(frame.killed_by)} [$secondary]· A re-arms[/]"
        else:
            orders = len(frame.snapshot.orders)
            line = f"[$success]● orders may go out[/] [$secondary]· {orders} open · K kills[/]"
        if line != getattr(self, "_line", None):
            self._line = line
            self._kill_state.update(line, layout=False)
        super().paint(frame)

    def rows(self, frame: Frame) -> list[Row]:
        return [_row(view, frame.palette) for view in frame.snapshot.risk]


def _row(view: RiskCheckView, palette: Palette) -> Row:
    # A least confidence is no quantity that is used up.
    is_used = view.used is not None and view.limit is not None and view.limit > 0
    share = view.used / view.limit if is_used and view.used is not None and view.limit is not None else 0.0
    colour = palette.up if share < 0.7 else palette.warn if share < 1 else palette.down
    use = Cell(f"{figures.bar(share, 6)} {share:>4.0%}", colour, share) if is_used else Cell("-", palette.dim, -1.0)
    if not is_used and view.used is not None:
        use = Cell(figures.short(view.used), palette.text, view.used)
    refused = ", ".join(f"{figures.in_words(code)} {count}" for code, count in view.refusals_by_reason.items())
    why = " · ".join(filter(None, (view.used_by, refused)))
    name = figures.in_words(view.name)
    if view.bypassed:
        use, why = Cell("OFF", palette.down, 2.0), "bypassed by the configuration"
    return Row(
        view.name,
        (
            Cell(name, palette.text),
            use,
            Cell("-" if view.limit is None else figures.short(view.limit), palette.label, view.limit or 0.0),
            Cell(figures.count(view.refusals), palette.warn if view.refusals else palette.dim, view.refusals),
            Cell(why, palette.dim),
        ),
    )


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
