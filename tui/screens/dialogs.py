"""Dialogs: confirmation, leaving, help, and a strategy's parameters."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Static, TextArea

from sengine.adapters.control_views import ReloadView
from sengine.errors import SengineError
from tui.bindings import COMMANDS, GROUPS
from tui.themes import Palette

T = TypeVar("T")


class Dialog(ModalScreen[T], Generic[T]):
    """Base: a box in the middle; escape leaves without an answer."""

    BINDINGS = [Binding("escape", "dismiss", "Cancel", show=False)]  # noqa: RUF012


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
                    self.text.append(f"{command.label:<11}", palette.text)
                    self.text.append(f"{command.help}\n", palette.label)
        self.text.append("ctrl+p opens the command palette; tab goes round the panels; arrows move.", palette.label)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="box") as box:
            box.styles.width = 92
            box.border_title = "Keys"
            box.border_subtitle = "esc closes"
            yield Static(self.text)


class EditParameters(Dialog[dict[str, Any]]):
    """The parameters as JSON. Each change is checked by the engine, and what it would change is shown."""

    BINDINGS = [Binding("ctrl+s", "apply", show=False, priority=True)]  # noqa: RUF012

    def __init__(
        self,
        strategy_id: str,
        config: dict[str, Any],
        check: Callable[[str, dict[str, Any]], Awaitable[ReloadView]],
        palette: Palette,
    ) -> None:
        super().__init__()
        self._strategy_id, self._config, self._check, self._palette = strategy_id, config, check, palette
        self.verdict = Text("unchanged")
        self._valid: dict[str, Any] | None = None

    def compose(self) -> ComposeResult:
        text = msgspec.json.format(msgspec.json.encode(self._config), indent=2).decode()
        with Vertical(classes="box") as box:
            box.border_title = f"Parameters of {self._strategy_id}"
            box.border_subtitle = "ctrl+s applies · esc leaves all as it is"
            yield TextArea(text, language=None, show_line_numbers=False, id="parameters")
            yield Static(self.verdict, classes="check")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Apply", id="apply", disabled=True)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        self.run_worker(self._judge(event.text_area.text), exclusive=True, group="judge")

    async def _judge(self, text: str) -> None:
        await asyncio.sleep(0.15)  # typing goes on; the engine is asked for what it comes to
        self._valid = None
        palette, verdict = self._palette, Text()
        try:
            wanted = msgspec.json.decode(text, type=dict[str, Any])
            would_be = (await self._check(self._strategy_id, wanted)).config
        except msgspec.DecodeError as error:
            verdict.append(f"no JSON object yet: {error}", palette.warn)
        except SengineError as error:
            verdict.append(str(error), palette.down)
        else:
            changes = difference(self._config, would_be)
            for name, before, after in changes:
                verdict.append(f"{name}  ", palette.bold)
                verdict.append(before, palette.down)
                verdict.append(" → ", palette.label)
                verdict.append(f"{after}\n", palette.up)
            if changes:
                self._valid = wanted
                verdict.append("valid; ctrl+s puts it into force", palette.label)
            else:
                verdict.append("valid, and changes nothing", palette.label)
        self.verdict = verdict
        self.query_one(".check", Static).update(verdict)
        self.query_one("#apply", Button).disabled = self._valid is None

    def action_apply(self) -> None:
        if self._valid is not None:
            self.dismiss(self._valid)

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "apply":
            self.action_apply()
        else:
            self.dismiss(None)


class LoadStrategy(Dialog[tuple[str, str, tuple[str, ...]]]):
    """Asks for plugin, id and symbols."""

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = "Load a strategy"
            box.border_subtitle = "enter goes on · esc cancels"
            yield Static("Name in the strategy folders, or a path on the engine's machine:")
            yield Input(id="plugin", placeholder="momentum")
            yield Static("Id; empty: the plugin's name:")
            yield Input(id="strategy-id", placeholder="momentum")
            yield Static("Symbols with commas between; empty: every symbol:")
            yield Input(id="symbols", placeholder="BTCUSDT, ETHUSDT")
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                yield Button("Load", id="load")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        plugin = self.query_one("#plugin", Input).value.strip()
        if event.button.id != "load":
            self.dismiss(None)
        elif not plugin:
            self.query_one("#plugin", Input).focus()
        else:
            name = self.query_one("#strategy-id", Input).value.strip() or plugin.rsplit("/")[-1].removesuffix(".py")
            symbols = self.query_one("#symbols", Input).value.split(",")
            self.dismiss((plugin, name, tuple(symbol.strip() for symbol in symbols if symbol.strip())))


def difference(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Name, old and new value of each parameter that differs; ``-`` for one that is not there."""
    names = dict.fromkeys([*before, *after])
    return [
        (name, _shown(before, name), _shown(after, name))
        for name in names
        if (name in before) != (name in after) or before.get(name) != after.get(name)
    ]


def _shown(config: dict[str, Any], name: str) -> str:
    return msgspec.json.encode(config[name]).decode() if name in config else "-"
