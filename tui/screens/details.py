"""One strategy in full, and what all details share: they ask once a second while they are in sight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from sengine.adapters.control.views import ReloadReportView, StrategyDetailView, StrategyFillView
from sengine.errors import SengineError
from tui import figures
from tui.link import EngineLink
from tui.themes import Palette, signed
from tui.widgets.header import Banner, HeaderLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.rows import Cell, Column, Row
from tui.widgets.signals import COLUMNS as SIGNAL_COLUMNS
from tui.widgets.signals import signal_row
from tui.widgets.table import LiveTable

_EVERY_S = 1.0


class Detail(Screen[None]):
    """Base: asks at once and then every second, and shows the engine's sentence when it refuses."""

    strategy_id = ""
    symbol = ""

    def __init__(self, link: EngineLink, palette: Palette) -> None:
        super().__init__()
        self._link, self._palette = link, palette

    def on_mount(self) -> None:
        self.call_after_refresh(self.ask)  # what is drawn wants to know its room
        self.set_interval(_EVERY_S, self.ask)

    def ask(self) -> None:
        if self.is_current:
            self.run_worker(self._ask, exclusive=True, group="ask")  # type: ignore[arg-type]

    def repaint(self, palette: Palette) -> None:
        self._palette = palette
        self.ask()

    async def _ask(self) -> None:
        try:
            await self.fetch()
        except SengineError as error:
            self.query_one("#head", Static).update(Text(str(error), self._palette.down))

    async def fetch(self) -> None:
        raise NotImplementedError

    @staticmethod
    def show_rows(table: LiveTable, rows: Sequence[Row], nothing: str) -> None:
        """The rows, or on the frame around them that there are none."""
        table.show(rows)
        assert isinstance(table.parent, Widget)
        table.parent.border_subtitle = "" if rows else nothing

    @property
    def focused_table(self) -> LiveTable | None:
        return self.focused if isinstance(self.focused, LiveTable) else self.query(LiveTable).first()

    @property
    def current_row(self) -> Row | None:
        table = self.focused_table
        return table.current if table is not None else None


class StrategyDetail(Detail):
    def __init__(self, link: EngineLink, palette: Palette, strategy_id: str) -> None:
        super().__init__(link, palette)
        self.strategy_id = strategy_id

    def compose(self) -> ComposeResult:
        yield HeaderLine()
        yield Banner()
        yield Static("asking the engine", id="head", classes="detail-head")
        with Horizontal(classes="detail-columns"):
            with Vertical():
                with VerticalScroll(classes="detail-box") as box:
                    box.border_title = "Parameters and state"
                    yield Static(id="parameters")
                with VerticalScroll(classes="detail-box") as box:
                    box.border_title = "Last error"
                    yield Static(id="errors")
            with Vertical():
                with Vertical(classes="detail-box") as box:
                    box.border_title = "Its positions"
                    box.styles.height = 7
                    yield LiveTable(_POSITION_COLUMNS)
                with Vertical(classes="detail-box") as box:
                    box.border_title = "Its fills"
                    yield LiveTable(_FILL_COLUMNS, is_tail=True)
                with Vertical(classes="detail-box") as box:
                    box.border_title = "Its signals"
                    yield LiveTable([c for c in SIGNAL_COLUMNS if c.key != "strategy"], is_tail=True)
        yield KeyBar()

    async def fetch(self) -> None:
        view = await self._link.commands.strategy(self.strategy_id)
        palette = self._palette
        self.query_one("#head", Static).update(_strategy_head(view, palette))
        self.query_one("#parameters", Static).update(_parameters(view, palette))
        self.query_one("#errors", Static).update(_errors(view, palette))
        positions, fills, signals = self.query(LiveTable)
        filled = [_fill_row(n, each, palette) for n, each in enumerate(view.fills)]
        self.show_rows(fills, filled[::-1][:200], "none yet")
        self.symbol = view.state.symbols[0] if view.state.symbols else ""
        self.show_rows(positions, [_position_row(each, palette) for each in view.positions], "none yet")
        rows = [signal_row(n, each, palette) for n, each in enumerate(view.signals)]
        numbered = [
            row._replace(key=f"{each.timestamp_ns} {n}")
            for n, (row, each) in enumerate(zip(rows, view.signals, strict=True))
        ]
        without_strategy = [row._replace(cells=row.cells[:1] + row.cells[2:]) for row in numbered]
        self.show_rows(signals, without_strategy[::-1][:200], "none yet")


_POSITION_COLUMNS = (
    Column("symbol", "symbol", 9, grows=True),
    Column("quantity", "quantity", 9, "right"),
    Column("average", "average", 10, "right", rank=2),
    Column("mark", "mark", 10, "right", rank=3),
    Column("realized", "realized", 10, "right", rank=1),
    Column("unrealized", "unreal.", 10, "right"),
)
_FILL_COLUMNS = (
    Column("time", "time", 10),
    Column("symbol", "symbol", 8, rank=2, grows=True),
    Column("side", "side", 6),
    Column("quantity", "size", 6, "right"),
    Column("price", "price", 10, "right"),
    Column("realized", "realized", 8, "right", rank=1),
    Column("order", "order", 10, rank=3),
)


def _fill_row(number: int, view: StrategyFillView, palette: Palette) -> Row:
    bought, realized = view.side == "buy", view.realized_pnl
    return Row(
        str(number),
        (
            Cell(figures.time_of_day(view.timestamp_ns, with_ms=True)[:-2], palette.dim, view.timestamp_ns),
            Cell(view.symbol, palette.bold),
            Cell("▲ buy" if bought else "▼ sell", palette.up if bought else palette.down),
            Cell(f"{view.quantity:g}", palette.text, view.quantity),
            Cell(figures.price(view.price), palette.text, view.price),
            Cell("-", palette.dim, 0.0)
            if realized is None
            else Cell(figures.money(realized), signed(palette, realized), realized),
            Cell(view.order_id, palette.dim),
        ),
        "",
        view.symbol,
    )


def _position_row(view: Any, palette: Palette) -> Row:
    return Row(
        view.symbol,
        (
            Cell(view.symbol, palette.bold),
            Cell(figures.quantity(view.quantity), palette.text, view.quantity),
            Cell(figures.price(view.average_price), palette.label, view.average_price),
            Cell(figures.price(view.mark_price), palette.text, view.mark_price),
            Cell(figures.money(view.realized_pnl), signed(palette, view.realized_pnl), view.realized_pnl),
            Cell(figures.money(view.unrealized_pnl), signed(palette, view.unrealized_pnl), view.unrealized_pnl),
        ),
        view.strategy_id,
        view.symbol,
    )


def _strategy_head(view: StrategyDetailView, palette: Palette) -> Text:
    state = view.state
    text = Text(no_wrap=True)
    text.append(state.strategy_id, palette.bold)
    word = figures.STATES.get(state.state, state.state.lower())
    text.append(f"  {'●' if state.is_active else '○'} {word}", palette.up if state.is_active else palette.warn)
    if state.pause_reason:
        text.append(f" ({state.pause_reason})", palette.warn)
    text.append("  P&L ", palette.label)
    text.append(figures.money(state.pnl), signed(palette, state.pnl))
    if state.not_added_up:
        text.append(f" ({state.not_added_up})", palette.dim)
    text.append(f"  peak {figures.money(state.peak_pnl)}  position {figures.quantity(state.position)}", palette.label)
    text.append(
        f"\nticks {figures.count(state.ticks)}  signals {figures.count(state.signals)}  on_tick p50 "
        f"{figures.micros(state.on_tick.p50_us) or '-'} p99 {figures.micros(state.on_tick.p99_us) or '-'} max "
        f"{figures.micros(state.on_tick.max_us) or '-'}  route {state.route}  {', '.join(state.symbols)}",
        palette.label,
    )
    text.append(f"\n{state.source}  {state.version}", palette.dim)
    return text


def _parameters(view: StrategyDetailView, palette: Palette) -> Text:
    text = Text(end="")
    width = max([len(name) for name in view.config], default=0)
    for name, value in view.config.items():
        text.append(f"{name:<{width}}  ", palette.label)
        text.append(f"{_json(value)}\n", palette.bold)
    if not view.config:
        text.append("no parameters\n", palette.dim)
    for symbol, own in view.own_state.items():
        text.append(f"\n{symbol}\n", palette.accent)
        for name, value in own.items() if isinstance(own, dict) else [("", own)]:
            text.append(f"{name:<{width}}  ", palette.label)
            text.append(f"{_json(value)}\n", palette.text)
    if view.reloads:
        text.append_text(last_reload_text(view.reloads[-1], palette))
    return text


def last_reload_text(report: ReloadReportView, palette: Palette) -> Text:
    """What the last reload did, step by step."""
    text = Text(f"\nlast reload {figures.time_of_day(report.time_ns)}\n", palette.accent, end="")
    text.append(f"{report.message}\n", palette.text if report.is_done else palette.down)
    for step in report.steps:
        text.append(f"{'done' if step.is_done else 'FAILED':<7}", palette.label if step.is_done else palette.down)
        text.append(f"{step.took_ms:>8.1f} ms  {step.name}\n", palette.text)
    compared = report.compared
    if compared is not None and compared.differ:
        text.append(f"{compared.differ} of {compared.ticks} differ, first {compared.first_difference}\n", palette.text)
    return text


def _errors(view: StrategyDetailView, palette: Palette) -> Text:
    state = view.state
    if not state.errors and not view.last_traceback and not state.last_error:
        return Text("none", palette.dim)
    kinds = ", ".join(f"{kind} {number}" for kind, number in state.errors_by_type.items())
    text = Text(f"{state.errors} in all: {kinds}\n", palette.label)
    text.append(f"{figures.time_of_day(state.last_error_ns)} {state.last_error_where}\n", palette.dim)
    text.append(f"{state.last_error}\n\n", palette.down)
    text.append(view.last_traceback, palette.text)
    return text


def _json(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
