"""Positions: of each strategy, and net of each symbol."""

from __future__ import annotations

from itertools import groupby

from sengine.adapters.control.views import PositionView
from sengine.domain.position import net
from tui import figures
from tui.frame import Frame
from tui.themes import Palette, signed
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row


class PositionsPanel(TablePanel):
    NAME = "positions"
    NUMBER = 2
    TITLE = "Positions"
    EMPTY = "no positions yet"
    COLUMNS = (
        Column("symbol", "symbol", 9),
        Column("strategy", "strategy", 14, grows=True),
        Column("quantity", "quantity", 8, "right"),
        Column("flight", "in flight", 9, "right", rank=6),
        Column("average", "average", 10, "right", rank=4),
        Column("mark", "mark", 10, "right", rank=3),
        Column("realized", "realized", 9, "right", rank=2),
        Column("unrealized", "unreal.", 9, "right", rank=1),
        Column("limit", "of limit", 8, "right"),
    )

    def summary(self, frame: Frame) -> str:
        realized, unrealized = frame.snapshot.realized_pnl, frame.snapshot.unrealized_pnl
        orders = len(frame.snapshot.orders)
        waiting = f"{orders} open order{'s' * (orders != 1)}"
        return f"{waiting} · realized {_marked(realized)} · unrealized {_marked(unrealized)}"

    def rows(self, frame: Frame) -> list[Row]:
        rows = []
        views = sorted(frame.snapshot.positions, key=lambda view: (view.symbol, view.strategy_id))
        for symbol, group in groupby(views, key=lambda view: view.symbol):
            held = list(group)
            if len(held) > 1:
                rows.append(_net(symbol, held, frame.palette))
            rows += [_row(view, frame, is_part=len(held) > 1) for view in held]
        return rows


def _row(view: PositionView, frame: Frame, *, is_part: bool) -> Row:
    palette, limit = frame.palette, frame.max_position
    share = abs(view.quantity) / limit if limit else None
    share_colour = palette.dim if share is None or share < 0.5 else palette.warn if share < 0.9 else palette.down
    return Row(
        f"{view.symbol} {view.strategy_id}",
        (
            Cell("" if is_part else view.symbol, palette.bold, view.symbol),
            Cell(f"└ {view.strategy_id}" if is_part else view.strategy_id, palette.text),
            *_numbers(view, palette),
            Cell("-" if share is None else f"{share:.0%}", share_colour, share or 0.0),
        ),
        view.strategy_id,
        view.symbol,
    )


def _net(symbol: str, held: list[PositionView], palette: Palette) -> Row:
    total = PositionView(
        strategy_id="",
        symbol=symbol,
        quantity=net([view.quantity for view in held]),
        in_flight=net([view.in_flight for view in held]),
        average_price=0.0,
        mark_price=held[0].mark_price,
        realized_pnl=sum(view.realized_pnl for view in held),
        unrealized_pnl=sum(view.unrealized_pnl for view in held),
        commission=0.0,
    )
    named = Cell(symbol, palette.bold), Cell("net", palette.label)
    cells = (*named, *_numbers(total, palette), Cell("", palette.dim, -1))
    return Row(f"net {symbol}", cells, "", symbol)


def _numbers(view: PositionView, palette: Palette) -> list[Cell]:
    side = palette.dim if not view.quantity else palette.up if view.quantity > 0 else palette.down
    return [
        Cell(figures.quantity(view.quantity), side, view.quantity),
        Cell(figures.quantity(view.in_flight) if view.in_flight else "-", palette.dim, view.in_flight),
        Cell(figures.price(view.average_price), palette.label, view.average_price),
        Cell(figures.price(view.mark_price), palette.text, view.mark_price),
        Cell(figures.money(view.realized_pnl), signed(palette, view.realized_pnl), view.realized_pnl),
        Cell(figures.money(view.unrealized_pnl), signed(palette, view.unrealized_pnl), view.unrealized_pnl),
    ]


def _marked(amount: float | None) -> str:
    colour = "$secondary" if amount is None or abs(amount) < 0.005 else "$success" if amount > 0 else "$error"
    return f"[{colour}]{figures.money(amount)}[/]"
