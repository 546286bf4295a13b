"""A strategy's parameters as a form: a typed field each, checked while typing, and the difference before it applies."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Button, Checkbox, Input, Static

from sengine.adapters.control.views import ReloadView
from sengine.errors import SengineError
from tui.screens.dialogs import Dialog
from tui.themes import Palette

_PAUSE_S = 0.15
# What may be typed. The toolkit's own patterns for numbers try every way to split the digits: thirty of them hang it.
_TYPED: Final = {int: r"[-+]?\d*", float: r"[-+]?\d*\.?\d*(?:[eE][-+]?\d*)?"}


class Parameter(Horizontal):
    """One parameter: its name, a field of its kind, and what is wrong with it."""

    def __init__(self, name: str, value: Any) -> None:
        super().__init__(classes="parameter")
        self.parameter, self.original = name, value
        self._field: Checkbox | Input
        if isinstance(value, bool):
            self._field = Checkbox(value=value, compact=True)
        else:
            self._field = Input(written(value), restrict=_TYPED.get(type(value)), compact=True)
        self._kind = Static(kind_of(value), classes="parameter-kind")

    def compose(self) -> ComposeResult:
        yield Static(self.parameter, classes="parameter-name", markup=False)
        yield self._field
        yield self._kind

    @property
    def value(self) -> Any:
        """Raises ``ValueError`` with what was expected."""
        field = self._field
        return field.value if isinstance(field, Checkbox) else parsed(field.value, self.original)

    def complain(self, fault: str) -> None:
        self._kind.update(Text(fault or kind_of(self.original), no_wrap=True, overflow="ellipsis"))
        self.set_class(bool(fault), "-wrong")


class EditParameters(Dialog[dict[str, Any]]):
    """The form. The engine checks what it comes to; ``apply`` is possible when it is valid and changes something."""

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
        self.verdict = Text("nothing is changed yet")
        self._shown_verdict = Static(self.verdict, classes="check")
        self._apply = Button("Apply", id="apply", disabled=True)
        self._valid: dict[str, Any] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(classes="box") as box:
            box.border_title = f"Parameters of {self._strategy_id}"
            box.border_subtitle = "tab goes on · ctrl+s applies · esc leaves all as it is"
            with VerticalScroll(classes="parameters", can_focus=False):
                for name, value in self._config.items():
                    yield Parameter(name, value)
                if not self._config:
                    yield Static("this strategy has no parameters")
            yield self._shown_verdict
            with Horizontal(classes="buttons"):
                yield Button("Cancel", id="cancel")
                yield self._apply

    def on_input_changed(self) -> None:
        self._judge_anew()

    def on_checkbox_changed(self) -> None:
        self._judge_anew()

    def _judge_anew(self) -> None:
        # The method, not its coroutine: one that is overtaken before it began would never be awaited.
        self.run_worker(self._judge, exclusive=True, group="judge")  # type: ignore[arg-type]

    async def _judge(self) -> None:
        await asyncio.sleep(_PAUSE_S)  # typing goes on; the engine is asked for what it comes to
        self._valid = None
        wanted: dict[str, Any] = {}
        is_readable = True
        for field in self.query(Parameter):
            fault = ""
            try:
                wanted[field.parameter] = field.value
            except ValueError as error:
                fault, is_readable = str(error), False
            field.complain(fault)
        self._say(await self._verdict(wanted) if is_readable else Text("a field is not valid yet", self._palette.warn))

    async def _verdict(self, wanted: dict[str, Any]) -> Text:
        palette, verdict = self._palette, Text()
        try:
            would_be = (await self._check(self._strategy_id, wanted)).config
        except SengineError as error:
            for field in self.query(Parameter):
                if field.parameter in str(error):
                    field.complain("refused, see below")
            return Text(str(error), palette.down)
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
        return verdict

    def _say(self, verdict: Text) -> None:
        self.verdict = verdict
        self._shown_verdict.update(verdict)
        self._apply.disabled = self._valid is None

    def action_apply(self) -> None:
        if self._valid is not None:
            self.dismiss(self._valid)

    def on_input_submitted(self) -> None:
        self.focus_next()

    def on_button_pressed(self, event: Button.Pressed) -> None:
        if event.button.id == "apply":
            self.action_apply()
        else:
            self.dismiss(None)


def written(value: Any) -> str:
    """A parameter as its field shows it: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def parsed(text: str, like: Any) -> Any:
    """A field's text as a value of the kind of ``like``. Raises ``ValueError`` with what was expected."""
    if isinstance(like, str):
        return text
    try:
        if isinstance(like, int):
            return int(text)
        if isinstance(like, float):
            return float(text)
        return msgspec.json.decode(text)
    except (ValueError, msgspec.DecodeError):
        raise ValueError(f"expected {kind_of(like)}") from None


def kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "on or off"
    names = {int: "a whole number", float: "a number", str: "text", list: "a JSON list", dict: "a JSON object"}
    return names.get(type(value), "JSON")


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
