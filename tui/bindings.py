"""Everything an operator can do, in one list: keys, footer, the ``?`` help and the command palette are made from it."""

from __future__ import annotations

from typing import Final

import msgspec
from textual.binding import Binding


class Command(msgspec.Struct, frozen=True):
    """``action`` is the name of a method of the app, ``action_<name>``."""

    action: str
    key: str
    label: str
    help: str
    group: str
    changes_engine: bool = False
    """It acts on the engine; with ``--read-only`` it is refused."""
    shown_as: str | None = None

    @property
    def key_text(self) -> str:
        """The key as the footer and the help name it."""
        return self.shown_as or self.key

    def binding(self) -> Binding:
        return Binding(self.key, self.action, self.label, key_display=self.key_text, id=self.action, tooltip=self.help)


# The order is the footer's: what is wanted most comes first, as a narrow footer shows only its left part.
COMMANDS: Final = (
    Command("show_help", "question_mark", "Help", "Every key and what it does", "Screen", shown_as="?"),
    Command("pause", "p", "Pause", "Pause the selected strategy; its positions stay", "Strategy", True),
    Command("resume", "r", "Resume", "Let the selected strategy trade again", "Strategy", True),
    Command("reload", "l", "Reload", "Read the selected strategy's file and configuration again", "Strategy", True),
    Command("edit", "e", "Edit", "Edit the selected strategy's parameters, checked and shown before", "Strategy", True),
    Command("kill", "K", "Kill", "Kill switch: cancel open orders, stop new ones", "Engine", True),
    Command("flatten_all", "F", "Flatten all", "Cancel what rests and bring every position to zero", "Engine", True),
    Command("quit_or_detach", "q", "Quit", "Leave the screens, and say what becomes of the engine", "Screen"),
    Command("open_details", "enter", "Details", "Open the selected strategy or symbol", "Look", shown_as="⏎"),
    Command("filter", "slash", "Filter", "Show only rows of the focused table that hold a text", "Table", shown_as="/"),
    Command("sort", "s", "Sort", "Sort the focused table by its next column, or turn it round", "Table"),
    Command("maximise", "m", "Max", "Give the focused panel the whole screen, and back", "Look"),
    Command("rearm", "A", "Re-arm", "Let orders out again after the kill switch", "Engine", True),
    Command("pause_all", "P", "Pause all", "Pause every running strategy", "Engine", True),
    Command("flatten", "f", "Flatten", "Bring the selected position, symbol or strategy to zero", "Strategy", True),
    Command("cancel_order", "X", "Cancel order", "Cancel the selected open order", "Engine", True),
    Command("load", "L", "Load", "Load a strategy from its file", "Strategy", True),
    Command("unload", "x", "Unload", "Unload the selected strategy", "Strategy", True),
    Command("open_strategy", "d", "Strategy", "Parameters, signals, positions and errors of a strategy", "Look"),
    Command("open_symbol", "b", "Book", "Book, recent trades and price of the selected symbol", "Look"),
    Command("replay_pause", "space", "Pause replay", "Pause the replay, or let it go on", "Replay", True, "space"),
    Command("replay_step", "n", "Step", "Replay one event, and pause", "Replay", True),
    Command("replay_faster", "plus", "Faster", "Replay faster, up to as fast as it goes", "Replay", True, "+"),
    Command("replay_slower", "minus", "Slower", "Replay slower, down to the files' own pace", "Replay", True, "-"),
    Command("copy_row", "c", "Copy", "Copy the selected row to the clipboard", "Table"),
    Command("next_theme", "t", "Theme", "Dark, light, high contrast", "Screen"),
    Command("panel(1)", "1", "Strategies", "Go to the strategies", "Panel"),
    Command("panel(2)", "2", "Positions", "Go to the positions", "Panel"),
    Command("panel(3)", "3", "Signals", "Go to the signals", "Panel"),
    Command("panel(4)", "4", "P&L", "Go to the P&L curve", "Panel"),
    Command("panel(5)", "5", "Latency", "Go to the latency histograms", "Panel"),
    Command("panel(6)", "6", "Risk", "Go to the risk checks and the kill switch", "Panel"),
    Command("panel(7)", "7", "Health", "Go to feed and execution health", "Panel"),
    Command("panel(8)", "8", "Markets", "Go to the markets", "Panel"),
    Command("panel(9)", "9", "Log", "Go to the engine's log", "Panel"),
    Command("panel(10)", "0", "Orders", "Go to the open orders", "Panel"),
    Command("go_back", "escape", "Back", "Leave a detail, a filter or a maximised panel", "Look", shown_as="esc"),
)

BINDINGS: Final = [command.binding() for command in COMMANDS]
GROUPS: Final = tuple(dict.fromkeys(command.group for command in COMMANDS))


def command_of(action: str) -> Command:
    """The command whose action is ``action``. Raises ``KeyError``."""
    for command in COMMANDS:
        if command.action == action:
            return command
    raise KeyError(action)
