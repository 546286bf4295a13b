"""``sengine attach``: the screens of a running engine, in this terminal or in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from sengine.cli.connection import EngineAt, for_engine


@for_engine
def attach(
    engine: EngineAt,
    at: Annotated[
        str, typer.Argument(metavar="ADDRESS", help="unix:/path or host:port, as --address; else the configuration's.")
    ] = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only; every action is refused.")] = False,
    web: Annotated[bool, typer.Option("--web", help="Serve the screens to a browser on this machine.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of --web, on loopback.")] = 8100,
) -> None:
    """Open the screens of a running engine.

    Leaving them leaves the engine running; they attach again by themselves when it comes back.

    Examples:

        sengine attach
        sengine attach 10.0.0.5:7420 --read-only
        sengine attach --web
    """
    from sengine.adapters.control.address import chosen_address
    from sengine.cli.screens import has_screen, refuse_without_screen, run_screens

    engine = engine._replace(address=at or engine.address)
    settings = engine.settings()
    if web:
        _serve(engine, read_only, port)
        return
    if not has_screen():
        refuse_without_screen("attach", "`sengine status` shows the engine once")
    run_screens(str(chosen_address(settings, engine.address)), lambda: engine.client(settings), is_read_only=read_only)


def _serve(engine: EngineAt, read_only: bool, port: int) -> None:
    """The same command, once for each browser that comes."""
    import os

    from sengine.adapters.transport.processes import own_command
    from sengine.cli.web import serve_screens

    arguments = ["attach", *([engine.address] if engine.address else []), *(["--read-only"] if read_only else [])]
    files = {
        "--config": engine.config,
        "--tls-ca": engine.tls_ca,
        "--tls-cert": engine.tls_cert,
        "--tls-key": engine.tls_key,
    }
    for option, file in files.items():
        if file is not None:
            arguments += [option, str(file)]
    if engine.token:  # a command line is everybody's to read
        os.environ["SENGINE_API_TOKEN"] = engine.token
    serve_screens(own_command(*arguments), port)
