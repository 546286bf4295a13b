"""``sengine sample``: write a generated market to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def sample(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="File to write: .csv, .csv.gz, .csv.zst or .parquet, by its suffix.")
    ],
    ticks: Annotated[int, typer.Option(metavar="N", help="Quotes to generate.")] = 100_000,
    symbols: Annotated[str, typer.Option(metavar="A,B", help="Symbols, separated by commas.")] = "BTCUSDT",
    seed: Annotated[int, typer.Option(metavar="N", help="The same seed gives the same bytes.")] = 1,
) -> None:
    """Generate a market of quotes, the same ones each time.

    Example: sengine sample market.csv --ticks 200000 --symbols BTCUSDT,ETHUSDT
    """
    from replay.sample import write_sample

    names = [symbol.strip() for symbol in symbols.split(",")]
    write_sample(file, ticks, names, seed)
    typer.echo(f"wrote {ticks:,} quotes of {', '.join(names)} to {file}")
