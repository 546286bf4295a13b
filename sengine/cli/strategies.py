"""``sengine strategies``: what there is to run, what it takes, and a start for a new one."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from sengine.cli.strategy_check import check
from sengine.cli.strategy_folder import DEFAULT_DIRECTORY, DirectoryOption, known_strategies

strategies_app = typer.Typer(help="List, show and write strategies.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Strategy, as in plugin:, or path of its file.")]


@strategies_app.command("list")
def list_strategies(directory: DirectoryOption = DEFAULT_DIRECTORY) -> None:
    """List the strategies that can be run, with version and description.

    Example: sengine strategies list
    """
    from rich.text import Text

    from sengine.cli.console import open_console
    from sengine.errors import PluginError
    from sengine.plugins.helper_files import helpers
    from sengine.plugins.loader import load_plugin

    console = open_console()
    files = known_strategies(directory).files()
    helping = helpers(files.values())
    files = {name: path for name, path in files.items() if path not in helping}
    name_width = max(map(len, files), default=0)
    for folder in dict.fromkeys(path.parent for path in files.values()):
        console.print(Text(f"in {folder}", "dim"), soft_wrap=True)
        for name, path in files.items():
            if path.parent != folder:
                continue
            try:
                loaded = load_plugin(path)
                about = Text.assemble((str(loaded.plugin.version), "dim"), f"  {loaded.plugin.description}")
            except PluginError as error:
                about = Text(f"broken: {error}", "red")
            about.rstrip()
            console.print(Text(f"  {name:<{name_width}}  ").append_text(about), soft_wrap=True)


@strategies_app.command()
def show(name: NameArgument, directory: DirectoryOption = DEFAULT_DIRECTORY) -> None:
    """Show one strategy: what it does and the parameters it takes.

    Example: sengine strategies show momentum
    """
    from rich.text import Text

    from sengine.assembly import strategy_spec
    from sengine.cli.console import open_console
    from sengine.cli.fields import print_fields
    from sengine.config import describe
    from sengine.config.schema import StrategyConfig
    from sengine.plugins.loader import load_plugin

    loaded = load_plugin(known_strategies(directory).find(name))
    spec = strategy_spec(StrategyConfig(id="shown", plugin=name), loaded)
    parameters = loaded.parameters
    instances = "one instance per symbol" if spec.one_instance_per_symbol else "one instance for all symbols"
    paragraphs = [
        Text.assemble((loaded.plugin.name, "bold"), f" {loaded.version}"),
        Text(loaded.plugin.description),
        Text(str(loaded.path), "dim"),
        Text(f"\n{loaded.doc}" if loaded.doc else ""),
        Text(f"\nroute {spec.route}; called for {', '.join(spec.kinds)} events; {instances}\n"),
    ]
    console = open_console()
    for text in paragraphs:
        if text.plain:
            console.print(text, soft_wrap=True)
    if parameters is None:
        console.print("It declares no typed parameters: its config: is handed to initialize() as written.")
    else:
        print_fields(console, describe(parameters))


strategies_app.command()(check)


@strategies_app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and underscores.")],
    directory: DirectoryOption = DEFAULT_DIRECTORY,
) -> None:
    """Write a documented, runnable strategy and a test for it.

    Files that exist are never overwritten.

    Example:

        sengine strategies new dip_buyer
        sengine replay market.csv --strategy dip_buyer
    """
    from sengine.plugins.template import write_template

    strategy, test = write_template(name, directory)
    # A replay finds the default folder by itself; any other file is named by a path with a slash in it.
    known_as = name if directory == DEFAULT_DIRECTORY else strategy.resolve()
    typer.echo(f"wrote {strategy} and {test}")
    typer.echo(f"try it:  sengine replay FILE.csv --strategy {known_as}")
    entry = f"{{id: {name}, plugin: {known_as}, isolation: process}}"
    typer.echo(f"run it:  under strategies: in your configuration, {entry} has it in a process of its own")
    # What runs sengine does not bring it.
    has_pytest = importlib.util.find_spec("pytest") is not None
    typer.echo(f"test it: {'' if has_pytest else 'python -m pip install pytest; '}python -m pytest {test}")
