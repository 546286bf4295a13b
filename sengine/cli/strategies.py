"""``sengine strategies``: what there is to run, what it takes, and a start for a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

strategies_app = typer.Typer(help="List, show and write strategies.", no_args_is_help=True)

DirectoryOption = Annotated[
    Path, typer.Option("--directory", "-d", help="Your strategy folder; the packaged examples are always found too.")
]
_DEFAULT_DIRECTORY = Path("strategies")


@strategies_app.command("list")
def list_strategies(directory: DirectoryOption = _DEFAULT_DIRECTORY) -> None:
    """List the strategies that can be run, with version and description."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sengine.errors import PluginError
    from sengine.plugins.catalog import Catalog
    from sengine.plugins.loader import load_plugin
    from sengine.resources import resource_path

    table = Table("strategy", "version", "description", "file", box=None, pad_edge=False)
    for name, path in Catalog([directory, resource_path("strategies")]).files().items():
        try:
            loaded = load_plugin(path)
            table.add_row(name, loaded.version, escape(loaded.plugin.description), escape(str(path)))
        except PluginError as error:
            table.add_row(name, "[red]broken[/red]", escape(str(error)), escape(str(path)))
    Console().print(table)


@strategies_app.command()
def show(
    name: Annotated[str, typer.Argument(help="Strategy name, as in `plugin:`, or a file.")],
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
) -> None:
    """Show one strategy: what it does and the parameters it takes.

    Example: `sengine strategies show momentum`
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from sengine.config import describe
    from sengine.plugins.catalog import Catalog
    from sengine.plugins.loader import load_plugin
    from sengine.resources import resource_path

    loaded = load_plugin(Catalog([directory, resource_path("strategies")]).find(name))
    console = Console()
    console.print(f"[bold]{escape(loaded.plugin.name)}[/bold] {escape(loaded.version)}")
    if loaded.plugin.description:
        console.print(escape(loaded.plugin.description))
    console.print(f"{escape(str(loaded.path))}\n", soft_wrap=True)
    if loaded.doc:
        console.print(escape(loaded.doc), end="\n\n")
    kind = loaded.strategy_type
    instances = "one instance per symbol" if kind.one_instance_per_symbol else "one instance for all symbols"
    console.print(f"route {kind.route}; called for {', '.join(kind.market_data)} events; {instances}\n")
    if kind.parameters is None:
        console.print("It declares no typed parameters: its config: is handed to initialize() as written.")
        return
    table = Table("parameter", "takes", "default", "meaning", box=None, pad_edge=False)
    for field in describe(kind.parameters):
        default = "required" if field.default is None else field.default
        table.add_row(field.name, escape(field.expected), escape(default), escape(field.doc))
    console.print(table)


@strategies_app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the strategy: letters, digits and underscores.")],
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
) -> None:
    """Write a documented, runnable strategy and a test for it.

    Example: `sengine strategies new dip_buyer`, then `sengine replay market.csv --strategy dip_buyer`
    """
    from sengine.plugins.template import write_template

    strategy, test = write_template(name, directory)
    typer.echo(f"wrote {strategy} and {test}")
    typer.echo(f"try it:  sengine replay FILE.csv --strategy {name}")
    typer.echo(f"test it: python -m pytest {test}")
