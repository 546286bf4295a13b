"""Dialogs: confirmation, leaving, help, and loading a strategy."""

from __future__ import annotations

from typing import ClassVar, Final, Generic, TypeVar

from rich.text import Text
from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Checkbox, Input, Static

from tui.bindings import COMMANDS, GROUPS
from tui.themes import Palette

T = TypeVar("T")
_LABELS: Final = max(len(command.label) for command in COMMANDS) + 2


class Dialog(ModalScreen[T], Generic[T]):
    """Base: a box in the middle; escape leaves without an answer."""

    BINDINGS = [Binding("escape", "dismiss", "Cancel", show=False)]  # noqa: RUF012

    def dismiss(self, result: T | None = None) -> AwaitComplete:
        """A second answer, as of a key and a button at once, is none: the screen below must stay."""
        return super().dismiss(result) if self.is_current else AwaitComplete()


class Confirm(Dialog[bool]):
    """Says what will happen; only ``y`` or the second button does it, and the first has the focus."""

    BINDINGS = [  # noqa: RUF012
        Binding("y", "answer(True)", show=False),
        Binding("n", "answer(False)", show=False),
        Binding("left,right", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, consequence: str, verb: str) -> None:
        super().__init__(classes="-danger")
        self._title, self.consequence, self._verb = title, consequence, verb

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = self._title
            yield Static(Text(self.consequence), classes="text")
            with Horizontal(classes="buttons"):
                yield Button("No (n)", id="no")
                yield Button(f"{self._verb} (y)", id="yes", classes="-danger")

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


class Leave(Dialog[str]):
    """``detach``, ``stop`` or nothing."""

    BINDINGS = [  # noqa: RUF012
        Binding("d,f", "answer('detach')", show=False),
        Binding("s", "answer('stop')", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, consequence: str, *, detach: str = "Detach (d)", stop: str = "Stop engine (s)") -> None:
        super().__init__()
        self.consequence = consequence
        self._labels = detach, stop

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = "Leave the screens"
            yield Static(Text(self.consequence), classes="text")
            with Horizontal(classes="buttons"):
                yield Button("Stay (esc)", id="stay")
                yield Button(self._labels[0], id="detach")
                yield Button(self._labels[1], id="stop", classes="-danger")

    def action_answer(self, answer: str) -> None:
        self.dismiss(answer)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        self.dismiss(None if event.button.id == "stay" else event.button.id)


class Help(Dialog[None]):
    BINDINGS = [Binding("question_mark,q,enter", "dismiss", show=False)]  # noqa: RUF012

    def __init__(self, palette: Palette) -> None:
        super().__init__()
        self.text = Text(end="")
        for group in GROUPS:
            self.text.append(f"{group}\n", f"bold {palette.accent}")
            for command in COMMANDS:
                if command.group == group:
                    self.text.append(f"  {command.key_text:<6}", palette.bold)
                    self.text.append(f"{command.label:<{_LABELS}}", palette.text)
                    self.text.append(f"{command.help}\n", palette.label)
        self.text.append("ctrl+p opens the command palette; tab goes round the panels; arrows move.", palette.label)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box") as box:
            box.styles.width = 92
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield Static(self.text)


class Apart(Checkbox, inherit_bindings=False):
    """Whether a strategy gets a process of its own. Enter loads, as from the line above; the mark is not by colour
    alone."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "toggle_button", show=False),
        Binding("enter", "screen.load", show=False),
    ]
    BUTTON_INNER = " "

    def watch_value(self) -> None:
        self.BUTTON_INNER = "x" if self.value else " "
        super().watch_value()


class LoadStrategy(Dialog[tuple[str, str, tuple[str, ...], str]]):
    """Asks for plugin, id, symbols and isolation."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = "Load a strategy"
            box.border_subtitle = "enter goes on, and loads from the last line · esc cancels"
            yield Static("Name in the strategy folders, or a path on the engine's machine:")
            yield Input(id="plugin", placeholder="momentum")
            yield Static("Id; empty: the plugin's name:")
            yield Input(id="strategy-id", placeholder="momentum")
            yield Static("Symbols with commas between; empty: every symbol:")
            yield Input(id="symbols", placeholder="BTCUSDT, ETHUSDT")
            yield Apart("in a process of its own (isolation: process); space sets it", id="apart", compact=True)
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Load", id="load")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "symbols":
            self._load()
        else:
            self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "load":
            self._load()
        else:
            self.dismiss(None)

    def action_load(self) -> None:
        self._load()

    def _load(self) -> None:
        plugin = self.query_one("#plugin", Input).value.strip()
        if not plugin:
            self.query_one("#plugin", Input).focus()
        else:
            name = self.query_one("#strategy-id", Input).value.strip() or plugin.rsplit("/")[-1].removesuffix(".py")
            symbols = self.query_one("#symbols", Input).value.split(",")
            isolation = "process" if self.query_one("#apart", Checkbox).value else "none"
            self.dismiss((plugin, name, tuple(symbol.strip() for symbol in symbols if symbol.strip()), isolation))
