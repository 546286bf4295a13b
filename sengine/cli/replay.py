"""``sengine replay``: run strategies over files of market data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def replay(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", show_default=False, help="CSV (plain, .gz, .zst) or Parquet.")
    ],
    config: Annotated[Path | None, typer.Option("--config", "-c", metavar="FILE", help="Configuration (YAML).")] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option("--strategy", metavar="ID", help="Run only this one, or a strategy file; may be repeated."),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
    json_file: Annotated[
        str | None, typer.Option("--json", metavar="FILE|-", help="Write the result as JSON; - prints only that.")
    ] = None,
    signals: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write every signal.")] = None,
    fills: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write every fill.")] = None,
    equity: Annotated[Path | None, typer.Option(metavar="FILE.csv", help="Write the equity curve.")] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad row and name its line.")] = False,
) -> None:
    """Replay market data through the engine and report what the strategies earned.

    The kind of data (quotes, depth, trades, bars) is told from the columns, and
    several files are merged by time. Without -c, momentum runs on every symbol.

    Examples:

        sengine replay quotes.csv.gz
        sengine replay quotes.csv trades.csv --strategy rsi --json result.json
        sengine replay quotes.csv -c mine.yaml --set execution.commission_bps=1
    """
    import sys
    from contextlib import nullcontext, redirect_stdout

    from replay.report import report_json
    from replay.run import ReplayOptions, run_replay
    from replay.summary import print_summary
    from sengine.assembly import load_run_config
    from sengine.cli.console import open_console
    from sengine.resources import resource_path

    settings = load_run_config(config or resource_path("configs", "replay.yaml"), overrides or (), strategy or ())
    only_json = json_file == "-"
    options = ReplayOptions(
        files=files,
        strategies=strategy or (),
        config_file=config,
        strict=strict,
        json_file=Path(json_file) if json_file is not None and not only_json else None,
        signals_csv=signals,
        fills_csv=fills,
        equity_csv=equity,
    )
    # What a strategy prints must not end up inside the JSON.
    with redirect_stdout(sys.stderr) if only_json else nullcontext():
        result = run_replay(settings, options, open_console(stderr=True))
    capital = settings.account.initial_capital
    if only_json:
        typer.echo(report_json(result, capital), nl=False)
    else:
        print_summary(open_console(), result, capital)
