"""The footer: every command of the registry, for mouse and eye. It scrolls sideways where the screen is narrow."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.containers import HorizontalScroll
from textual.widgets import Static

from tui.bindings import COMMANDS
from tui.themes import Palette


class KeyBar(HorizontalScroll, can_focus=False):
    def __init__(self) -> None:
        super().__init__()
        self._keys = Static(id="keys")

    def compose(self) -> ComposeResult:
        yield self._keys

    def show(self, palette: Palette, *, is_read_only: bool) -> None:
        """Draw it; needed at first and when theme or mode change."""
        self._spans: list[tuple[int, int, str]] = []
        line = Text(" ", no_wrap=True, end="")
        for command in COMMANDS:
            begin = line.cell_len
            is_off = is_read_only and command.changes_engine
            line.append(command.key_text, palette.dim if is_off else f"bold {palette.accent}")
            line.append(f" {command.label}", palette.dim if is_off else palette.label)
            self._spans.append((begin, line.cell_len, command.action))
            line.append("  ")
        self.text = line
        self._keys.update(line)

    async def on_click(self, event: events.Click) -> None:
        at = event.x + self.scroll_offset.x
        for begin, end, action in self._spans:
            if begin <= at < end:
                await self.app.run_action(action)
