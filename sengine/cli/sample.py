"""``sengine sample``: write a generated market to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    file: Annotated[Path, typer.Argument(help="File to write; .csv, .csv.gz, .csv.zst or .parquet by its suffix.")],
    ticks: Annotated[int, typer.Option(help="Quotes to generate.")] = 100_000,
    symbols: Annotated[str, typer.Option(help="Comma-separated symbols.")] = "BTCUSDT",
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Generate a deterministic market of quotes.

    Example: `sengine sample market.csv --ticks 200000 --symbols BTCUSDT,ETHUSDT --seed 7`
    """
    from replay.sample import write_sample

    write_sample(file, ticks, [symbol.strip() for symbol in symbols.split(",")], seed)
    typer.echo(f"wrote {ticks} quotes of {symbols} to {file}")
