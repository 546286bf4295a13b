"""``sengine verify``: run a recorded session again and compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sengine.service.verification import SessionCheck


def verify(
    journal: Annotated[
        Path, typer.Argument(metavar="JOURNAL", show_default=False, help="A journal, or the data directory it is in.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON, one line a session.")] = False,
) -> None:
    """Run recorded live sessions again and compare every signal, order and position.

    Equal sessions print the digest of their orders and fills. For the others the first event that led to something else
    is named, with both sides; the exit code is then 1. So it is where the end of the journal is lost, as far as
    positions.db beside it knows. Files that are not there are named.

    Example: `sengine verify data`
    """
    import msgspec

    from sengine.adapters.journal.format import journal_folder
    from sengine.service.verification import verify as run_again

    differs = False
    for check in _quietly(run_again(journal_folder(journal))):
        differs = differs or not check.is_equal or bool(check.lead)
        if json:
            typer.echo(msgspec.json.encode(check).decode())
            continue
        name = check.session.rstrip("-") or "simulated"
        counts = f"{check.events} events, {check.signals} signals, {check.orders} orders, {check.fills} fills"
        typer.echo(f"session {name}: {counts}")
        for each in check.missing:
            typer.echo(f"  NOT THERE: {each}")
        if not check.is_closed and not check.skipped and check.divergence is None:
            typer.echo("  note: its end is not on record: it was killed, or it runs still")
        for note in check.notes:
            typer.echo(f"  note: {note}")
        if check.skipped:
            typer.echo(f"  not run again: {check.skipped}")
        elif check.divergence is None:
            typer.echo(f"  equal: {check.digest}")
        else:
            diverged = check.divergence
            typer.echo(f"  DIFFERENT at {diverged.segment}:{diverged.offset}, {diverged.event}")
            for side, lines in (("recorded", diverged.recorded), ("again", diverged.again)):
                for line in lines:
                    typer.echo(f"    {side + ':':<9} {line}")
            typer.echo(f"  {diverged.why}")
    if differs:
        raise typer.Exit(1)


def _quietly(checks: Iterator[SessionCheck]) -> Iterator[SessionCheck]:
    """What strategies print has been told when it happened."""
    from sengine.adapters.containment.strategy_output import StrategyOutput

    while True:
        with StrategyOutput(lambda: "it", lambda: 0, lambda line: None):
            check = next(checks, None)
        if check is None:
            return
        yield check
