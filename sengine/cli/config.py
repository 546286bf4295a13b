"""``sengine config``: check a configuration and list what it may hold."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

config_app = typer.Typer(help="Check configurations, and list their keys.", no_args_is_help=True)


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration (YAML).")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
) -> None:
    """Check a configuration: its keys, values, strategies and their parameters.

    Every mistake is listed, with its place and what was expected there. Files with secrets that others can read are
    warned about.

    Example: sengine config check configs/sengine.yaml
    """
    from sengine.assembly import catalog, check_strategies
    from sengine.config import load_config
    from sengine.config.exposed import exposed_secrets
    from sengine.config.own_files import in_own_files
    from sengine.errors import ConfigError

    config = load_config(file, overrides=overrides or ())
    mistakes = [
        in_own_files(f"{file}: {mistake}", config.plugins, config.strategies)
        for mistake in check_strategies(config, catalog(config))
    ]
    if mistakes:
        raise ConfigError(mistakes)
    for sentence in exposed_secrets(config, file):
        typer.echo(f"sengine: {sentence}", err=True)
    enabled = sum(strategy.enabled for strategy in config.strategies)
    typer.echo(f"{file}: good; {enabled} of {len(config.strategies)} strategies enabled")


@config_app.command()
def keys() -> None:
    """List every key with what it takes, its default and its meaning.

    Example: sengine config keys | grep execution
    """
    from sengine.cli.console import open_console
    from sengine.cli.fields import print_fields
    from sengine.config import Config, describe

    print_fields(open_console(), describe(Config))
