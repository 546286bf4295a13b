"""The terminal of an engine: it paints what the link has heard, and turns keys into commands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from time import time_ns
from typing import Any, ClassVar

from textual import work
from textual.app import App, SystemCommand
from textual.screen import Screen

from sengine.adapters.control_views import LogLineView
from sengine.errors import SengineError
from tui import figures
from tui.bindings import BINDINGS, COMMANDS, command_of
from tui.frame import Frame, History
from tui.link import STALE_AFTER_S, EngineLink
from tui.preferences import Preferences, read_preferences, write_preferences
from tui.screens.dashboard import Dashboard
from tui.screens.details import Detail, StrategyDetail, SymbolDetail
from tui.screens.dialogs import Confirm, EditParameters, Help, Leave, LoadStrategy
from tui.themes import THEMES, Palette, palette_of
from tui.widgets.header import Banner, HeaderLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.log import LogPanel
from tui.widgets.panel import TablePanel
from tui.widgets.table import LiveTable, Row

_PAINT_EVERY_S = 0.25


class EngineApp(App[str]):
    """Returns ``detach`` or ``stop`` from ``run()``.

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
        preferences_file: Path | None = None,
    ) -> None:
        super().__init__()
        self.link = link
        self.is_read_only = is_read_only
        self.owns_engine = owns_engine
        self._has_ended = has_ended
        self.history = History()
        self.frame: Frame | None = None
        self.dashboard = Dashboard()
        self._preferences_file = preferences_file
        self._preferences = read_preferences(preferences_file) if preferences_file else Preferences()
        for theme in THEMES:
            self.register_theme(theme)

    @property
    def palette(self) -> Palette:
        return palette_of(self.theme)

    def get_default_screen(self) -> Screen[Any]:
        return self.dashboard

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(THEMES[0].variables)

    async def on_mount(self) -> None:
        names = [theme.name for theme in THEMES]
        self.theme = self._preferences.theme if self._preferences.theme in names else names[0]
        await self.link.start()
        self.call_after_refresh(self._begin)
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
        if self._has_ended():
            self.exit("stop")
            return
        link, palette = self.link, self.palette
        snapshot = link.snapshot
        problem = link.problem
        if not problem and snapshot is not None and link.age_s > STALE_AFTER_S:
            problem = "no word from it"
        screen = self.screen
        for header in screen.query(HeaderLine):
            header.show(snapshot, palette, link.address, self.history.ticks_per_s, problem, self._mode)
        for banner in screen.query(Banner):
            banner.tell(problem, link.age_s, snapshot is not None, snapshot.kill_reason if snapshot else "")
        for bar in screen.query(KeyBar):
            if not hasattr(bar, "text"):
                bar.show(palette, is_read_only=self.is_read_only)
        if snapshot is None:
            return
        self.history.add(snapshot)
        self.frame = Frame(snapshot, link.signals, link.log, self.history, palette, bool(problem), snapshot.kill_reason)
        if screen is self.dashboard:
            self.dashboard.show(self.frame)
            link.signals.take()
            link.log.take()

    @property
    def _mode(self) -> str:
        return "READ-ONLY" if self.is_read_only else ""

    # Strategy commands.

    def action_pause(self) -> None:
        if strategy_id := self._strategy("pause"):
            self._do(f"pause {strategy_id}", self.link.commands.pause(strategy_id, "by the operator"))

    def action_resume(self) -> None:
        if strategy_id := self._strategy("resume"):
            self._do(f"resume {strategy_id}", self.link.commands.resume(strategy_id))

    def action_reload(self) -> None:
        if strategy_id := self._strategy("reload"):
            self._do(f"reload {strategy_id}", self.link.commands.reload(strategy_id))

    @work
    async def action_unload(self) -> None:
        if strategy_id := self._strategy("unload"):
            held = [view for view in self._positions(strategy_id) if view.quantity]
            orders = sum(strategy_id in order.strategy_ids for order in self.frame.snapshot.orders) if self.frame else 0
            consequence = f"{strategy_id} is unloaded and no longer called."
            if orders:
                consequence += f"\nIt has {_number(orders, 'open order')}."
            if held:
                names = ", ".join(f"{figures.quantity(view.quantity)} {view.symbol}" for view in held)
                consequence += f"\nIts positions stay as they are: {names}."
            if await self.push_screen_wait(Confirm("Unload a strategy", consequence, "Unload")):
                self._do(f"unload {strategy_id}", self.link.commands.unload(strategy_id))

    @work
    async def action_pause_all(self) -> None:
        if not self._may("pause_all") or self.frame is None:
            return
        active = [view.strategy_id for view in self.frame.snapshot.strategies if view.is_active]
        if not active:
            self.tell("no strategy is running", "warning")
            return
        consequence = f"Pauses {_number(len(active), 'strategy', 'strategies')}: {', '.join(active)}.\n"
        consequence += "Positions stay; r resumes them one by one."
        if await self.push_screen_wait(Confirm("Pause all", consequence, "Pause all")):
            for strategy_id in active:
                self._do(f"pause {strategy_id}", self.link.commands.pause(strategy_id, "all paused by the operator"))

    @work
    async def action_edit(self) -> None:
        strategy_id = self._strategy("edit")
        if not strategy_id:
            return
        commands = self.link.commands
        try:
            config = (await commands.strategy(strategy_id)).config
        except SengineError as error:
            self.tell(f"edit {strategy_id}: {error}", "error")
            return
        wanted = await self.push_screen_wait(
            EditParameters(strategy_id, config, commands.check_parameters, self.palette)
        )
        if wanted is not None:
            self._do(f"set parameters of {strategy_id}", commands.set_parameters(strategy_id, wanted))

    @work
    async def action_load(self) -> None:
        if not self._may("load"):
            return
        wanted = await self.push_screen_wait(LoadStrategy())
        if wanted is not None:
            plugin, strategy_id, symbols = wanted
            self._do(f"load {strategy_id}", self.link.commands.load(plugin, strategy_id, symbols))

    # Engine commands.

    @work
    async def action_kill(self) -> None:
        if not self._may("kill"):
            return
        if await self.push_screen_wait(Confirm("Kill switch", self._kill_consequence(), "Kill")):
            self._do("kill switch", self.link.commands.kill("by the operator"))

    @work
    async def action_rearm(self) -> None:
        if not self._may("rearm") or self.frame is None:
            return
        if not self.frame.snapshot.kill_reason:
            self.tell("the kill switch is not on", "warning")
            return
        active = sum(view.is_active for view in self.frame.snapshot.strategies)
        consequence = f"Orders go out again at once: {_number(active, 'active strategy', 'active strategies')}."
        consequence += f"\nThe switch was pulled {self.frame.snapshot.kill_reason}."
        if await self.push_screen_wait(Confirm("Re-arm", consequence, "Re-arm")):
            self._do("re-arm", self.link.commands.rearm())

    @work
    async def action_quit_or_detach(self) -> None:
        if not self.owns_engine:
            self.exit("detach")
            return
        text = "Detach leaves the engine running in this terminal; `sengine attach` opens the screens again.\n"
        text += f"Stop ends it in order. {self._kill_consequence(of_stop=True)}"
        answer = await self.push_screen_wait(Leave(text))
        if answer:
            self.exit(answer)

    async def action_quit(self) -> None:
        """The toolkit's own way out asks as ours does."""
        self.action_quit_or_detach()

    # Looking.

    def action_show_help(self) -> None:
        self.push_screen(Help(self.palette))

    def action_open_details(self) -> None:
        """The symbol from the markets and net rows, else the strategy."""
        screen = self.screen
        row = screen.current_row if isinstance(screen, Dashboard | Detail) else None
        if row is not None and row.symbol and (not row.strategy_id or isinstance(screen, Detail)):
            self.action_open_symbol()
        else:
            self.action_open_strategy()

    def action_open_strategy(self) -> None:
        if strategy_id := self._chosen_strategy():
            self._open(StrategyDetail(self.link, self.palette, strategy_id))
        else:
            self.tell("no strategy is selected", "warning")

    def action_open_symbol(self) -> None:
        symbol = self.screen.symbol if isinstance(self.screen, Dashboard | Detail) else ""
        if not symbol and self.frame is not None and self.frame.snapshot.symbols:
            symbol = min(view.symbol for view in self.frame.snapshot.symbols)
        if symbol:
            self._open(SymbolDetail(self.link, self.palette, symbol))
        else:
            self.tell("no symbol is selected", "warning")

    def action_go_back(self) -> None:
        if isinstance(self.screen, Detail):
            self.pop_screen()
            self.paint()
        elif self.screen is self.dashboard:
            panel = self.dashboard.focused_panel
            if isinstance(panel, TablePanel) and panel.close_filter():
                return
            self.dashboard.restore()

    def action_maximise(self) -> None:
        if self.screen is self.dashboard:
            if self.dashboard.maximised:
                self.dashboard.restore()
            else:
                self.dashboard.maximise(self.dashboard.focused_panel)
            self.call_after_refresh(self.paint)

    def action_panel(self, number: int) -> None:
        if isinstance(self.screen, Detail):
            self.pop_screen()
        if self.screen is self.dashboard:
            self.dashboard.go_to(number)
            self.call_after_refresh(self.paint)

    # Tables.

    def action_filter(self) -> None:
        panel = self.dashboard.focused_panel if self.screen is self.dashboard else None
        if isinstance(panel, TablePanel):
            panel.open_filter()
        else:
            self.tell("this panel has no table to filter", "warning")

    def action_sort(self) -> None:
        table = self._table()
        if table is None:
            self.tell("this panel has no table to sort", "warning")
        else:
            self.tell(f"sorted {table.sort_next()}")

    def action_copy_row(self) -> None:
        table = self._table()
        row: Row | None = table.current if table is not None else None
        if row is None:
            self.tell("no row is selected", "warning")
        else:
            self.copy_to_clipboard("\t".join(cell.text for cell in row.cells))
            self.tell("row copied")

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

    # What the actions share.

    def tell(self, message: str, severity: str = "information") -> None:
        """A toast, and a line in the log."""
        self.notify(message, severity=severity, timeout=6, markup=False)  # type: ignore[arg-type]
        level = {"information": "you", "warning": "warning", "error": "error"}[severity]
        for panel in self.dashboard.query(LogPanel):
            now_ns = self.link.snapshot.time_ns if self.link.snapshot is not None else time_ns()
            panel.notes.append(LogLineView(time_ns=now_ns, level=level, event=message, fields={}))
            del panel.notes[:-100]

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
            self.tell(reply.message + (f"; cancelling {_number(orders, 'order')}" if orders else ""))
        await self.link.refresh()
        self.paint()
        if isinstance(self.screen, Detail):
            self.screen.ask()

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

    def _table(self) -> LiveTable | None:
        return self.screen.focused_table if isinstance(self.screen, Dashboard | Detail) else None

    def _open(self, screen: Detail) -> None:
        if isinstance(self.screen, Detail):
            self.pop_screen()
        self.push_screen(screen)
        self.call_after_refresh(self.paint)

    def _positions(self, strategy_id: str) -> list[Any]:
        return [v for v in self.frame.snapshot.positions if v.strategy_id == strategy_id] if self.frame else []

    def _kill_consequence(self, *, of_stop: bool = False) -> str:
        if self.frame is None:
            return "The engine has not answered yet: what it has open is not known."
        snapshot = self.frame.snapshot
        orders = [f"{each.side} {each.quantity:g} {each.symbol}" for each in snapshot.orders]
        listed = f" ({', '.join(orders[:4])}{', …' if len(orders) > 4 else ''})" if orders else ""
        text = f"Cancels {_number(len(orders), 'open order')}{listed}."
        if not of_stop:
            text += "\nStops new orders of every strategy, until A re-arms."
        held: dict[str, float] = {}
        for view in snapshot.positions:
            held[view.symbol] = held.get(view.symbol, 0.0) + view.quantity
        names = [f"{figures.quantity(amount)} {symbol}" for symbol, amount in sorted(held.items()) if amount]
        return text + (f"\nPositions stay: {', '.join(names)}." if names else "\nNo positions are open.")

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


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
