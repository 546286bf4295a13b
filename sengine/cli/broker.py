"""``sengine broker``: the embedded broker alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def broker(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes any free one.")] = 4222,
    data: Annotated[Path, typer.Option(metavar="DIR", help="Directory of its files.")] = Path("data/broker"),
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Run a NATS broker with JetStream on this machine until it is interrupted.

    Examples:

        sengine broker
        sengine broker --port 4223 --data /var/lib/sengine/broker
    """
    import asyncio

    from sengine.adapters.children import watch_parent

    if die_with_parent:
        watch_parent()
    asyncio.run(_serve(port, data))


async def _serve(port: int, data: Path) -> None:
    import asyncio
    import signal

    from sengine.adapters.broker import BrokerError, EmbeddedBroker

    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    server = EmbeddedBroker(data, port, guarded=False)
    await server.start()
    typer.echo(f"NATS broker at {server.url}, its files in {server.data_directory}")
    ended, stopping = asyncio.create_task(server.wait()), asyncio.create_task(asked.wait())
    await asyncio.wait((ended, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not asked.is_set():
        code = ended.result()
        await server.stop()
        raise BrokerError(f"nats-server ended by itself with code {code}; see {server.data_directory}/nats-server.log")
    await server.stop()
