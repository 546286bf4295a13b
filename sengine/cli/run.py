"""``sengine run``: the live engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sengine.config.schema import Config


def run(
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Configuration (YAML).")] = None,
    no_tui: Annotated[bool, typer.Option("--no-tui", help="Headless, for a supervisor: logs only.")] = False,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
    supervised: Annotated[bool, typer.Option("--supervised", hidden=True)] = False,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Run the live engine: market data from NATS, orders over gRPC. In a terminal its screens open as well.

    Without `-c` it runs sengine.yaml or configs/sengine.yaml where there is one, else the packaged one: an embedded
    broker, paper execution and the example strategies. SIGTERM or Ctrl-C stops it in order, SIGHUP reloads the
    strategies.

    Example: `sengine run -c configs/sengine.yaml --no-tui`
    """
    import signal

    # Before all that takes time: a kill that comes while this process starts waits for whoever can carry it out.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    import uvloop

    from sengine.adapters.containment.watchdog import FILE as HELD_UP
    from sengine.adapters.transport.processes import watch_parent
    from sengine.cli.finding import configuration_file
    from sengine.cli.screens import has_screen
    from sengine.cli.supervise import supervise
    from sengine.clock import NS_PER_S
    from sengine.config import load_config
    from sengine.runtime.logging import configure_logging
    from sengine.service.service import EngineService, config_reader

    if die_with_parent:
        watch_parent()
    file = configuration_file(config)
    settings = load_config(file, overrides=overrides or ())
    if not no_tui:
        if has_screen():
            _with_screens(file, settings, overrides or ())
            return
        typer.echo("sengine: there is no terminal for screens; running as with --no-tui", err=True)
    if settings.plugins.watchdog_restart and not supervised:
        arguments = ["run", "--no-tui", "--config", str(file)]
        for override in overrides or ():
            arguments += ["--set", override]
        held_up = Path(settings.service.data_directory).expanduser() / HELD_UP
        raise typer.Exit(supervise(arguments, held_up, settings.plugins.watchdog_after_ns / NS_PER_S))
    configure_logging(settings.logging.level, settings.logging.format)

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


def _with_screens(file: Path, settings: Config, overrides: Sequence[str]) -> None:
    """The engine as a child, and its screens in this terminal."""
    from sengine.adapters.control.address import configured_address
    from sengine.cli.screens import client_of, run_with_engine

    arguments = ["run", "--no-tui", "--config", str(file)]
    for override in overrides:
        arguments += ["--set", override]
    log_file = Path(settings.service.data_directory).expanduser() / "engine.log"
    run_with_engine(arguments, str(configured_address(settings)), client_of(settings), log_file)
