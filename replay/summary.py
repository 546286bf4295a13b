"""A run's result on the terminal: what a trader wants to see first.

Lines are never wrapped, cut or padded: what fits 80 columns looks good there, and a pipe gets whole lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from replay.result import RunResult
from sengine.clock import format_timestamp
from sengine.domain.currencies import CurrencyTotal
from sengine.domain.position import Position
from sengine.domain.signal import Disposition

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII_BLOCKS = "_.-~=+*#"
_WIDEST = 120
_Cell: TypeAlias = Text | str
_MILLISECONDS = len("2024-08-08T23:54:15.088")


def print_summary(console: Console, result: RunResult, initial_capital: float) -> None:
    """Print totals, P&L per strategy and symbol, risk figures, the equity curve, latency and the digest."""
    blocks = _ASCII_BLOCKS if console.options.ascii_only else _BLOCKS
    for line in summary_lines(result, initial_capital, min(console.width, _WIDEST), blocks):
        console.print(line, soft_wrap=True)


def summary_lines(result: RunResult, initial_capital: float, width: int, blocks: str = _BLOCKS) -> Iterable[Text]:
    """The summary line by line; only the equity curve makes use of ``width``."""
    yield from _flow(result)
    yield Text()
    if result.positions:
        yield from _positions(result.positions, result.totals if result.not_added_up else ())
        yield Text()
    if result.not_added_up:
        yield Text(f"n/a below: {result.not_added_up}", "yellow")
        yield Text()
    yield from _figures(result, initial_capital)
    yield from (Text(line, "dim") for line in little_words(result.means_little))
    yield Text()
    curve = [value for value in result.curve.pnl if isfinite(value)]
    if len(curve) > 1:
        yield Text.assemble(("equity  ", "dim"), (sparkline(curve, max(10, width - 8), blocks), "cyan"))
        yield Text.assemble(("        P&L from ", "dim"), _money(min(curve)), (" to ", "dim"), _money(max(curve)))
        yield Text()
    yield from _latency(result)
    yield Text()
    if result.hints:
        yield from (Text(hint, "yellow") for hint in result.hints)
        yield Text()
    troubles = _troubles(result)
    if troubles:
        yield from (Text(line, "red") for line in troubles)
        yield Text()
    yield Text(f"{result.ticks_per_second:,.0f} ticks/s, {result.elapsed_s:.2f} s", "dim")
    yield Text(f"digest {result.digest}", "dim")


def _flow(result: RunResult) -> Iterable[Text]:
    """From market data to fills: how many there were of each, and how the signals ended."""
    endings = ", ".join(f"{result.dispositions.get(each, 0):,} {each.replace('_', ' ')}" for each in Disposition)
    rows = [
        (_label("ticks"), _bold(result.ticks), _span(result)),
        (_label("signals"), _bold(result.signals_total), endings),
        (_label("orders"), _bold(result.orders), f"{result.fills:,} fills"),
    ]
    if result.filtered_by:
        checks = ", ".join(f"{count:,} by {name}" for name, count in result.filtered_by.items())
        rows.insert(2, (Text(), Text(), f"filtered: {checks}"))
    return _aligned(rows, "<><")


def _positions(positions: Sequence[Position], totals: Sequence[CurrencyTotal]) -> Iterable[Text]:
    """One row each, and their total, or one total for each of several currencies."""
    names = ("strategy", "symbol", "position", "average", "realized", "unrealized", "P&L")
    rows: list[Sequence[_Cell]] = [[_label(name) for name in names]]
    rows += [
        (
            position.strategy_id,
            position.symbol,
            f"{position.quantity:g}",
            f"{position.average_price:,.8g}" if position.quantity else "",
            _money(position.realized_pnl),
            _money(position.unrealized_pnl),
            _money(position.realized_pnl + position.unrealized_pnl),
        )
        for position in positions
    ]
    for total in totals:
        earned = (total.realized_pnl, total.unrealized_pnl, total.realized_pnl + total.unrealized_pnl)
        rows.append((_label("total"), _label(total.name), "", "", *map(_money, earned)))
    if len(positions) > 1 and not totals:
        realized = sum(position.realized_pnl for position in positions)
        unrealized = sum(position.unrealized_pnl for position in positions)
        rows.append((_label("total"), "", "", "", _money(realized), _money(unrealized), _money(realized + unrealized)))
    return _aligned(rows, "<<>>>>>")


def _figures(result: RunResult, initial_capital: float) -> Iterable[Text]:
    figures = result.performance
    pairs: Sequence[tuple[str, _Cell, str, _Cell]] = (
        ("P&L", _money(figures.total_pnl), "return", _percent(figures.total_return, "+z.4%")),
        ("max drawdown", _percent(figures.max_drawdown, "z.4%"), "capital", _plain(initial_capital)),
        ("sharpe", _plain(figures.sharpe), "sortino", _plain(figures.sortino)),
        ("win rate", _percent(figures.win_rate), "profit factor", _plain(figures.profit_factor)),
        (
            "trades",
            f"{figures.trades:,}",
            "turnover",
            "n/a" if figures.turnover is None else f"{_plain(figures.turnover)} x capital",
        ),
        ("exposure", _percent(figures.exposure), "time in market", _percent(figures.time_in_market)),
        ("commission", _plain(figures.commission), "returns over", f"{figures.return_interval_s:g} s"),
    )
    return _aligned([(_label(one), left, _label(other), right) for one, left, other, right in pairs], "<<<<", "   ")


def little_words(reasons: Mapping[str, str]) -> list[str]:
    """Figures that say little, one line for each reason."""
    names: dict[str, list[str]] = {}
    for name, why in reasons.items():
        names.setdefault(why, []).append(name.replace("_", " "))
    return [f"{' and '.join(named)} mean{'s' if len(named) == 1 else ''} little: {why}" for why, named in names.items()]


def _latency(result: RunResult) -> Iterable[Text]:
    rows: list[Sequence[_Cell]] = [[_label(name) for name in ("latency, us", "p50", "p99", "max")]]
    measured = {"whole tick": result.tick_us} | {f"on_tick {name}": each for name, each in result.on_tick_us.items()}
    rows += [(name, *(f"{each[key]:,.1f}" for key in ("p50", "p99", "max"))) for name, each in measured.items()]
    return _aligned(rows, "<>>>")


def _troubles(result: RunResult) -> Sequence[str]:
    """What went wrong, one line each; empty after a clean run."""
    lines = [
        f"dropped {_counted(count, 'row')}: {reason.replace('_', ' ')}"
        + (f", first {result.dropped[reason]}" if reason in result.dropped else "")
        for reason, count in result.rejected.items()
    ]
    lines += [f"sequence numbers {kind.replace('_', ' ')}: {count:,}" for kind, count in result.gaps.items()]
    lines += [f"strategy {name} did not run: {reason}" for name, reason in result.failed_strategies]
    lines += [": ".join(filter(None, (fault.where, fault.strategy_id, fault.message))) for fault in result.faults]
    for name, count in result.fault_counts.items():
        shown = sum(fault.strategy_id == name for fault in result.faults)
        if count > shown:
            lines.append(f"strategy {name}: {_counted(count - shown, 'more error')}")
    return [" ".join(line.split()) for line in (*lines, *result.pauses)]


def sparkline(values: Sequence[float], width: int, blocks: str = _BLOCKS) -> str:
    """Finite values as block characters, each the last of its stretch, lowest to highest."""
    count = min(width, len(values))
    # Halved, so that the range of the widest floats is a float.
    shown = [values[(place + 1) * len(values) // count - 1] / 2 for place in range(count)]
    low, high = min(shown), max(shown)
    if high == low:
        return blocks[0] * count
    return "".join(blocks[int((value - low) / (high - low) * (len(blocks) - 1) + 0.5)] for value in shown)


def _aligned(rows: Sequence[Sequence[_Cell]], sides: str, gap: str = "  ") -> Iterable[Text]:
    """Rows as lines, cells below each other; ``sides`` holds ``<`` (left) or ``>`` (right) for each column."""
    widths = [max(cell_len(str(cell)) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for cell, width, side in zip(row, widths, sides, strict=True):
            padding = " " * (width - cell_len(str(cell)))
            cells.append(Text.assemble(padding, cell) if side == ">" else Text.assemble(cell, padding))
        line = Text(gap).join(cells)
        line.rstrip()
        yield line


def _span(result: RunResult) -> str:
    if not result.ticks:
        return ""
    times_ns = (result.first_ns, result.last_ns)
    first, last = (format_timestamp(time_ns)[:_MILLISECONDS].replace("T", " ") for time_ns in times_ns)
    return f"{first} to {last} UTC"


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _label(name: str) -> Text:
    return Text(name, "dim")


def _bold(count: int) -> Text:
    return Text(f"{count:,}", "bold")


def _money(value: float | None) -> Text:
    if value is None:
        return Text("n/a")
    return Text(_number(value, "+"), "green" if value > 0 else "red" if value < 0 else "")


def _plain(value: float | None) -> str:
    return "n/a" if value is None else _number(value, "")


def _number(value: float, sign: str) -> str:
    """Two decimals, as far as anybody reads them."""
    return format(value, f"{sign}z,.2f" if abs(value) < 1e15 else f"{sign}.4g")


def _times_capital(value: float | None) -> str:
    return "n/a" if value is None else f"{_plain(value)} x capital"


def _percent(value: float | None, form: str = "z.2%") -> str:
    if value is None:
        return "n/a"
    return format(value, form) if abs(value) < 1e6 else f"{value * 100:.4g}%"
