"""``sengine replay``: run strategies over files of market data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.result import RunResult
    from replay.run import OpenReplay
    from sengine.config.schema import Config


def replay(
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", show_default=False, help="CSV (plain, .gz, .zst) or Parquet."),
    ] = None,
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
    journal: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Take the market data of a live session's journal.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="Write a page with charts, tables and configuration.")
    ] = None,
    log: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what strategies print and log, and their errors.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Stop at the first bad row and name its line.")] = False,
    tui: Annotated[bool, typer.Option("--tui", help="Watch and drive it on the screens of a live engine.")] = False,
    speed: Annotated[str, typer.Option(help="Pace of --tui at first: 1x is the files' own, max is at once.")] = "10x",
    serve: Annotated[str, typer.Option(hidden=True, metavar="unix:PATH", help="Answer the control API there.")] = "",
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Replay market data through the engine and report what the strategies earned.

    The kind of data (quotes, depth, trades, bars) is told from the columns, and
    several files are merged by time. Without -c, momentum runs on every symbol.

    Examples:

        sengine replay quotes.csv.gz
        sengine replay quotes.csv trades.csv --strategy rsi --json result.json
        sengine replay quotes.csv -c mine.yaml --set execution.commission_bps=1
        sengine replay quotes.csv.gz --tui --speed 100x
    """
    import sys
    from contextlib import nullcontext, redirect_stdout

    from sengine.errors import ConfigError, DataError

    files = [*(files or ()), *([journal] if journal is not None else ())]
    if not files:
        raise ConfigError(["replay needs market data: name FILEs, or a journal with --journal DIR"])

    from replay.dropped import counts_alone, much_dropped, nothing_left
    from replay.report import report_json
    from replay.run import ReplayOptions, run_replay
    from replay.strategy_log import said_lines
    from replay.summary import print_summary
    from sengine.assembly import load_run_config, mixed_limits
    from sengine.cli.console import open_console
    from sengine.cli.finding import own_configuration
    from sengine.cli.publish import pace_of
    from sengine.resources import resource_path

    pace = pace_of(speed)
    if tui:
        _with_screens()
    if die_with_parent:
        from sengine.adapters.transport.processes import watch_parent

        watch_parent()
    unused = own_configuration() if config is None else None
    if unused is not None and unused.parent == Path():
        typer.echo(f"sengine: {unused} is not used; `-c {unused}` replays with its strategies and limits", err=True)
    settings = load_run_config(config or resource_path("configs", "replay.yaml"), overrides or (), strategy or ())
    for sentence in mixed_limits(settings):
        typer.echo(f"sengine: {sentence}", err=True)
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
        html_file=report,
        log_file=log,
    )
    # What anything prints on the way must not end up inside the JSON.
    with redirect_stdout(sys.stderr) if only_json else nullcontext():
        result = run_replay(
            settings, options, open_console(stderr=True), _served(settings, serve, pace) if serve else None
        )
    for line in said_lines(result.said, result.said_more):
        typer.echo(line, err=True)
    capital = settings.account.initial_capital
    # Screens may be left before the first event, which is no fault of the files.
    is_empty = not result.ticks and (bool(result.rejected) or not serve)
    if only_json:
        typer.echo(report_json(result, capital), nl=False)
    elif not is_empty:
        print_summary(open_console(), result, capital)
        for written in (options.json_file, signals, fills, equity, report, log):
            if written is not None:
                typer.echo(f"wrote {written}")
    if is_empty:
        raise DataError(nothing_left(result.rejected, result.dropped))
    if misread := counts_alone(result.last_ns, result.rejected, result.dropped):
        raise DataError(misread)
    if warning := much_dropped(result.ticks, result.rejected, result.dropped):
        for line in warning.splitlines():
            typer.echo(f"sengine: {line}", err=True)
    # Whoever only looks at the exit code must not take this for the backtest that was asked for.
    if result.failed_strategies or result.pauses:
        typer.echo("sengine: not every strategy ran to the end; the result says which, and why", err=True)
        raise typer.Exit(1)


def _with_screens() -> NoReturn:
    """This command again as a child, and its screens in this terminal."""
    import sys

    from sengine.cli.replay_screens import replay_with_screens
    from sengine.cli.screens import has_screen, refuse_without_screen

    if not has_screen():
        refuse_without_screen("replay --tui", "without --tui it prints its result")
    replay_with_screens([argument for argument in sys.argv[2:] if argument != "--tui"])


def _served(config: Config, listen: str, speed: float) -> Callable[[OpenReplay], RunResult]:
    from replay.served import run_served
    from sengine.runtime.logging import configure_logging

    # Standard error is shown when the screens are left; what the log says is on them.
    configure_logging("critical", "console")
    return lambda replay: run_served(replay, config, listen, speed)
