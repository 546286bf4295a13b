"""The actions that look: details, panels, tables, help. None of them reaches the engine."""

from __future__ import annotations

from tui.commanding import CommandingApp
from tui.screens.dashboard import Dashboard
from tui.screens.details import Detail, StrategyDetail
from tui.screens.dialogs import Help
from tui.screens.symbol_detail import SymbolDetail
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Row
from tui.widgets.table import LiveTable


class LookActions(CommandingApp):
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

    def _table(self) -> LiveTable | None:
        return self.screen.focused_table if isinstance(self.screen, Dashboard | Detail) else None

    def _open(self, screen: Detail) -> None:
        if isinstance(self.screen, Detail):
            self.pop_screen()
        self.push_screen(screen)
        self.call_after_refresh(self.paint)
