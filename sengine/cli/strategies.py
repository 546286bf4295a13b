"""``sengine strategies``: what there is to run, what it takes, and a start for a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from sengine.engine.spec import StrategySpec

strategies_app = typer.Typer(help="List, show and write strategies.", no_args_is_help=True)

DirectoryOption = Annotated[
    Path,
    typer.Option(
        "--directory", "-d", metavar="DIR", help="Your strategy folder; the packaged examples are always found too."
    ),
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Strategy, as in plugin:, or path of its file.")]
_DEFAULT_DIRECTORY = Path("strategies")


@strategies_app.command("list")
def list_strategies(directory: DirectoryOption = _DEFAULT_DIRECTORY) -> None:
    """List the strategies that can be run, with version and description.

    Example: sengine strategies list
    """
    from rich.text import Text

    from sengine.cli.console import open_console
    from sengine.errors import PluginError
    from sengine.plugins.catalog import Catalog
    from sengine.plugins.loader import load_plugin
    from sengine.resources import resource_path

    console = open_console()
    files = Catalog([directory, resource_path("strategies")]).files()
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
def show(name: NameArgument, directory: DirectoryOption = _DEFAULT_DIRECTORY) -> None:
    """Show one strategy: what it does and the parameters it takes.

    Example: sengine strategies show momentum
    """
    from rich.text import Text

    from sengine.assembly import strategy_spec
    from sengine.cli.console import open_console
    from sengine.cli.fields import print_fields
    from sengine.config import describe
    from sengine.config.schema import StrategyConfig
    from sengine.plugins.catalog import Catalog
    from sengine.plugins.loader import load_plugin
    from sengine.resources import resource_path

    loaded = load_plugin(Catalog([directory, resource_path("strategies")]).find(name))
    spec = strategy_spec(StrategyConfig(id="shown", plugin=name), loaded)
    parameters = loaded.strategy_type.parameters
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


@strategies_app.command()
def check(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Strategy, as in plugin:, its file, or host:port where one listens.")
    ],
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
    data: Annotated[
        list[Path] | None, typer.Option("--data", metavar="FILE", help="Market data to use; may be repeated.")
    ] = None,
    ticks: Annotated[int, typer.Option(metavar="N", min=10, help="Market data events to use.")] = 5000,
    warmup: Annotated[int, typer.Option(metavar="N", min=1, help="Ticks of warm-up, as plugins.warmup_ticks.")] = 500,
    parameters: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the strategy.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that a strategy keeps the contract, on a generated market or on your own data.

    The same ticks go through it several times. Its signals must be the same on another day and with other random
    numbers, whatever other instances there are, without the ticks that come later, in a process of its own, compiled
    as not compiled, and with twice the warm-up. The exit code is 1 where a check fails.

    Example: sengine strategies check momentum
    """
    from itertools import islice

    import msgspec
    from rich.text import Text

    from replay.feed import open_feed
    from replay.merge import merge_feeds
    from replay.synthetic import generate_quotes
    from sengine.adapters.remote_lockstep import LockstepHosts
    from sengine.assembly import strategy_spec
    from sengine.cli.console import open_console
    from sengine.config.schema import StrategyConfig
    from sengine.plugins import conformance
    from sengine.plugins.catalog import Catalog
    from sengine.plugins.compiled import is_loadable, module_name
    from sengine.plugins.loader import load_plugin
    from sengine.resources import resource_path

    config = _parameters(parameters or ())
    is_address = name.startswith("unix:") or name.rpartition(":")[2].isdigit()
    path = Path(name) if is_address else Catalog([directory, resource_path("strategies")]).find(name)

    def way(file: Path) -> Callable[[], StrategySpec]:
        return lambda: strategy_spec(StrategyConfig(id="checked", plugin=str(file), config=config), load_plugin(file))

    ways: dict[str, Callable[[], StrategySpec]]
    ways = {} if is_address else {"compiled" if is_loadable(path) else "as Python": way(path)}
    for other in () if is_address else sorted(path.parent.iterdir()):
        if module_name(other) == module_name(path) and other != path:
            if other.suffix == ".py":
                ways["as Python"] = way(other)
            elif is_loadable(other):
                ways["compiled"] = way(other)
    if data:
        feeds = [open_feed(file, lambda row: None) for file in data]
        events = list(islice(merge_feeds(feeds), ticks))
        for feed in feeds:
            feed.close()
    else:
        events = list(generate_quotes(ticks, ["BTCUSDT", "ETHUSDT"], 1))
    with LockstepHosts(lambda module: Path(module)) as hosts:
        address, module = (name, "") if is_address else ("", str(path))
        remote = StrategyConfig(id="checked", type="grpc", address=address, module=module, config=config)
        findings = conformance.check(
            ways | {"out of process": lambda: hosts.spec(remote)}, events, warmup, is_remote=is_address
        )
    failed = any(not finding.passed for finding in findings)
    if as_json:
        typer.echo(msgspec.json.encode({"path": str(path), "events": len(events), "findings": findings}))
    else:
        console = open_console()
        console.print(f"{path}, {len(events)} events", soft_wrap=True, markup=False)
        for finding in findings:
            word = "skipped" if finding.skipped else "passed" if finding.passed else "FAILED"
            colour = {"passed": "green", "FAILED": "bold red", "skipped": "yellow"}[word]
            line = Text.assemble((f"  {word:<7}", colour), f"  {finding.check}: {finding.sentence}")
            console.print(line, soft_wrap=True)
    if failed:
        raise typer.Exit(1)


def _parameters(texts: Sequence[str]) -> dict[str, Any]:
    """``KEY=VALUE`` texts as a configuration, values read as YAML. Raises ``ConfigError``."""
    import yaml

    from sengine.errors import ConfigError

    config = {}
    for text in texts:
        key, equals, value = text.partition("=")
        try:
            config[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError:
            equals = ""
        if not equals or not key.strip():
            raise ConfigError([f'--set {text}: expected KEY=VALUE, as in "short_window=5"'])
    return config


@strategies_app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Letters, digits and underscores.")],
    directory: DirectoryOption = _DEFAULT_DIRECTORY,
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
    known_as = name if directory == _DEFAULT_DIRECTORY else strategy.resolve()
    typer.echo(f"wrote {strategy} and {test}")
    typer.echo(f"try it:  sengine replay FILE.csv --strategy {known_as}")
    typer.echo(f"test it: python -m pytest {test}")
