"""``sengine reconcile``: what did not fit after a restart, and going on all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sengine.cli.control import (
    AddressOption,
    CaOption,
    CertOption,
    ConfigOption,
    JsonOption,
    KeyOption,
    TokenOption,
    report,
    run_with,
)

if TYPE_CHECKING:
    from sengine.adapters.control_client import ControlClient


def reconcile(
    adopt: Annotated[bool, typer.Option("--adopt", help="Go on trading with the books as they are.")] = False,
    config: ConfigOption = None,
    address: AddressOption = "",
    token: TokenOption = "",
    tls_ca: CaOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show why trading waits after a restart; with `--adopt`, let it go on.

    An engine that comes back holds its orders against the execution service's record. Where the two do not fit it waits
    for you to look at the orders at the venue.
    """

    async def ask(client: ControlClient) -> Any:
        return await (client.rearm() if adopt else client.snapshot())

    said = run_with(ask, config, address, token, tls_ca, tls_cert, tls_key)
    if adopt or as_json:
        report(said, as_json)
        return
    for reason in said.not_ready_because or ("nothing is to be reconciled",):
        typer.echo(reason)
