"""``sengine init``: a project to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
_TICKS = 60_000


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the project; made when missing.")],
) -> None:
    """Write a project: configuration, example strategies to edit, a market to try them on, a test.

    Files that exist are never overwritten.

    Example:

        sengine init my-desk
        cd my-desk
        sengine replay market.csv -c sengine.yaml
    """
    from replay.sample import write_sample
    from sengine.plugins.project import write_project

    files = write_project(folder, lambda market: write_sample(market, _TICKS, _SYMBOLS, seed=1))
    for file in files:
        typer.echo(f"wrote {file}")
    steps = (
        f"cd {folder}",
        "sengine replay market.csv -c sengine.yaml",
        "sengine demo -c sengine.yaml",
        "sengine run, and in another terminal: sengine publish market.csv",
    )
    typer.echo("\nnext:  " + "\n       ".join(steps))
