"""The footer: every command of the registry, for mouse and eye. It scrolls sideways where the screen is narrow."""

from __future__ import annotations

from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import HorizontalScroll
from textual.widgets import Static

from tui.bindings import COMMANDS
from tui.themes import Palette


class KeyBar(HorizontalScroll, can_focus=False):
    def compose(self) -> ComposeResult:
        yield Static(id="keys")

    def show(self, palette: Palette, *, is_read_only: bool) -> None:
        """Draw it; needed at first and when theme or mode change."""
        line = Text(" ", no_wrap=True, end="")
        for command in COMMANDS:
            click = Style(meta={"@click": f"app.{command.action}"})
            is_off = is_read_only and command.changes_engine
            line.append(Text(command.key_text, Style.parse(palette.dim if is_off else f"bold {palette.accent}") + click))
            line.append(Text(f" {command.label}", Style.parse(palette.dim if is_off else palette.label) + click))
            line.append("  ")
        self.text = line
        self.query_one(Static).update(line)
