"""The footer: every command of the registry, for mouse and eye, as many whole ones at a time as there is room for."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import HorizontalScroll
from textual.widgets import Static

from tui.bindings import COMMANDS
from tui.themes import Palette

MORE = " »"
"""At the end of each page; a click on it turns the page, and on the last one goes back to the first."""


class KeyBar(HorizontalScroll, can_focus=False):
    def __init__(self) -> None:
        super().__init__()
        self._keys = Static(id="keys")
        self._palette: Palette | None = None
        self._is_read_only = False
        self.spans: list[tuple[int, int, str]] = []
        """Where in the line each command stands, from and to, and its action."""

    def compose(self) -> ComposeResult:
        yield self._keys

    def show(self, palette: Palette, *, is_read_only: bool) -> None:
        """Draw it; needed at first and when theme or mode change."""
        self._palette, self._is_read_only = palette, is_read_only
        self._draw()

    def on_resize(self) -> None:
        if self._palette is not None:
            self._draw()
            self.scroll_to(x=0, animate=False)

    def _draw(self) -> None:
        palette, width = self._palette, self.size.width
        assert palette is not None
        self.spans = []
        line = Text(" ", no_wrap=True, end="")
        page_ends = width - len(MORE)
        for command in COMMANDS:
            is_off = self._is_read_only and command.changes_engine
            text = Text(command.key_text, palette.dim if is_off else f"bold {palette.accent}", end="")
            text.append(f" {command.label}", palette.dim if is_off else palette.label)
            if line.cell_len + 2 + text.cell_len > page_ends > 0:
                self._end_page(line, page_ends)
                page_ends += width
                line.append(" ")
            elif self.spans:
                line.append("  ")
            self.spans.append((line.cell_len, line.cell_len + text.cell_len, command.action))
            line.append_text(text)
        if self.spans and page_ends > width:
            self._end_page(line, page_ends)
        self.text = line
        self._keys.update(line)

    def _end_page(self, line: Text, at: int) -> None:
        assert self._palette is not None
        line.append(" " * (at - line.cell_len)).append(MORE, f"bold {self._palette.accent}")

    async def on_click(self, event: events.Click) -> None:
        at = event.x + self.scroll_offset.x
        for begin, end, action in self.spans:
            if begin <= at < end:
                await self.app.run_action(action)
                return
        if event.x >= self.size.width - len(MORE):
            is_last = self.scroll_offset.x >= self.max_scroll_x
            self.scroll_to(x=0 if is_last else self.scroll_offset.x + self.size.width, animate=False)
