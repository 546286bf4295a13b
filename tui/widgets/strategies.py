"""The strategies: what each is doing, and what it has earned."""

from __future__ import annotations

from collections import Counter

from sengine.adapters.control.views import FailedStrategyView, StrategyView
from tui import figures
from tui.frame import Frame
from tui.themes import Palette, signed
from tui.widgets.panel import TablePanel
from tui.widgets.rows import Cell, Column, Row


class StrategiesPanel(TablePanel):
    NAME = "strategies"
    NUMBER = 1
    TITLE = "Strategies"
    EMPTY = "no strategies are loaded; L loads one"
    COLUMNS = (
        Column("id", "strategy", 16, grows=True),
        Column("state", "state", 9),
        Column("pnl", "P&L", 10, "right"),
        Column("position", "position", 9, "right", rank=1),
        Column("signals", "signals", 7, "right"),
        Column("ticks", "ticks", 7, "right", rank=3),
        Column("p50", "p50", 6, "right", rank=4),
        Column("p99", "p99", 6, "right", rank=2),
        Column("errors", "errors", 6, "right"),
        Column("version", "version", 14, rank=7),
        Column("reloaded", "reloaded", 8, rank=6),
        Column("trouble", "last error", 24, rank=8, grows=True),
    )

    def summary(self, frame: Frame) -> str:
        views = frame.snapshot.strategies
        active = sum(view.is_active for view in views)
        parts = [f"{active} active"]
        others = Counter(figures.STATES.get(view.state, view.state.lower()) for view in views if not view.is_active)
        parts += [f"[$warning]{count} {state}[/]" for state, count in others.items()]
        if frame.snapshot.failed:
            parts.append(f"[$error]{len(frame.snapshot.failed)} failed[/]")
        return " · ".join(parts)

    def rows(self, frame: Frame) -> list[Row]:
        palette = frame.palette
        rows = [_row(view, palette) for view in frame.snapshot.strategies]
        return rows + [_failed(view, palette) for view in frame.snapshot.failed]


def _row(view: StrategyView, palette: Palette) -> Row:
    pnl = view.pnl
    state, colour = figures.STATES.get(view.state, view.state.lower()), palette.up
    if not view.is_active:
        colour = palette.warn
    elif view.stalled_s:
        state, colour = "stalled", palette.down
    dot = "●" if view.is_active else "○"
    name = Cell(view.strategy_id, palette.bold if view.is_active else palette.label)
    trouble = view.last_error or view.pause_reason
    if view.stalled_s:
        trouble = f"{view.stalled_reason} for {view.stalled_s:.0f} s"
    return Row(
        view.strategy_id,
        (
            name,
            Cell(f"{dot} {state}", colour),
            Cell(figures.money(pnl), signed(palette, pnl), pnl or 0.0),
            Cell(figures.quantity(view.position), palette.text if view.position else palette.dim, view.position),
            Cell(figures.count(view.signals), palette.text, view.signals),
            Cell(figures.count(view.ticks), palette.label, view.ticks),
            Cell(figures.micros(view.on_tick.p50_us), palette.label, view.on_tick.p50_us),
            Cell(
                figures.micros(view.on_tick.p99_us),
                palette.warn if view.on_tick.p99_us > 500 else palette.text,
                view.on_tick.p99_us,
            ),
            Cell(figures.count(view.errors), palette.down if view.errors else palette.dim, view.errors),
            Cell(view.version, palette.dim),
            Cell(figures.time_of_day(view.last_reload_ns) or "-", palette.dim, view.last_reload_ns),
            Cell(trouble, palette.down if view.last_error or view.stalled_s else palette.warn),
        ),
        view.strategy_id,
        view.symbols[0] if len(view.symbols) == 1 else "",
    )


def _failed(view: FailedStrategyView, palette: Palette) -> Row:
    none = Cell("-", palette.dim, 0)
    return Row(
        f"failed {view.strategy_id}",
        (
            Cell(view.strategy_id, palette.down),
            Cell("✕ failed", palette.down),
            *[none] * 9,
            Cell(view.reason, palette.down),
        ),
        view.strategy_id,
    )
