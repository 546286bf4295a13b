"""The ``sengine`` command line. Each command imports what it needs when it runs, so that help is quick.

Exit codes: 0 done, 1 the run failed, 2 bad usage or bad input, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from sengine import __version__
from sengine.cli import control
from sengine.cli.attach import attach
from sengine.cli.audit import audit
from sengine.cli.broker import broker
from sengine.cli.config import config_app
from sengine.cli.console import escape_unprintable, settle_output
from sengine.cli.demo import demo
from sengine.cli.fills import fills
from sengine.cli.history import history_app
from sengine.cli.init import init
from sengine.cli.journal import journal_app
from sengine.cli.paper import paper
from sengine.cli.prover import prover
from sengine.cli.publish import publish, simulate
from sengine.cli.reconcile import reconcile
from sengine.cli.replay import replay
from sengine.cli.report import report_app
from sengine.cli.run import run as run_engine
from sengine.cli.sample import sample
from sengine.cli.strategies import strategies_app
from sengine.cli.strategy_host import strategy_host
from sengine.cli.verify import verify
from sengine.errors import InputError, SengineError

app = typer.Typer(
    name="sengine",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(demo)
app.command("run")(run_engine)
app.command()(attach)
app.command()(audit)
app.command()(paper)
app.command("strategy-host")(strategy_host)
app.command()(replay)
app.command()(init)
app.command()(verify)
app.command()(sample)
app.command()(broker)
app.command()(publish)
app.command(hidden=True)(simulate)
app.command(hidden=True)(prover)
control.register(app)
app.command()(reconcile)
app.command()(fills)
app.add_typer(config_app, name="config")
app.add_typer(report_app, name="report")
app.add_typer(strategies_app, name="strategies")
app.add_typer(journal_app, name="journal")
app.add_typer(history_app, name="history")


def _print_version(wanted: bool) -> None:
    if wanted:
        from sengine.build_form import form

        typer.echo(f"sengine {__version__} ({form()})")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """A trading strategy engine operated from a terminal.

    Exit codes: 0 done, 1 the run failed, 2 bad usage or bad input.

    Try it:

        sengine sample market.csv
        sengine replay market.csv
    """


def run() -> None:
    """Run the command that was asked for; what sengine raises on purpose becomes a sentence and an exit code."""
    escape_unprintable()
    try:
        app(prog_name="sengine")
    except InputError as error:
        _fail(str(error), 2)
    except SengineError as error:
        _fail(str(error), 1)
    except OSError as error:
        # Commands say which of their files failed; what is left is mostly standard output on a full disk.
        settle_output()
        _fail(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}", 1)


def _fail(message: str, code: int) -> NoReturn:
    for line in message.splitlines():
        typer.echo(f"sengine: {line}", err=True)
    sys.exit(code)
