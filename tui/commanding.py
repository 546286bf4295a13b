"""What every action stands on: the link, the last frame, and one way to command and to tell what came of it."""

from __future__ import annotations

from collections.abc import Awaitable
from time import time_ns
from typing import Any, TypeVar

from textual.app import App

from sengine.adapters.control.views import LogLineView
from sengine.errors import SengineError
from tui.bindings import command_of
from tui.consequences import counted
from tui.frame import Frame
from tui.link import EngineLink
from tui.screens.dashboard import Dashboard
from tui.screens.details import Detail
from tui.screens.dialogs import Dialog
from tui.themes import Palette, palette_of
from tui.widgets.log import LogPanel

R = TypeVar("R")


class CommandingApp(App[str]):
    """Base of the app's groups of actions. Returns ``detach`` or ``stop`` from ``run()``."""

    def __init__(self, link: EngineLink, *, is_read_only: bool = False, owns_engine: bool = False) -> None:
        super().__init__()
        self.link = link
        self.is_read_only = is_read_only
        self.owns_engine = owns_engine
        self.frame: Frame | None = None
        self.dashboard = Dashboard()

    @property
    def palette(self) -> Palette:
        return palette_of(self.theme)

    def paint(self) -> None:
        """Show what the link has heard."""
        raise NotImplementedError

    def tell(self, message: str, severity: str = "information") -> None:
        """A toast, and a line in the log, unless the engine itself logs the same."""
        self.show_toast(message, severity)
        level = {"information": "you", "warning": "warning", "error": "error"}[severity]
        for panel in self.dashboard.query(LogPanel):
            now_ns = self.link.snapshot.time_ns if self.link.snapshot is not None else time_ns()
            panel.notes.append(LogLineView(time_ns=now_ns, level=level, event=message, fields={}))
            del panel.notes[:-100]

    def show_toast(self, message: str, severity: str = "information") -> None:
        self.notify(message, severity=severity, timeout=6, markup=False)  # type: ignore[arg-type]

    def _do(self, what: str, command: Awaitable[Any]) -> None:
        """Run a command and tell how it ended; the screens go on meanwhile."""
        self.run_worker(self._done(what, command), group="commands")

    async def _done(self, what: str, command: Awaitable[Any]) -> None:
        try:
            reply = await command
        except SengineError as error:
            self.tell(f"{what}: {error}", "error")
        else:
            orders = getattr(reply, "orders_to_cancel", 0)
            self.tell(reply.message + (f"; cancelling {counted(orders, 'order')}" if orders else ""))
        await self.link.refresh()
        self.paint()
        if isinstance(self.screen, Detail):
            self.screen.ask()

    async def _ask(self, dialog: Dialog[R]) -> R | None:
        """The dialog's answer. There is one dialog at a time: a key that is pressed again while the first one's figures
        are on their way opens no second one."""
        if isinstance(self.screen, Dialog):
            return None
        return await self.push_screen_wait(dialog)

    def _may(self, action: str) -> bool:
        if self.is_read_only and command_of(action).changes_engine:
            self.tell(f"{command_of(action).label.lower()}: these screens are read-only", "warning")
            return False
        return True

    def _strategy(self, action: str) -> str:
        """The strategy to act on; empty, and told why, where there is none or it may not be."""
        if not self._may(action):
            return ""
        strategy_id = self._chosen_strategy()
        if not strategy_id:
            self.tell(f"{command_of(action).label.lower()}: no strategy is selected", "warning")
        return strategy_id

    def _chosen_strategy(self) -> str:
        screen = self.screen
        return screen.strategy_id if isinstance(screen, Dashboard | Detail) else ""
