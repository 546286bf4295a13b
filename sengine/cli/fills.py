"""``sengine fills``: fills that wait for a person, and what is to become of them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sengine.cli.connection import EngineAt, JsonOption, for_engine, print_json, report

if TYPE_CHECKING:
    from sengine.adapters.control.client import ControlClient
    from sengine.adapters.control.views import ReplyView


class Action(StrEnum):
    LIST = "list"
    ACCEPT = "accept"
    REFUSE = "refuse"


@for_engine
def fills(
    engine: EngineAt,
    action: Annotated[Action, typer.Argument(help="list shows them, accept books one, refuse does not.")] = Action.LIST,
    fill_id: Annotated[str, typer.Argument(metavar="[ID]", help="Id of the fill, for accept and refuse.")] = "",
    every: Annotated[bool, typer.Option("--all", help="With refuse: all that wait, after you have looked.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show fills that are taken for a mistake of the venue and wait for you; book or refuse one.

    A fill whose price is far from the market, or that fills an order many times over, is not booked before you have
    looked at the venue. One that is refused stays refused; with other figures it may come again.

    Example: `sengine fills`, then `sengine fills accept f-17` or `sengine fills refuse --all`
    """
    if every and (action is not Action.REFUSE or fill_id):
        raise typer.BadParameter(f"--all is for refuse without an id, got {action} {fill_id}")
    if (action is Action.LIST) is (bool(fill_id) or every):
        raise typer.BadParameter(f"expected list, or accept or refuse with the id of a fill, got {action} {fill_id}")

    async def ask(client: ControlClient) -> Any:
        if action is Action.LIST:
            return (await client.snapshot()).held_fills
        if every:
            return await _refuse_all(client)
        return await client.settle_fill(fill_id, accept=action is Action.ACCEPT)

    said = engine.ask(ask)
    if action is not Action.LIST:
        report(said, as_json)
    elif as_json:
        print_json(said)
    elif not said:
        typer.echo("no fill waits for you")
    else:
        from sengine.cli.console import open_console
        from sengine.cli.status import print_held_fills

        print_held_fills(open_console(wide_in_pipe=True), said)


async def _refuse_all(client: ControlClient) -> ReplyView:
    """A snapshot shows some at a time."""
    from sengine.adapters.control.views import ReplyView

    count = 0
    while waiting := (await client.snapshot()).held_fills:
        for each in waiting:
            await client.settle_fill(each.fill_id, accept=False)
        count += len(waiting)
    return ReplyView(f"{count} fills are refused; they are not booked", 0)
