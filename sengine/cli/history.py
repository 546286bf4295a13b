"""``sengine history``: what became of signals, orders, fills and positions, from the store of records."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sengine.cli.audit import audit

_IN_A_TABLE = 100

history_app = typer.Typer(no_args_is_help=True, help="Ask for signals, orders, fills, positions and P&L of before.")


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


_Since = Annotated[str, typer.Option(metavar="TIME", help="From here on: a time, or how long ago, as in 1h or 2d.")]
_Until = Annotated[str, typer.Option(metavar="TIME", help="Before this moment.")]
_Strategy = Annotated[str, typer.Option(metavar="ID", help="Of this strategy only.")]
_Symbol = Annotated[str, typer.Option("--symbol", metavar="SYMBOL", help="Of this symbol only.")]
_Limit = Annotated[
    int | None,
    typer.Option(min=0, help=f"The newest so many, 0 for all; {_IN_A_TABLE} in a table.", show_default=False),
]
_Format = Annotated[
    Format | None, typer.Option("--format", help="As FILE's name says, else a table.", show_default=False)
]
_Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file.")]
_Config = Annotated[Path | None, typer.Option("--config", "-c", help="The engine's configuration.")]
_Database = Annotated[Path | None, typer.Option("--db", metavar="FILE", help="Read this store.")]


def _show(
    kind: str,
    since: str,
    until: str,
    strategy: str,
    symbol: str,
    limit: int | None,
    form: Format | None,
    output: Path | None,
    config: Path | None,
    database: Path | None,
) -> None:
    from time import time_ns

    from sengine.adapters.store.queries import KINDS, Question, ask
    from sengine.cli.history_formats import write_rows

    form = form or _format_of(output)
    most = (_IN_A_TABLE if form is Format.TABLE else 0) if limit is None else limit
    now_ns = time_ns()
    question = Question(_moment(since, "--since", now_ns), _moment(until, "--until", now_ns), strategy, symbol, most)
    path = database or _store_of(config)
    shown = write_rows(form.value, KINDS[kind].columns, ask(path, kind, question), output)
    if not shown:
        typer.echo(f"sengine: no {kind} in {path} fit that", err=True)
    elif limit is None and shown == most:
        typer.echo(f"sengine: the newest {most}; --limit 0 shows all", err=True)


def _store_of(config: Path | None) -> Path:
    from sengine.adapters.store.link import store_path
    from sengine.cli.finding import running_config

    found = running_config(config)
    return store_path(found, Path(found.service.data_directory).expanduser())


def _format_of(output: Path | None) -> Format:
    suffix = output.suffix.removeprefix(".") if output is not None else ""
    return Format(suffix) if suffix in list(Format) else Format.TABLE


def _moment(text: str, option: str, now_ns: int) -> int | None:
    """A time, or how long ago; ``None`` for an empty text."""
    from sengine.clock import is_epoch_text, parse_duration_ns
    from sengine.domain.epoch_numbers import market_time_ns
    from sengine.errors import ConfigError

    if not text:
        return None
    try:
        return now_ns - parse_duration_ns(text)
    except ValueError:
        pass
    try:
        return market_time_ns(text)
    except ValueError as error:
        if is_epoch_text(text):
            raise ConfigError([f"{option}: {error}"]) from None
        raise ConfigError(
            [f'{option}: expected a time like 2024-08-08T14:00 or how long ago, like 1h, got "{text[:60]}"']
        ) from None


def _command(kind: str, with_symbol: bool) -> Callable[..., None]:
    if not with_symbol:

        def of_all(
            since: _Since = "", until: _Until = "", strategy: _Strategy = "", limit: _Limit = None,
            form: _Format = None, output: _Output = None, config: _Config = None, database: _Database = None,
        ) -> None:  # fmt: skip
            _show(kind, since, until, strategy, "", limit, form, output, config, database)

        return of_all

    def of_symbols(
        since: _Since = "", until: _Until = "", strategy: _Strategy = "", symbol: _Symbol = "", limit: _Limit = None,
        form: _Format = None, output: _Output = None, config: _Config = None, database: _Database = None,
    ) -> None:  # fmt: skip
        _show(kind, since, until, strategy, symbol, limit, form, output, config, database)

    return of_symbols


for _kind, _has_symbol, _help, _options in (
    ("signals", True, "Signals and how each ended.", "--since 1h"),
    ("orders", True, "Orders and what became of them.", "--format csv"),
    ("fills", True, "Each strategy's share of each fill.", "-o fills.parquet"),
    ("positions", True, "What was held at --until, or now; --since leaves out what has not changed.", "--until 1d"),
    ("position-changes", True, "Positions after each fill.", "--symbol BTCUSDT"),
    ("pnl", False, "P&L over time, of each strategy and, with an empty id, of all.", "--since 1d"),
    ("strategies", False, "Versions and parameters of strategies: started, reloaded, rolled back.", "--limit 5"),
):
    _help += f"\n\nExample: `sengine history {_kind} {_options}`"
    history_app.command(_kind, help=_help)(_command(_kind, _has_symbol))
history_app.command("audit", help="Who asked the engine for what.\n\nExample: `sengine history audit -n 10`")(audit)
