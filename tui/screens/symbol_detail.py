"""One symbol in full: the book, recent trades and the price."""

from __future__ import annotations

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from sengine.adapters.control.views import MarketView
from tui import figures
from tui.link import EngineLink
from tui.screens.details import Detail
from tui.themes import Palette
from tui.widgets.curve import draw_curve
from tui.widgets.header import Banner, HeaderLine
from tui.widgets.key_bar import KeyBar
from tui.widgets.rows import Cell, Column, Row
from tui.widgets.table import LiveTable

_TRADE_COLUMNS = (
    Column("time", "time", 12, grows=True),
    Column("side", "taker", 5),
    Column("price", "price", 11, "right"),
    Column("quantity", "quantity", 9, "right"),
)


class SymbolDetail(Detail):
    def __init__(self, link: EngineLink, palette: Palette, symbol: str) -> None:
        super().__init__(link, palette)
        self.symbol = symbol

    def compose(self) -> ComposeResult:
        yield HeaderLine()
        yield Banner()
        yield Static("asking the engine", id="head", classes="detail-head")
        with Horizontal(classes="detail-columns"):
            with Vertical(classes="detail-box") as box:
                box.border_title = "Book"
                yield Static(id="book", classes="drawing")
            with Vertical():
                with Vertical(classes="detail-box") as box:
                    box.border_title = "Mid price, last 10 minutes"
                    yield Static(id="price", classes="drawing")
                with Vertical(classes="detail-box") as box:
                    box.border_title = "Recent trades"
                    yield LiveTable(_TRADE_COLUMNS, is_tail=True)
        yield KeyBar()

    async def fetch(self) -> None:
        view = await self._link.commands.market(self.symbol)
        palette = self._palette
        self.query_one("#head", Static).update(_market_head(view, palette))
        book = self.query_one("#book", Static)
        book.update(_ladder(view, palette, max(30, book.container_size.width), book.container_size.height))
        price = self.query_one("#price", Static)
        price.update(_price_curve([*view.mids, view.state.mid], palette, *price.container_size))
        trades = self.query_one(LiveTable)
        rows = [
            Row(
                f"{each.timestamp_ns} {n}",
                (
                    Cell(figures.time_of_day(each.timestamp_ns, with_ms=True), palette.dim, each.timestamp_ns),
                    Cell(each.side.lower(), palette.up if each.side.lower() == "buy" else palette.down),
                    Cell(figures.price(each.price), palette.text, each.price),
                    Cell(f"{each.quantity:g}", palette.label, each.quantity),
                ),
            )
            for n, each in enumerate(view.trades)
        ]
        self.show_rows(trades, rows[::-1][:200], "the feed sent none")


def _market_head(view: MarketView, palette: Palette) -> Text:
    state = view.state
    text = Text(no_wrap=True)
    text.append(state.symbol, palette.bold)
    text.append(f"  mid {figures.price(state.mid) or '-'}", palette.text)
    if state.mid and state.bid and state.ask:
        text.append(f"  spread {(state.ask - state.bid) / state.mid * 1e4:.2f} bp", palette.label)
    if view.bar is not None:
        bar = view.bar
        text.append(
            f"  bar o {figures.price(bar.open)} h {figures.price(bar.high)} l {figures.price(bar.low)} "
            f"c {figures.price(bar.close)} v {bar.volume:g}",
            palette.label,
        )
    text.append(f"\nlast event {figures.time_of_day(state.last_ns, with_ms=True) or 'never'}", palette.dim)
    return text


def _ladder(view: MarketView, palette: Palette, width: int, height: int) -> Text:
    """Asks above, bids below, each with a bar of its size."""
    depth = max(1, (height - 1) // 2)
    asks, bids = view.asks[:depth][::-1], view.bids[:depth]
    largest = max([level.quantity for level in (*asks, *bids)], default=0.0) or 1.0
    room = max(4, min(40, width - 26))
    text = Text(no_wrap=True, end="")
    for levels, colour in ((asks, palette.down), (bids, palette.up)):
        for level in levels:
            text.append(f"{figures.price(level.price):>12} ", colour)
            text.append(f"{level.quantity:>10.6g} ", palette.text)
            text.append(figures.bar(level.quantity / largest, room).replace("·", " "), colour)
            text.append("\n")
        if levels is asks:
            text.append(f"{figures.price(view.state.mid) or '-':>12} mid\n", palette.bold)
    return text


def _price_curve(mids: list[float], palette: Palette, width: int, height: int) -> Text:
    if len(mids) < 2 or width < 20 or height < 2:
        return Text("collecting", palette.dim)
    low, high = min(mids), max(mids)
    if low == high:
        low, high = low * 0.9999, high * 1.0001
    text = Text(no_wrap=True, end="")
    lines = draw_curve(mids, width - 14, height, low, high)
    for n, line in enumerate(lines):
        name = figures.price(high) if n == 0 else figures.price(low) if n == len(lines) - 1 else ""
        text.append(f"{name:>12} ", palette.dim)
        text.append(line + "\n", palette.up if mids[-1] >= mids[0] else palette.down)
    return text
