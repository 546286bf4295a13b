"""The ``sengine`` command line. Each command imports what it needs when it runs, so that help is quick.

Exit codes: 0 done, 1 the run failed, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from sengine import __version__
from sengine.cli.config import config_app
from sengine.cli.replay import replay
from sengine.cli.sample import sample
from sengine.cli.strategies import strategies_app
from sengine.errors import ConfigError, DataError, SengineError

app = typer.Typer(
    name="sengine",
    help="A trading strategy engine operated from a terminal.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(replay)
app.command()(sample)
app.add_typer(config_app, name="config")
app.add_typer(strategies_app, name="strategies")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sengine {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command that was asked for; what sengine raises on purpose becomes a sentence and an exit code."""
    try:
        app()
    except (ConfigError, DataError) as error:
        _fail(error, 2)
    except SengineError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        typer.echo("sengine: interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe (`| head`) has gone; there is nobody left to tell.
        sys.stderr.close()
        sys.exit(1)


def _fail(error: SengineError, code: int) -> None:
    for line in str(error).splitlines():
        typer.echo(f"sengine: {line}", err=True)
    sys.exit(code)
