"""``sengine attach``: the screens of a running engine, in this terminal or in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sengine.cli.control import CaOption, CertOption, ConfigOption, KeyOption, TokenOption

if TYPE_CHECKING:
    from sengine.adapters.control_client import ControlClient


def attach(
    address: Annotated[str, typer.Argument(help="unix:/path or host:port; without it, the configuration's.")] = "",
    config: ConfigOption = None,
    token: TokenOption = "",
    read_only: Annotated[bool, typer.Option("--read-only", help="Watch only; every action is refused.")] = False,
    web: Annotated[bool, typer.Option("--web", help="Serve the screens to a browser on this machine.")] = False,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of --web, on loopback.")] = 8100,
    tls_ca: CaOption = None,
    tls_cert: CertOption = None,
    tls_key: KeyOption = None,
) -> None:
    """Open the screens of a running engine.

    Leaving them leaves the engine running; they attach again by themselves when it comes back.

    Examples:

        sengine attach
        sengine attach 10.0.0.5:7420 --read-only
        sengine attach --web
    """
    from sengine.adapters.control_address import chosen_address
    from sengine.cli.finding import running_config
    from sengine.cli.screens import has_screen, refuse_without_screen, run_screens

    settings = running_config(config)

    def connect() -> ControlClient:
        from sengine.adapters.control_client import ControlClient

        return ControlClient.of_config(settings, address, token, tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key)

    if web:
        _serve(
            address, config, token, read_only, port, {"--tls-ca": tls_ca, "--tls-cert": tls_cert, "--tls-key": tls_key}
        )
        return
    if not has_screen():
        refuse_without_screen("attach", "`sengine status` shows the engine once")
    run_screens(str(chosen_address(settings, address)), connect, is_read_only=read_only)


def _serve(
    address: str, config: Path | None, token: str, read_only: bool, port: int, files: dict[str, Path | None]
) -> None:
    """The same command, once for each browser that comes."""
    import os

    from sengine.adapters.children import own_command
    from sengine.cli.web import serve_screens

    arguments = ["attach", *([address] if address else []), *(["--read-only"] if read_only else [])]
    for option, file in {"--config": config, **files}.items():
        if file is not None:
            arguments += [option, str(file)]
    if token:  # a command line is everybody's to read
        os.environ["SENGINE_API_TOKEN"] = token
    serve_screens(own_command(*arguments), port)
