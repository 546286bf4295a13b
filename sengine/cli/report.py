"""``sengine report``: what to do with the reports of replays."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

# Figures that replays print in per cent.
_SHARES = {"total return", "max drawdown", "win rate", "exposure", "time in market"}

report_app = typer.Typer(help="Compare the reports of replays.", no_args_is_help=True)


@report_app.callback()
def _reports() -> None:
    """Compare the reports of replays."""


@report_app.command()
def compare(
    a: Annotated[Path, typer.Argument(metavar="A.json", help="Report of `sengine replay --json`.")],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="Another one.")],
    everything: Annotated[bool, typer.Option("--all", help="Also what is equal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show what differs between two replays: what was set, and what came of it, figure by figure.

    Example:

        sengine replay market.csv --json a.json
        sengine replay market.csv --set execution.commission_bps=1 --json b.json
        sengine report compare a.json b.json
    """
    import orjson
    from rich.markup import escape
    from rich.table import Table

    from replay.compare import compare_reports, read_report
    from sengine.cli.console import open_console

    comparison = compare_reports(read_report(a), read_report(b))
    if as_json:
        typer.echo(orjson.dumps(comparison, default=_plain, option=orjson.OPT_INDENT_2).decode())
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("")
    for title in (a.name, b.name, "change"):
        table.add_column(title, justify="right")
    profits = [(f"P&L {row.name}", row) for row in (*comparison.totals, *comparison.positions)]
    for name, row in [*((row.name, row) for row in comparison.figures), *profits]:
        if everything or row.a != row.b:
            unit = "%" if row.name in _SHARES else ""
            shown = (_shown(row.a, unit=unit), _shown(row.b, unit=unit), _shown(row.change, unit=unit, signed=True))
            table.add_row(name, *shown)
    console = open_console()
    for setting in comparison.settings:
        console.print(f"{escape(setting.name)}: {escape(str(setting.a))} -> {escape(str(setting.b))}", soft_wrap=True)
    if table.row_count:
        console.print(table)
    for line in comparison.means_little if table.row_count else ():
        console.print(escape(line), style="dim", soft_wrap=True)
    for reason in comparison.not_added_up:
        console.print(f"n/a: {escape(reason)}", soft_wrap=True)
    same = "the same orders and fills" if comparison.same_digest else "different orders or fills"
    console.print(f"{same}, by their digests")


def _plain(value: object) -> object:
    import msgspec

    return msgspec.to_builtins(value)


def _shown(value: float | None, *, unit: str = "", signed: bool = False) -> str:
    if value is None:
        return "n/a"
    if unit:
        return f"{value:+.4%}" if signed else f"{value:.4%}"
    if value == int(value) and abs(value) < 1e15:
        return f"{value:+,.0f}" if signed else f"{value:,.0f}"
    return f"{value:+,.6g}" if signed else f"{value:,.6g}"
