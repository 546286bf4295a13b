"""The pictures of a report: equity and drawdown, trades on the price, returns by month, latency."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from replay.equity import EquityCurve
from replay.monthly import monthly_returns
from replay.price_trail import PriceTrail
from replay.trade_marks import TradeMarks

_GAIN, _LOSS, _LINE, _MUTED = "#1a7f4b", "#c0392b", "#2563eb", "#94a3b8"
_BUY_AND_SELL = (("buy", "triangle-up", _GAIN), ("sell", "triangle-down", _LOSS))


def equity_chart(curve: EquityCurve, initial_capital: float) -> go.Figure:
    """Equity over time, and below it how far it is under its peak, in percent."""
    times = _times(curve.times_ns())
    equity = [initial_capital + pnl for pnl in curve.pnl]
    peaks = accumulate(equity, max, initial=initial_capital)
    next(peaks)
    drawdown = [100.0 * (value - peak) / peak for value, peak in zip(equity, peaks, strict=True)]
    figure = make_subplots(rows=2, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.06)
    figure.add_scatter(x=times, y=equity, name="equity", line_color=_LINE, row=1, col=1)
    figure.add_scatter(x=times, y=drawdown, name="drawdown, %", line_color=_LOSS, fill="tozeroy", row=2, col=1)
    figure.update_yaxes(title_text="equity", tickformat=",", row=1, col=1)
    figure.update_yaxes(title_text="drawdown, %", row=2, col=1)
    return _dressed(figure, 460)


def price_chart(symbol: str, prices: PriceTrail, marks: TradeMarks) -> go.Figure:
    """The mid of one symbol, with its fills as triangles: up for buys, down for sells."""
    figure = go.Figure()
    figure.add_scatter(
        x=_times(prices.times_ns.get(symbol, [])), y=prices.mids.get(symbol, []), name="mid", line_color=_MUTED
    )
    for side, shape, colour in _BUY_AND_SELL:
        own = [mark for mark in marks.kept if mark.symbol == symbol and mark.side == side]
        figure.add_scatter(
            x=_times([mark.timestamp_ns for mark in own]),
            y=[mark.price for mark in own],
            text=[f"{mark.strategy_id} {side} {mark.quantity:g} at {mark.price:,.10g}" for mark in own],
            hoverinfo="text+x",
            mode="markers",
            marker={"symbol": shape, "color": colour, "size": 8},
            name=side,
        )
    figure.update_yaxes(title_text=symbol, tickformat=",")
    return _dressed(figure, 340)


def monthly_chart(curve: EquityCurve, initial_capital: float) -> go.Figure:
    """Returns by calendar month, UTC, in percent."""
    months = monthly_returns(curve, initial_capital)
    percent = [100.0 * month.value for month in months]
    figure = go.Figure(
        go.Bar(
            x=[month.name for month in months],
            y=percent,
            width=min(0.4, 0.12 * len(months)),
            marker_color=[_GAIN if value >= 0.0 else _LOSS for value in percent],
            text=[f"{value:+z.3f} %" for value in percent],
        )
    )
    figure.update_xaxes(type="category")
    figure.update_yaxes(title_text="return, %")
    return _dressed(figure, 280)


def latency_chart(tick_us: dict[str, float], on_tick_us: dict[str, dict[str, float]]) -> go.Figure:
    """Median and 99th percentile of a whole tick and of each strategy's part, in microseconds."""
    names = ["whole tick", *on_tick_us]
    rows = [tick_us, *on_tick_us.values()]
    figure = go.Figure()
    for figure_name, colour in (("p50", _LINE), ("p99", _MUTED)):
        values = [row.get(figure_name, 0.0) for row in rows]
        figure.add_bar(y=names, x=values, name=figure_name, orientation="h", marker_color=colour)
    figure.update_xaxes(title_text="us, log scale", type="log", dtick=1)
    figure.update_yaxes(autorange="reversed")
    return _dressed(figure, 120 + 60 * len(names))


def _times(times_ns: Sequence[int]) -> list[str]:
    """Nanoseconds as ISO 8601, which the charts read as UTC."""
    return [str(np.datetime64(time_ns, "ns").astype("datetime64[ms]")) for time_ns in times_ns]


def _dressed(figure: go.Figure, height_px: int) -> go.Figure:
    figure.update_layout(
        template="plotly_white",
        height=height_px,
        margin={"l": 60, "r": 20, "t": 20, "b": 40},
        legend={"orientation": "h", "y": 1.08},
        font={"family": "system-ui, sans-serif"},
    )
    return figure
