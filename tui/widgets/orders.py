"""The open orders: what waits at the venue, for whom, and how much of it has filled."""

from __future__ import annotations

from sengine.adapters.control.views import OpenOrderView
from sengine.clock import NS_PER_S
from tui import figures
from tui.frame import Frame
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row


class OrdersPanel(TablePanel):
    NAME = "orders"
    NUMBER = 10
    KEY = "0"
    TITLE = "Orders"
    EMPTY = "no orders are open"
    COLUMNS = (
        Column("symbol", "symbol", 9),
        Column("strategies", "strategy", 14, grows=True),
        Column("side", "side", 6),
        Column("quantity", "quantity", 8, "right"),
        Column("filled", "filled", 6, "right", rank=2),
        Column("price", "price", 10, "right"),
        Column("age", "age", 6, "right"),
        Column("state", "state", 10, rank=1),
        Column("id", "order", 14, rank=3),
    )

    def summary(self, frame: Frame) -> str:
        orders = frame.snapshot.orders
        cancelling = sum(each.is_cancelling for each in orders)
        return f"{len(orders)} open" + (f" · [$warning]{cancelling} cancelling[/]" if cancelling else "")

    def rows(self, frame: Frame) -> list[Row]:
        return [_row(view, frame) for view in frame.snapshot.orders]


def _row(view: OpenOrderView, frame: Frame) -> Row:
    palette = frame.palette
    age_s = max(0.0, (frame.snapshot.now_ns - view.timestamp_ns) / NS_PER_S)
    share = view.filled / view.quantity if view.quantity else 0.0
    state = ("cancelling", palette.warn) if view.is_cancelling else ("working", palette.text)
    return Row(
        view.order_id,
        (
            Cell(view.symbol, palette.bold),
            Cell(", ".join(view.strategy_ids), palette.text),
            Cell("▲ buy" if view.side == "buy" else "▼ sell", palette.up if view.side == "buy" else palette.down),
            Cell(f"{view.quantity:g}", palette.text, view.quantity),
            Cell(f"{share:.0%}" if view.filled else "-", palette.text if view.filled else palette.dim, share),
            Cell("market" if view.limit_price is None else figures.price(view.limit_price), palette.label),
            Cell(figures.span(age_s), palette.dim, age_s),
            Cell(*state),
            Cell(view.order_id, palette.dim),
        ),
        view.strategy_ids[0] if view.strategy_ids else "",
        view.symbol,
    )
