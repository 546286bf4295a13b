"""A run's result on the terminal: what a trader wants to see first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from replay.session import RunResult
from sengine.clock import format_timestamp
from sengine.domain.signal import Disposition

_BLOCKS = "▁▂▃▄▅▆▇█"


def print_summary(console: Console, result: RunResult, initial_capital: float) -> None:
    """Print totals, P&L per strategy and symbol, risk figures, the equity curve, latency and the digest."""
    console.print(summary(result, initial_capital, width=min(console.width, 100)))


def summary(result: RunResult, initial_capital: float, width: int) -> RenderableType:
    performance = result.performance
    figures = Table.grid(padding=(0, 3, 0, 0))
    for row in (
        ("P&L", _money(performance.total_pnl), "return", f"{performance.total_return:+.4%}"),
        ("max drawdown", f"{performance.max_drawdown:.4%}", "capital", f"{initial_capital:,.0f}"),
        ("sharpe", _ratio(performance.sharpe), "sortino", _ratio(performance.sortino)),
        ("win rate", _percent(performance.win_rate), "profit factor", _ratio(performance.profit_factor)),
        ("trades", f"{performance.trades:,}", "turnover", f"{performance.turnover:,.2f} x capital"),
        ("exposure", f"{performance.exposure:.2%}", "time in market", f"{performance.time_in_market:.2%}"),
        ("commission", f"{performance.commission:,.2f}", "returns over", f"{performance.return_interval_s:g} s"),
    ):
        figures.add_row(Text(row[0], "dim"), row[1], Text(row[2], "dim"), row[3])
    parts: list[RenderableType] = [_flow(result), ""]
    if result.positions:
        parts += [_positions(result), ""]
    parts += [figures, ""]
    if len(result.curve.pnl) > 1:
        parts += [Text.assemble(("equity ", "dim"), (sparkline(result.curve.pnl, max(10, width - 8)), "cyan")), ""]
    parts += [_latency(result), ""]
    parts += [Text(line, "red") for line in _troubles(result)]
    parts.append(Text(f"{result.ticks_per_second:,.0f} ticks/s, {result.elapsed_s:.2f} s   {result.digest}", "dim"))
    return Group(*parts)


def _flow(result: RunResult) -> Text:
    span = f"{format_timestamp(result.first_ns)} to {format_timestamp(result.last_ns)}" if result.ticks else "no ticks"
    endings = ", ".join(f"{result.dispositions.get(each, 0):,} {each.replace('_', ' ')}" for each in Disposition)
    text = Text.assemble((f"{result.ticks:,} ticks", "bold"), f"  {span}\n")
    text.append(f"{result.signals_total:,} signals", "bold").append(f"  {endings}")
    if result.filtered_by:
        text.append("  (" + ", ".join(f"{name} {count:,}" for name, count in result.filtered_by.items()) + ")", "dim")
    text.append(f"\n{result.orders:,} orders", "bold").append(f", {result.fills:,} fills")
    return text


def _positions(result: RunResult) -> Table:
    table = Table("strategy", "symbol", box=None, pad_edge=False, header_style="dim")
    for name in ("position", "average", "realized", "unrealized", "P&L"):
        table.add_column(name, justify="right")
    for position in result.positions:
        total = position.realized_pnl + position.unrealized_pnl
        table.add_row(
            escape(position.strategy_id),
            escape(position.symbol),
            f"{position.quantity:g}",
            f"{position.average_price:,.8g}",
            _money(position.realized_pnl),
            _money(position.unrealized_pnl),
            _money(total),
        )
    return table


def _latency(result: RunResult) -> Table:
    table = Table("latency, us", box=None, pad_edge=False, header_style="dim")
    for name in ("p50", "p99", "max"):
        table.add_column(name, justify="right")
    rows = {"whole tick": result.tick_us} | {f"on_tick {name}": row for name, row in result.on_tick_us.items()}
    for name, row in rows.items():
        table.add_row(escape(name), f"{row['p50']:.1f}", f"{row['p99']:.1f}", f"{row['max']:.0f}")
    return table


def _troubles(result: RunResult) -> Sequence[str]:
    """What went wrong, one line each; empty after a clean run."""
    lines = [f"dropped {count:,} rows: {reason}" for reason, count in result.rejected.items()]
    lines += [f"sequence {kind}: {count:,}" for kind, count in result.gaps.items()]
    lines += [f"strategy {name} did not run: {reason}" for name, reason in result.failed_strategies]
    lines += [f"{fault.where}: {fault.strategy_id}: {fault.message}" for fault in result.faults]
    for name, count in result.fault_counts.items():
        shown = sum(fault.strategy_id == name for fault in result.faults)
        if count > shown:
            lines.append(f"strategy {name}: {count - shown:,} more errors")
    return [*lines, *result.pauses]


def sparkline(values: Sequence[float], width: int) -> str:
    """The values as block characters, each the last of its stretch, lowest to highest."""
    count = min(width, len(values))
    shown = [values[(place + 1) * len(values) // count - 1] for place in range(count)]
    low, high = min(shown), max(shown)
    if high == low:
        return _BLOCKS[0] * count
    return "".join(_BLOCKS[int((value - low) / (high - low) * (len(_BLOCKS) - 1) + 0.5)] for value in shown)


def _money(value: float) -> Text:
    return Text(f"{value:+,.2f}", "green" if value > 0 else "red" if value < 0 else "")


def _ratio(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2%}"
