"""``sengine broker``: the embedded broker alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sengine.adapters.nats.broker import Login


def broker(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one.")] = 4222,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Directory of its files.")] = Path("data/broker"),
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Run a NATS broker with JetStream on this machine until it is interrupted.

    With SENGINE_NATS_USER and SENGINE_NATS_PASSWORD set it demands that login,
    which `sengine run`, `paper` and `publish` take from the same variables.

    Examples:

        sengine broker
        sengine broker --port 4223 --data /var/lib/sengine/broker
    """
    import asyncio
    import os

    from sengine.adapters.nats.broker import Login
    from sengine.adapters.transport.processes import watch_parent
    from sengine.errors import ConfigError

    user, password = os.environ.get("SENGINE_NATS_USER", ""), os.environ.get("SENGINE_NATS_PASSWORD", "")
    if bool(user) != bool(password):
        raise ConfigError(["SENGINE_NATS_USER, SENGINE_NATS_PASSWORD: expected both or neither, found one; set both"])
    if die_with_parent:
        watch_parent()
    asyncio.run(_serve(port, data, Login(user, password) if user else None))


async def _serve(port: int, data: Path, login: Login | None) -> None:
    import asyncio
    import signal

    from sengine.adapters.nats.broker import BrokerError, EmbeddedBroker

    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    server = EmbeddedBroker(data, port, login=login, guarded=False)
    await server.start()
    typer.echo(f"NATS broker at {server.address}, its files in {server.data_directory}")
    if login is None:
        typer.echo("it has no login: whoever has an account on this machine may use it", err=True)
    ended, stopping = asyncio.create_task(server.wait()), asyncio.create_task(asked.wait())
    await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not asked.is_set():
        code = ended.result()
        await server.stop()
        raise BrokerError(f"nats-server ended by itself with code {code}; see {server.data_directory}/nats-server.log")
    await server.stop()
