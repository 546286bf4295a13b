"""``sengine paper``: the paper execution service alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sengine.config import Config


def paper(
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT|unix:/PATH", help="Where orders come in; port 0 takes any free one.")
    ] = "127.0.0.1:50061",
    nats: Annotated[str, typer.Option(metavar="URL", help="Broker of market data and fills; default: nats.url.")] = "",
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration (YAML).")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep orders here, so that they outlive this process.")
    ] = None,
    address_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the address there.")] = None,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Run a paper execution service: real orders over gRPC, fills against live market data, nothing at stake.

    Latency, costs and depth are the configuration's `execution` section.

    Example: `sengine paper --nats nats://127.0.0.1:4222`
    """
    import uvloop

    from sengine.adapters.transport.processes import watch_parent
    from sengine.config import load_config
    from sengine.errors import ConfigError
    from sengine.runtime.logging import configure_logging

    if die_with_parent:
        watch_parent()
    settings = load_config(config, overrides=overrides or ())
    configure_logging(settings.logging.level, settings.logging.format)
    url = nats or settings.nats.url
    if url == "embedded":
        raise ConfigError(
            [
                "nats.url: expected the address of a running broker, found embedded, which is for `sengine run`; "
                "give --nats URL (`sengine broker` starts one)"
            ]
        )
    uvloop.run(_serve(settings, url, listen, journal, address_file))


async def _serve(config: Config, url: str, listen: str, journal: Path | None, address_file: Path | None) -> None:
    import asyncio
    import signal

    from sengine.adapters.paper.service import PaperExecution
    from sengine.errors import ConfigError

    asked = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    service = PaperExecution(config, url, listen, journal)
    try:
        address = await service.start()
        if address_file is not None:
            # Readers see all of it or nothing.
            whole = address_file.with_name(address_file.name + ".new")
            try:
                whole.write_text(address + "\n", "utf-8")
                whole.replace(address_file)
            except OSError as error:
                raise ConfigError([f"{address_file}: the address cannot be written: {error.strerror}"]) from error
        typer.echo(f"paper execution at {address}")
        await asked.wait()
    finally:
        await service.stop()
