"""``sengine reconcile``: what did not fit after a restart, and going on all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sengine.cli.connection import EngineAt, JsonOption, for_engine, report

if TYPE_CHECKING:
    from sengine.adapters.control.client import ControlClient


@for_engine
def reconcile(
    engine: EngineAt,
    adopt: Annotated[bool, typer.Option("--adopt", help="Go on trading with the books as they are.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show why trading waits after a restart; with `--adopt`, let it go on.

    An engine that comes back holds its orders against the execution service's record. Where the two do not fit it waits
    for you to look at the orders at the venue.

    Example: `sengine reconcile`, then `sengine reconcile --adopt`
    """

    async def ask(client: ControlClient) -> Any:
        return await (client.rearm() if adopt else client.snapshot())

    said = engine.ask(ask)
    if adopt or as_json:
        report(said, as_json)
        return
    for reason in said.not_ready_because or ("nothing is to be reconciled",):
        typer.echo(reason)
