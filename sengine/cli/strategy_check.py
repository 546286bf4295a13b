"""``sengine strategies check``: whether strategies keep the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sengine.cli.strategy_folder import DEFAULT_DIRECTORY, DirectoryOption, known_strategies

if TYPE_CHECKING:
    from sengine.config.schema import StrategyConfig
    from sengine.domain.events import MarketEvent
    from sengine.engine.spec import StrategySpec
    from sengine.plugins.conformance import Finding


def check(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            show_default=False,
            help="Strategy, as in plugin:, its file, or host:port where one listens; without it, all there are.",
        ),
    ] = "",
    directory: DirectoryOption = DEFAULT_DIRECTORY,
    data: Annotated[
        list[Path] | None, typer.Option("--data", metavar="FILE", help="Market data to use; may be repeated.")
    ] = None,
    ticks: Annotated[int, typer.Option(metavar="N", min=10, help="Market data events to use.")] = 5000,
    warmup: Annotated[int, typer.Option(metavar="N", min=1, help="Ticks of warm-up, as plugins.warmup_ticks.")] = 500,
    parameters: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A parameter of the strategy.")
    ] = None,
    token: Annotated[
        str, typer.Option(envvar="STRATEGY_HOST_TOKEN", help="Token, where the one at host:port wants one.")
    ] = "",
    tls_ca: Annotated[
        str, typer.Option(metavar="FILE", help="Who signed the certificate of the one at host:port; turns TLS on.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one line a strategy.")] = False,
) -> None:
    """Check that strategies keep the contract, on a generated market or on your own data.

    The same ticks go through each several times. Its signals must be the same on another day and with other random
    numbers, whatever other instances there are, without the ticks that come later, in a process of its own, compiled
    as not compiled, and with twice the warm-up. The exit code is 1 where a check fails.

    Example: sengine strategies check momentum
    """
    import msgspec

    from sengine.config.schema import StrategyConfig
    from sengine.errors import ConfigError

    if parameters and not name:
        raise ConfigError(["--set sets parameters of one strategy; name it, as in `sengine strategies check momentum`"])
    config = _parameters(parameters or ())
    known = known_strategies(directory)
    is_address = name.startswith("unix:") or name.rpartition(":")[2].isdigit()
    if is_address:
        wanted = [name]
    else:
        wanted = [str(known.find(name))] if name else [str(path) for path in known.files().values()]
    events = _events(data or (), ticks)
    failed = False
    for one in wanted:
        if is_address:
            strategy = StrategyConfig(id="checked", type="grpc", address=one, token=token, tls_ca=tls_ca, config=config)
        else:
            strategy = StrategyConfig(id="checked", type="grpc", module=one, config=config)
        findings = _findings(strategy, events, warmup)
        failed = failed or any(not finding.passed for finding in findings)
        if as_json:
            typer.echo(msgspec.json.encode({"path": one, "events": len(events), "findings": findings}))
        else:
            _show(one, len(events), findings)
    if failed:
        raise typer.Exit(1)


def _events(data: Sequence[Path], most: int) -> Sequence[MarketEvent]:
    from itertools import islice

    from replay.feed import open_feed
    from replay.merge import merge_feeds
    from replay.synthetic import generate_quotes

    if not data:
        return list(generate_quotes(most, ["BTCUSDT", "ETHUSDT"], 1))
    feeds = [open_feed(file, lambda row: None) for file in data]
    events = list(islice(merge_feeds(feeds), most))
    for feed in feeds:
        feed.close()
    return events


def _findings(strategy: StrategyConfig, events: Sequence[MarketEvent], warmup: int) -> Sequence[Finding]:
    """What the checks found of the strategy in the file ``module``, or at ``address``."""
    from sengine.adapters.remote.lockstep import LockstepHosts
    from sengine.plugins import conformance

    with LockstepHosts(lambda module: Path(module)) as hosts:
        ways = {} if strategy.address else _ways(Path(strategy.module), strategy.config)
        return conformance.check(
            ways | {"out of process": lambda: hosts.spec(strategy)}, events, warmup, is_remote=bool(strategy.address)
        )


def _ways(path: Path, config: dict[str, Any]) -> dict[str, Callable[[], StrategySpec]]:
    """How the strategy can be loaded in this process: from the file and, where both are there, compiled and not."""
    from sengine.assembly import strategy_spec
    from sengine.config.schema import StrategyConfig
    from sengine.plugins.compiled import is_loadable, module_name
    from sengine.plugins.loader import load_plugin

    def way(file: Path) -> Callable[[], StrategySpec]:
        return lambda: strategy_spec(StrategyConfig(id="checked", plugin=str(file), config=config), load_plugin(file))

    ways = {"compiled" if is_loadable(path) else "as Python": way(path)}
    for other in sorted(path.parent.iterdir()):
        if module_name(other) == module_name(path) and other != path:
            if other.suffix == ".py":
                ways["as Python"] = way(other)
            elif is_loadable(other):
                ways["compiled"] = way(other)
    return ways


def _show(place: str, events: int, findings: Sequence[Finding]) -> None:
    from rich.text import Text

    from sengine.cli.console import open_console

    console = open_console()
    console.print(f"{place}, {events} events", soft_wrap=True, markup=False)
    for finding in findings:
        word = "skipped" if finding.skipped else "passed" if finding.passed else "FAILED"
        colour = {"passed": "green", "FAILED": "bold red", "skipped": "yellow"}[word]
        line = Text.assemble((f"  {word:<7}", colour), f"  {finding.check}: {finding.sentence}")
        console.print(line, soft_wrap=True)


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
