"""The terminal of an engine: it paints what the link has heard, and remembers how it was left."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual.app import SystemCommand
from textual.filter import LineFilter
from textual.screen import ModalScreen, Screen

from tui.bindings import BINDINGS, COMMANDS
from tui.engine_actions import EngineActions
from tui.frame import Frame, History
from tui.link import STALE_AFTER_S, EngineLink
from tui.look_actions import LookActions
from tui.preferences import Preferences, read_preferences, write_preferences
from tui.reload_news import ReloadNews
from tui.replay_actions import ReplayActions
from tui.replay_bar import ReplayBar
from tui.screens.details import Detail
from tui.shown import Harmless
from tui.themes import THEMES
from tui.widgets.header import Banner, HeaderLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.panel import TablePanel

_PAINT_EVERY_S = 0.25


class EngineApp(EngineActions, ReplayActions, LookActions):
    """Returns ``detach``, ``stop`` or ``hangup`` from ``run()``, the last where ``terminal_is_gone``.

    ``owns_engine`` is whether the engine was started with these screens, so that leaving them is a question.
    ``has_ended`` tells when that engine is gone; then the screens go as well.
    ``preferences_file`` is where theme and layout are remembered; ``None``: nowhere.
    """

    CSS_PATH = "app.tcss"
    TITLE = "sengine"
    BINDINGS: ClassVar[Any] = BINDINGS
    COMMAND_PALETTE_DISPLAY = "ctrl+p"

    def __init__(
        self,
        link: EngineLink,
        *,
        is_read_only: bool = False,
        owns_engine: bool = False,
        has_ended: Callable[[], bool] = lambda: False,
        terminal_is_gone: Callable[[], bool] = lambda: False,
        preferences_file: Path | None = None,
    ) -> None:
        super().__init__(link, is_read_only=is_read_only, owns_engine=owns_engine)
        self._has_ended = has_ended
        self._terminal_is_gone = terminal_is_gone
        self.history = History()
        self._harmless = Harmless()
        self._reload_news = ReloadNews()
        self._preferences_file = preferences_file
        self._preferences = read_preferences(preferences_file) if preferences_file else Preferences()
        for theme in THEMES:
            self.register_theme(theme)
        names = [theme.name for theme in THEMES]
        # Set by assignment, all the styles would be parsed twice before the first paint.
        self.set_reactive(EngineApp.theme, self._preferences.theme if self._preferences.theme in names else names[0])
        self.stylesheet.set_variables(self.get_css_variables())
        self.set_class(not self.current_theme.dark, "-light-mode")
        self.set_class(self.current_theme.dark, "-dark-mode")

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), self._harmless]

    def get_default_screen(self) -> Screen[Any]:
        return self.dashboard

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(THEMES[0].variables)

    async def on_mount(self) -> None:
        self.call_after_refresh(self._begin)
        self.call_after_refresh(self.link.start)
        self.set_interval(_PAINT_EVERY_S, self.paint)

    def _begin(self) -> None:
        for panel in self.dashboard.panels:
            if isinstance(panel, TablePanel) and panel.NAME in self._preferences.sorts:
                column, descending = self._preferences.sorts[panel.NAME]
                panel.table.sort_by(column, descending=descending)
        for panel in self.dashboard.panels:
            if self._preferences.panel == panel.NAME:
                if self._preferences.maximised:
                    self.dashboard.maximise(panel)
                elif panel.region.area:
                    panel.focus_target.focus()
        self.paint()

    async def on_unmount(self) -> None:
        await self.link.stop()

    def exit(self, result: str | None = None, return_code: int = 0, message: Any = None) -> None:
        self._remember()
        super().exit(result, return_code, message)

    # Painting.

    def paint(self) -> None:
        """Show what the link has heard; called four times a second and after each command."""
        if not self.is_running or not self.dashboard.is_running:
            return
        if self._terminal_is_gone():
            self.exit("hangup")
            return
        if self._has_ended() or self.link.turned_away:
            self.exit("stop" if self.owns_engine else "detach")
            return
        link, palette = self.link, self.palette
        snapshot = link.snapshot
        problem = link.problem
        if not problem and snapshot is not None and link.age_s > STALE_AFTER_S:
            problem = "no word from it"
        if snapshot is None and self.owns_engine:
            problem = "connecting"  # it starts along with these screens
        # A dialog lies over the screen; that goes on below it, so that nobody decides by figures that stand still.
        screen = next(each for each in reversed(self.screen_stack) if not isinstance(each, ModalScreen))
        for header in screen.query(HeaderLine):
            header.show(snapshot, palette, link.address, self.history.ticks_per_s, problem, self._mode)
        for banner in screen.query(Banner):
            banner.tell(problem, link.age_s, snapshot is not None, snapshot.kill_reason if snapshot else "")
        for bar in screen.query(KeyBar):
            if not hasattr(bar, "text"):
                bar.show(palette, is_read_only=self.is_read_only)
        if snapshot is None:
            return
        for replay in screen.query(ReplayBar):
            replay.show(snapshot, palette)
        self.history.add(snapshot, link.past)
        for message, severity in self._reload_news.collect(snapshot):
            self.show_toast(message, severity)
        self.frame = Frame(snapshot, link.signals, link.log, self.history, palette, bool(problem), snapshot.kill_reason)
        if screen is self.dashboard:
            self.dashboard.show(self.frame)
        if screen is not self.screen:
            self.screen.refresh()
        # Also while another screen is in front: what goes by then was not dropped.
        link.signals.drain()
        link.log.drain()

    @property
    def _mode(self) -> str:
        return "READ-ONLY" if self.is_read_only else ""

    # Themes and palette.

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def watch_theme(self, theme: str) -> None:
        if not self.is_running:
            return
        for bar in self.screen.query(KeyBar):
            bar.show(self.palette, is_read_only=self.is_read_only)
        if isinstance(self.screen, Detail):
            self.screen.repaint(self.palette)
        self.call_after_refresh(self.paint)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        """The command palette: the registry and nothing else."""
        for command in COMMANDS:

            def run(action: str = command.action) -> None:
                self.call_later(self.run_action, action)

            yield SystemCommand(f"{command.label} ({command.key_text})", command.help, run)

    # What is remembered.

    def _remember(self) -> None:
        if self._preferences_file is None:
            return
        panels = [panel for panel in self.dashboard.panels if isinstance(panel, TablePanel)]
        failure = write_preferences(
            self._preferences_file,
            Preferences(
                theme=self.theme,
                panel=self._panel_name(),
                maximised=self.dashboard.maximised,
                sorts={panel.NAME: panel.table.sorted_by for panel in panels if panel.table.sorted_by is not None},
            ),
        )
        if failure:
            self.log.warning(failure)

    def _panel_name(self) -> str:
        return self.dashboard.focused_panel.NAME
