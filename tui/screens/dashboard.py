"""The dashboard: all panels, laid out for the room there is."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from tui.frame import Frame
from tui.replay_bar import ReplayBar
from tui.widgets.header import Banner, HeaderLine
from tui.widgets.health import HealthPanel
from tui.widgets.key_bar import KeyBar
from tui.widgets.latency import LatencyPanel
from tui.widgets.log import LogPanel
from tui.widgets.markets import MarketsPanel
from tui.widgets.orders import OrdersPanel
from tui.widgets.panel import Panel, TablePanel
from tui.widgets.pnl import PnlPanel
from tui.widgets.positions import PositionsPanel
from tui.widgets.risk import RiskPanel
from tui.widgets.rows import Row
from tui.widgets.signals import SignalsPanel
from tui.widgets.strategies import StrategiesPanel
from tui.widgets.table import LiveTable


class Dashboard(Screen[None]):
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (170, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-low"), (34, "-high")]  # noqa: RUF012

    def compose(self) -> ComposeResult:
        yield HeaderLine()
        yield Banner()
        yield ReplayBar()
        with Horizontal(id="columns"):
            with Vertical(id="main", classes="column"):
                yield StrategiesPanel()
                yield PositionsPanel()
                yield OrdersPanel()
                yield SignalsPanel()
                yield LogPanel()
            with Vertical(id="side", classes="column"):
                with Vertical(id="side-a", classes="column"):
                    yield PnlPanel()
                    yield LatencyPanel()
                with Vertical(id="side-b", classes="column"):
                    yield RiskPanel()
                    yield HealthPanel()
                    yield MarketsPanel()
        yield KeyBar()

    @property
    def panels(self) -> list[Panel]:
        """In the order of their numbers."""
        return sorted(self.query(Panel), key=lambda panel: panel.NUMBER)

    @property
    def focused_panel(self) -> Panel:
        """The panel that has the focus, or the first."""
        node = self.focused
        while node is not None and not isinstance(node, Panel):
            node = node.parent  # type: ignore[assignment]
        return node if isinstance(node, Panel) else self.panels[0]

    @property
    def focused_table(self) -> LiveTable | None:
        panel = self.focused_panel
        return panel.table if isinstance(panel, TablePanel) else None

    @property
    def current_row(self) -> Row | None:
        table = self.focused_table
        return table.current if table is not None else None

    @property
    def strategy_id(self) -> str:
        """Of the focused row; from a panel without strategies, the one chosen in the strategies' table."""
        row = self.current_row
        if row is None or not row.strategy_id:
            row = self.query_one(StrategiesPanel).table.current
        return row.strategy_id if row is not None else ""

    @property
    def symbol(self) -> str:
        row = self.current_row
        return row.symbol if row is not None else ""

    @property
    def maximised(self) -> bool:
        return self.has_class("-maximised")

    def show(self, frame: Frame) -> None:
        for panel in self.panels:
            if panel.is_on_screen or not panel.size:
                panel.show(frame)

    def go_to(self, number: int) -> None:
        """Focus a panel; one that has no room here gets the whole screen."""
        panel = self.panels[number - 1]
        if self.maximised or panel.region.area == 0:
            self.maximise(panel)
        self._focus(panel)

    def maximise(self, panel: Panel) -> None:
        self.restore()
        self.add_class("-maximised")
        panel.add_class("-it")
        for node in panel.ancestors:
            if node.has_class("column"):
                node.add_class("-holds-it")
        self._focus(panel)
        self.call_after_refresh(self._repaint, panel)

    def _focus(self, panel: Panel) -> None:
        """At once where that can be: the next key may be on its way, and means this panel."""
        self.set_focus(panel.focus_target)
        if self.focused is not panel.focus_target:
            panel.focus_target.focus()

    def restore(self) -> None:
        self.remove_class("-maximised")
        for node in self.query(".-it, .-holds-it"):
            node.remove_class("-it", "-holds-it")

    def _repaint(self, panel: Panel) -> None:
        frame = getattr(self.app, "frame", None)
        if frame is not None:
            panel.show(frame)
