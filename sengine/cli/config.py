"""``sengine config``: check a configuration, list what it may hold, and say it to an editor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sengine.config import Config

config_app = typer.Typer(help="Check configurations, and list their keys.", no_args_is_help=True)


@config_app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration (YAML).")],
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
) -> None:
    """Check a configuration: its keys, values, strategies and their parameters.

    Every mistake is listed, with its place and what was expected there; strategies are tried with their parameters once
    the file itself has none. Files with secrets that others can read are warned about.

    Example: sengine config check configs/sengine.yaml
    """
    from sengine.assembly import catalog, check_strategies, mixed_limits
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
    for sentence in (*exposed_secrets(config, file), *mixed_limits(config)):
        typer.echo(f"sengine: {sentence}", err=True)
    typer.echo(f"{file}: good; {_what_trades(config)}")


def _what_trades(config: Config) -> str:
    every, enabled = len(config.strategies), sum(strategy.enabled for strategy in config.strategies)
    if not every:
        return (
            "nothing would trade: it configures no strategies. `sengine init DIR` writes a project to begin from, "
            "`sengine strategies list` shows what there is to run"
        )
    if not enabled:
        return f"nothing would trade: 0 of {every} strategies enabled. Set enabled: true for one"
    return f"{enabled} of {every} strategies enabled"


@config_app.command()
def keys() -> None:
    """List every key with what it takes, its default and its meaning.

    Example: sengine config keys | grep execution
    """
    from sengine.cli.console import open_console
    from sengine.cli.fields import print_fields
    from sengine.config import Config, describe

    print_fields(open_console(), describe(Config))


@config_app.command()
def schema() -> None:
    """Print a JSON Schema of the configuration, for editors that complete and check YAML.

    Save it, and name it in the first line of a configuration: # yaml-language-server: $schema=sengine.schema.json

    Example: sengine config schema > sengine.schema.json
    """
    import json

    from sengine.config.json_schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
