"""The frame of a panel: a title with its key, a summary, and a body that is painted from a ``Frame``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Final, Self

from rich.cells import cell_len
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.events import Resize
from textual.geometry import Region
from textual.widgets import Input, Static

from tui.frame import Frame
from tui.widgets.rows import Column, Row
from tui.widgets.table import LiveTable

MOST_LINES: Final = 3


class Panel(Vertical):
    """Base of all panels."""

    NAME: ClassVar[str]
    NUMBER: ClassVar[int]
    KEY: ClassVar[str] = ""
    """Where it is another than the number."""
    TITLE: ClassVar[str]
    _is_edge_only = False

    def __init__(self) -> None:
        super().__init__(id=self.NAME, classes="panel")
        self.border_title = f"{self.KEY or self.NUMBER} {self.TITLE}"
        self._frame: Frame | None = None
        self._said = ""

    def show(self, frame: Frame) -> None:
        """Paint what has changed."""
        self._frame = frame
        summary = self.summary(frame)
        if summary != self._said:
            self._said = summary
            with self._only_its_lower_edge():
                self.border_subtitle = summary
        self.paint(frame)

    @contextmanager
    def _only_its_lower_edge(self) -> Iterator[None]:
        """Setting a title draws the whole widget again, with all that is in it."""
        self._is_edge_only = True
        try:
            yield
        finally:
            self._is_edge_only = False

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if self._is_edge_only:
            left, top = self.content_offset
            width, height = self.outer_size
            regions = (Region(-left, height - 1 - top, width, 1),)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def summary(self, frame: Frame) -> str:
        """What the panel says in one line, as markup, also where its body is out of sight."""
        return ""

    def paint(self, frame: Frame) -> None:
        raise NotImplementedError

    @property
    def focus_target(self) -> LiveTable | Panel:
        return self

    def on_resize(self, event: Resize) -> None:
        if self._frame is not None:
            self.paint(self._frame)


class DrawnPanel(Panel, can_focus=True):
    """A panel that draws its body as one text."""

    def __init__(self) -> None:
        super().__init__()
        self._body = Static(classes="drawing")

    def compose(self) -> ComposeResult:
        yield self._body

    def paint(self, frame: Frame) -> None:
        body = self._body
        width, height = body.container_size
        if width <= 0 or height <= 0:
            return
        text = self.draw(frame, width, height)
        if text != getattr(self, "_drawn", None):
            self._drawn = text
            body.update(text, layout=False)

    def draw(self, frame: Frame, width: int, height: int) -> Text:
        raise NotImplementedError


class TablePanel(Panel):
    """A panel whose body is a table. ``EMPTY`` is what it says while there are no rows."""

    COLUMNS: ClassVar[tuple[Column, ...]]
    EMPTY: ClassVar[str]
    IS_TAIL: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.table = LiveTable(self.COLUMNS, is_tail=self.IS_TAIL)
        self._nothing = Static(self.EMPTY, classes="empty")
        self._sentence = self.EMPTY
        self._whole = Static(classes="whole")
        self._whole_shown = ("", 0)
        self._filter = Input(placeholder="show only rows with this text; esc ends", classes="filter", compact=True)

    def compose(self) -> ComposeResult:
        yield self.table
        yield self._nothing
        yield self._whole
        yield self._filter

    @property
    def focus_target(self) -> LiveTable | Panel:
        return self.table

    def paint(self, frame: Frame) -> None:
        rows = self.rows(frame)
        table = self.table
        table.show(rows)
        self._tell_if_empty(bool(rows))
        self.show_whole()

    def rows(self, frame: Frame) -> list[Row]:
        raise NotImplementedError

    # What there is no room for.

    def show_whole(self) -> None:
        """Below the table, in full: what of the selected row has no room in it."""
        width = max(1, self.content_size.width)
        text = self.table.unseen_of_current() if self.table.has_focus else ""
        lines = min(MOST_LINES if self.size.height > 12 else 1, -(-cell_len(text) // max(1, width - 4)))
        if (text, lines) == self._whole_shown:
            return
        if lines != self._whole_shown[1]:  # only this moves anything else
            self._whole.styles.height = lines
            self._whole.display = lines > 0
        self._whole_shown = text, lines
        self._whole.update(Text(text, overflow="ellipsis"), layout=False)

    def on_live_table_moved(self) -> None:
        self.show_whole()

    def on_descendant_focus(self) -> None:
        self.show_whole()

    def on_descendant_blur(self) -> None:
        self.call_after_refresh(self.show_whole)

    # The filter line.

    def open_filter(self) -> None:
        self.add_class("-filtered")
        self._filter.focus()

    def close_filter(self) -> bool:
        """Whether there was one to close."""
        if not self.has_class("-filtered"):
            return False
        self.remove_class("-filtered")
        self._filter.value = ""
        self.table.filter("")
        self.table.focus()
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.table.filter(event.value)
        self._tell_if_empty(bool(self.table.shown))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.table.focus()

    def _tell_if_empty(self, has_rows: bool) -> None:
        is_filtered = bool(self.table.filter_text)
        empty = not self.table.shown if is_filtered else not has_rows
        if empty != self.has_class("-empty"):
            self.set_class(empty, "-empty")
        sentence = "no row holds that text" if is_filtered else self.EMPTY
        if empty and sentence != self._sentence:
            self._sentence = sentence
            self._nothing.update(sentence)
