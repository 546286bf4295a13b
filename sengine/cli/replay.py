"""``sengine replay``: run strategies over files of market data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV (plain, .gz, .zst) or Parquet.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration (YAML).")] = None,
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", metavar="ID", help="Run only this one; may be repeated.")
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
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad row.")] = False,
) -> None:
    """Replay market data through the engine and report what the strategies earned.

    The kind of data (quotes, depth, trades, bars) is told from the columns; several files are merged by time. Without
    `-c`, momentum runs on every symbol.

    Examples: `sengine replay quotes.csv.gz` and
    `sengine replay quotes.csv trades.csv --strategy rsi --set execution.commission_bps=1 --json result.json`
    """
    import orjson
    from rich.console import Console

    from replay.report import report_of
    from replay.run import ReplayOptions, run_replay
    from replay.summary import print_summary
    from sengine.config import load_config
    from sengine.errors import DataError
    from sengine.resources import resource_path

    settings = load_config(config or resource_path("configs", "replay.yaml"), overrides=overrides or ())
    options = ReplayOptions(files, strategy or (), strict, signals, fills, equity)
    result = run_replay(settings, options, Console(stderr=True))
    capital = settings.account.initial_capital
    if json_file is not None:
        text = orjson.dumps(report_of(result, capital), option=orjson.OPT_INDENT_2).decode()
        if json_file == "-":
            typer.echo(text)
            return
        try:
            Path(json_file).write_text(text + "\n", "utf-8")
        except OSError as error:
            raise DataError(f"{json_file}: cannot be written: {error.strerror}") from error
    print_summary(Console(), result, capital)
