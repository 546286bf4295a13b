"""A run as one page that needs nothing else: pictures, tables, configuration and digest in a single HTML file."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from string import Template
from typing import Any, Final

import plotly.graph_objects as go
import yaml
from plotly.offline import get_plotlyjs

from replay.charts import equity_chart, latency_chart, monthly_chart, price_chart
from replay.price_trail import PriceTrail
from replay.report import report_of
from replay.result import RunResult
from replay.summary import little_words
from replay.trade_marks import MAX_MARKS, TradeMarks
from sengine import __version__
from sengine.clock import format_timestamp
from sengine.printable import printable_lines

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<title>$title</title>
<style>
:root { font-family: system-ui, sans-serif; color: #0f172a; background: #fff }
body { max-width: 1100px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; margin-bottom: .2rem } h2 { font-size: 1.05rem; margin: 2.2rem 0 .6rem }
p, pre, .muted { color: #475569 } pre { background: #f8fafc; padding: 1rem; overflow: auto; font-size: .8rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #e2e8f0; text-align: right; white-space: nowrap }
th:first-child, td:first-child { text-align: left } th { color: #475569; font-weight: 600 }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: .8rem }
.figures div { border: 1px solid #e2e8f0; border-radius: .4rem; padding: .6rem .8rem }
.figures b { display: block; font-size: 1.15rem; font-variant-numeric: tabular-nums }
code { font-size: .8rem; word-break: break-all } summary { cursor: pointer; color: #475569 }
tr.total td { border-top: 2px solid #cbd5e1; font-weight: 600 }
td.gain, .figures b.gain { color: #1a7f4b } td.loss, .figures b.loss { color: #c0392b }
h1 { overflow-wrap: anywhere }
@media (max-width: 640px) {
  body { margin: 1rem auto; padding: 0 .8rem } th, td { padding: .3rem .45rem; font-size: .78rem }
  .figures { grid-template-columns: repeat(2, 1fr); gap: .5rem } .modebar { display: none !important }
}
</style><script>$plotly</script></head><body>
<h1>$title</h1><p>$span</p>
<div class="figures">$figures</div>
<p class="muted">Sharpe and Sortino are of a year, from returns over $interval. $little</p>$unsummed
<h2>Equity and drawdown</h2>$equity
<h2>Trades on price</h2>$prices
<h2>Returns by month</h2>$monthly
<h2>Strategies</h2>$strategies
<h2>Signals</h2>$signals
<h2>Latency</h2>$latency
$trouble
<h2>Configuration</h2><details><summary>All keys, as they were in force</summary><pre>$configuration</pre></details>
<h2>Digest</h2><p><code>$digest</code><br>The same input, configuration and strategy code give the same digest.</p>
<p class="muted">sengine $version</p>
</body></html>
""")


_CONTROLS: Final = {
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoomIn2d", "zoomOut2d", "autoScale2d"],
}


def escape(text: str) -> str:
    """Foreign text as a page shows it: without tags, and without marks that turn the direction of writing."""
    return html.escape(printable_lines(text))


def html_report(result: RunResult, capital: float, files: Sequence[str], prices: PriceTrail, marks: TradeMarks) -> str:
    """The whole page. Text from files and strategies is shown as text, never as markup."""
    report = report_of(result, capital)
    traded = [symbol for symbol in prices.mids if any(mark.symbol == symbol for mark in marks.kept)]
    charts = "".join(_chart(price_chart(symbol, prices, marks)) for symbol in traded) or "<p>No trades.</p>"
    if marks.total > MAX_MARKS:
        charts += f"<p>The first {MAX_MARKS:,} of {marks.total:,} fills are drawn.</p>"
    return _PAGE.substitute(
        title=escape(f"Replay of {', '.join(files)}"),
        span=escape(_span(result)),
        plotly=get_plotlyjs(),
        figures="".join(
            f"<div>{escape(name)}<b{_kind(text)}>{escape(text)}</b></div>" for name, text in _figures(result)
        ),
        interval=escape(f"{result.performance.return_interval_s:g} s"),
        little=escape(" ".join(f"{line[0].upper()}{line[1:]}." for line in little_words(result.means_little))),
        unsummed=f"<p>n/a: {escape(result.not_added_up)}.</p>" if result.not_added_up else "",
        equity="<p>n/a</p>" if result.not_added_up else _chart(equity_chart(result.curve, capital)),
        prices=charts,
        monthly="<p>n/a</p>" if result.not_added_up else _chart(monthly_chart(result.curve, capital)),
        strategies=_strategies(report),
        signals=_signals(result),
        latency=_chart(latency_chart(result.tick_us, result.on_tick_us)) + _latencies(result),
        trouble=_trouble(report),
        configuration=escape(yaml.safe_dump(dict(result.configuration), sort_keys=False, allow_unicode=True)),
        digest=escape(result.digest),
        version=escape(__version__),
    )


def _span(result: RunResult) -> str:
    if not result.ticks:
        return "no ticks"
    first, last = (format_timestamp(ns)[:19].replace("T", " ") for ns in (result.first_ns, result.last_ns))
    return f"{result.ticks:,} ticks, {first} to {last} UTC"


def _kind(text: str) -> str:
    """Colours what has a sign, and is not nothing."""
    if text[:1] not in ("+", "-") or not text.strip("+-0.,%"):
        return ""
    return ' class="gain"' if text[0] == "+" else ' class="loss"'


def _figures(result: RunResult) -> list[tuple[str, str]]:
    figures = result.performance
    return [
        *_earned(result),
        ("return", _shown(figures.total_return, "+z.4%")),
        ("max drawdown", _shown(figures.max_drawdown, "z.4%")),
        ("sharpe", _number(figures.sharpe)),
        ("sortino", _number(figures.sortino)),
        ("trades", f"{figures.trades:,}"),
        ("win rate", _shown(figures.win_rate, ".2%")),
        ("profit factor", _number(figures.profit_factor)),
        ("commission", _shown(figures.commission, ",.2f")),
        ("turnover", "n/a" if figures.turnover is None else f"{figures.turnover:,.2f} x"),
        ("exposure", _shown(figures.exposure, ".2%")),
        ("time in market", f"{figures.time_in_market:.2%}"),
    ]


def _earned(result: RunResult) -> list[tuple[str, str]]:
    """The P&L; of several currencies one figure each."""
    if result.performance.total_pnl is not None:
        return [("P&L", f"{result.performance.total_pnl:+z,.2f}")]
    return [(f"P&L, {each.name}", f"{each.realized_pnl + each.unrealized_pnl:+z,.2f}") for each in result.totals]


def _strategies(report: dict[str, Any]) -> str:
    rows = [
        (
            position["strategy_id"],
            position["symbol"],
            f"{position['quantity']:g}",
            f"{position['average_price']:,.8g}" if position["quantity"] else "",
            f"{position['realized_pnl']:+z,.2f}",
            f"{position['unrealized_pnl']:+z,.2f}",
            f"{position['realized_pnl'] + position['unrealized_pnl']:+z,.2f}",
            f"{position['commission']:,.2f}",
            report["strategy_errors"].get(position["strategy_id"], 0),
        )
        for position in report["positions"]
    ]
    if report["not_added_up"]:
        for total in report["totals"]:
            earned = total["realized_pnl"] + total["unrealized_pnl"]
            realized, unrealized = f"{total['realized_pnl']:+z,.2f}", f"{total['unrealized_pnl']:+z,.2f}"
            cells = (realized, unrealized, f"{earned:+z,.2f}", f"{total['commission']:,.2f}")
            rows.append(("total", total["currency"], "", "", *cells, ""))
    elif len(rows) > 1:
        positions = report["positions"]
        realized, unrealized = (sum(each[f"{name}_pnl"] for each in positions) for name in ("realized", "unrealized"))
        costs = sum(each["commission"] for each in positions)
        money = (f"{realized:+z,.2f}", f"{unrealized:+z,.2f}", f"{realized + unrealized:+z,.2f}", f"{costs:,.2f}")
        rows.append(("total", "", "", "", *money, sum(report["strategy_errors"].values())))
    head = ("strategy", "symbol", "position", "average", "realized", "unrealized", "P&L", "commission", "errors")
    return _table(head, rows)


def _signals(result: RunResult) -> str:
    rows = [(name.replace("_", " "), f"{count:,}") for name, count in sorted(result.dispositions.items())]
    rows += [(f"filtered by {check}", f"{count:,}") for check, count in sorted(result.filtered_by.items())]
    return _table(("signals", f"{result.signals_total:,}"), rows)


def _latencies(result: RunResult) -> str:
    rows = [
        (name, *(f"{row.get(figure, 0.0):,.1f}" for figure in ("p50", "p99", "max")))
        for name, row in (("whole tick", result.tick_us), *result.on_tick_us.items())
    ]
    return _table(("latency, us", "p50", "p99", "max"), rows)


def _trouble(report: dict[str, Any]) -> str:
    """What went wrong, where anything did."""
    lines = [
        f"{fault['strategy_id']}: {fault['message']}" + (f" ({fault['where']})" if fault["where"] else "")
        for fault in report["faults"]
    ]
    lines += [f"{one['strategy_id']} was not loaded: {one['reason']}" for one in report["failed_strategies"]]
    lines += [*report["pauses"], *report["hints"]]
    first = report["dropped"]
    lines += [
        f"{count:,} rows dropped: {reason.replace('_', ' ')}"
        + (f", first {first[reason]['place']}: {first[reason]['detail']}" if reason in first else "")
        for reason, count in report["rejected"].items()
    ]
    if not lines:
        return ""
    return "<h2>What went wrong</h2><ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _table(head: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    body = "".join(_row(tuple(map(str, row))) for row in rows)
    titles = "".join(f"<th>{escape(str(cell))}</th>" for cell in head)
    return f'<div class="scroll"><table><tr>{titles}</tr>{body}</table></div>'


def _row(cells: Sequence[str]) -> str:
    total = ' class="total"' if cells[0] == "total" else ""
    return f"<tr{total}>{''.join(f'<td{_kind(cell)}>{escape(cell)}</td>' for cell in cells)}</tr>"


def _chart(figure: go.Figure) -> str:
    drawn: str = figure.to_html(full_html=False, include_plotlyjs=False, config=_CONTROLS)
    return drawn


def _number(value: float | None) -> str:
    return _shown(value, "z,.2f")


def _shown(value: float | None, form: str) -> str:
    return "n/a" if value is None else format(value, form)
