"""The symbols: best prices, spread and how fresh they are."""

from __future__ import annotations

from sengine.clock import NS_PER_S
from tui import figures
from tui.frame import Frame
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row


class MarketsPanel(TablePanel):
    NAME = "markets"
    NUMBER = 8
    TITLE = "Markets"
    EMPTY = "no market data yet"
    COLUMNS = (
        Column("symbol", "symbol", 9, grows=True),
        Column("bid", "bid", 10, "right"),
        Column("ask", "ask", 10, "right"),
        Column("spread", "spread", 8, "right", rank=2),
        Column("bid_size", "bid size", 8, "right", rank=3),
        Column("ask_size", "ask size", 8, "right", rank=4),
        Column("age", "age", 5, "right"),
    )

    def summary(self, frame: Frame) -> str:
        number = len(frame.snapshot.symbols)
        return f"{number} symbol{'s' * (number != 1)}"

    def rows(self, frame: Frame) -> list[Row]:
        palette = frame.palette
        rows = []
        for view in sorted(frame.snapshot.symbols, key=lambda view: view.symbol):
            age_s = max(0.0, (frame.snapshot.now_ns - view.last_ns) / NS_PER_S) if view.last_ns else 0.0
            spread = (view.ask - view.bid) / view.mid * 1e4 if view.bid and view.ask and view.mid else None
            rows.append(
                Row(
                    view.symbol,
                    (
                        Cell(view.symbol, palette.bold),
                        Cell(figures.price(view.bid) or "-", palette.up, view.bid),
                        Cell(figures.price(view.ask) or "-", palette.down, view.ask),
                        Cell("-" if spread is None else f"{spread:.2f}bp", palette.label, spread or 0.0),
                        Cell(f"{view.bid_quantity:g}", palette.label, view.bid_quantity),
                        Cell(f"{view.ask_quantity:g}", palette.label, view.ask_quantity),
                        Cell(
                            figures.span(age_s) if view.last_ns else "-",
                            palette.dim if age_s < 5 else palette.warn,
                            age_s,
                        ),
                    ),
                    "",
                    view.symbol,
                )
            )
        return rows
