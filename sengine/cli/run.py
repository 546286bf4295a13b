"""``sengine run``: the live engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration (YAML).")] = None,
    no_tui: Annotated[bool, typer.Option("--no-tui", help="Headless, for a supervisor: logs only.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Run the live engine: market data from NATS, orders over gRPC.

    Without `-c` it runs configs/sengine.yaml where there is one, else the packaged one: an embedded broker, paper
    execution and the example strategies. SIGTERM or Ctrl-C stops it in order, SIGHUP reloads the strategies.

    Example: `sengine run -c configs/sengine.yaml --no-tui`
    """
    import uvloop

    from sengine.adapters.children import watch_parent
    from sengine.config import load_config
    from sengine.logs import configure_logging
    from sengine.resources import resource_path
    from sengine.service import EngineService, config_reader

    if die_with_parent:
        watch_parent()
    own = Path("configs/sengine.yaml")
    file = config or (own if own.is_file() else resource_path("configs", "sengine.yaml"))
    settings = load_config(file, overrides=overrides or ())
    configure_logging(settings.logging.level, settings.logging.format)
    if not no_tui:
        typer.echo("sengine: there are no screens yet; running as with --no-tui", err=True)

    def on_started(service: EngineService) -> None:
        # What listens is told in any case, also where the log leaves out what is no trouble.
        if settings.logging.level not in ("debug", "info"):
            for name, address in service.facts.listeners.items():
                typer.echo(f"{name}: {address}")

    async def serve() -> None:
        reader = config_reader(file, overrides or ())
        service = EngineService(settings, reader, config_file=file, overrides=overrides or (), on_started=on_started)
        await service.run()

    uvloop.run(serve())
