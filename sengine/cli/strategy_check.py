"""``sengine strategies check``: whether strategies keep the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from sengine.cli.strategy_folder import DEFAULT_DIRECTORY, DirectoryOption, known_strategies

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from replay.rows import RejectedRow
    from sengine.config.schema import PluginsConfig, StrategyConfig
    from sengine.domain.events import MarketEvent
    from sengine.engine.strategies.guard import Guard
    from sengine.engine.strategies.spec import StrategySpec
    from sengine.plugins.conformance import Finding
    from sengine.plugins.market import Market

# Far beyond any time limit of a tick: what a process of its own takes longer for does not come back.
_ANSWER_WITHIN_S: Final = 5.0
_GENERATED: Final = 5_000
# What a check of a Python strategy goes through; two of them only in part.
_PASSES: Final = 9
_NOT_PROVED: Final = 3


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
        list[Path] | None,
        typer.Option("--data", metavar="FILE", help="Market data, all of it; may be repeated."),
    ] = None,
    ticks: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=10, show_default=False, help="Use only the first N events; without --data there are 5000."
        ),
    ] = None,
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
    as not compiled, and after a reload with that warm-up. Where there is no signal to compare, a check is not proved.
    The exit code is 1 where a check fails, and 3 where none does and one is not proved.

    Example: sengine strategies check momentum
    """
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
    market = _market(data or (), ticks)
    limits = _limits()
    helping = {} if name else _helpers(wanted)
    code = 0
    for one in wanted:
        if is_address:
            strategy = StrategyConfig(id="checked", type="grpc", address=one, token=token, tls_ca=tls_ca, config=config)
        else:
            strategy = StrategyConfig(id="checked", type="grpc", module=one, config=config)
        if one in helping:
            findings: Sequence[Finding] = [helping[one]]
        elif name:
            findings = _findings(strategy, market, warmup, limits)
        else:
            findings = _findings_or_refusal(strategy, market, warmup, limits)
        if any(finding.has_failed for finding in findings):
            code = 1
        elif not code and any(not finding.proved for finding in findings):
            code = _NOT_PROVED
        _report(one, market.count, findings, as_json=as_json)
    if code:
        raise typer.Exit(code)


def _helpers(paths: Sequence[str]) -> dict[str, Finding]:
    """Files beside strategies that are none, each with what is said in place of its findings."""
    from sengine.plugins.conformance import Finding
    from sengine.plugins.helper_files import helpers

    found = helpers(map(Path, paths))
    return {str(path): Finding("strategy", True, f"not checked: {why}", skipped=True) for path, why in found.items()}


def _limits() -> PluginsConfig:
    """Time limits as configured in this folder, where that can be read; the defaults otherwise."""
    from sengine.cli.finding import own_configuration
    from sengine.config import load_config
    from sengine.config.schema import PluginsConfig
    from sengine.errors import ConfigError

    try:
        return load_config(own_configuration()).plugins
    except ConfigError:
        return PluginsConfig()


def _market(data: Sequence[Path], most: int | None) -> Market:
    """The generated one, or what the files hold. Raises ``DataError`` where that is nothing."""
    from contextlib import ExitStack
    from itertools import islice

    from replay.feed import open_feed
    from replay.merge import merge_feeds
    from replay.synthetic import generate_quotes
    from sengine.errors import DataError
    from sengine.plugins.market import Market

    if not data:
        return Market(lambda: generate_quotes(most or _GENERATED, ["BTCUSDT", "ETHUSDT"], 1))
    refused: list[str] = []

    def on_bad_row(row: RejectedRow) -> None:
        if not refused:
            refused.append(str(row))

    def read() -> Iterator[MarketEvent]:
        with ExitStack() as stack:
            feeds = [open_feed(file, on_bad_row) for file in data]
            for feed in feeds:
                stack.callback(feed.close)
            yield from islice(merge_feeds(feeds), most)

    market = Market(read)
    if not market.count:
        why = refused[0] if refused else "there is no row"
        raise DataError(f"--data {', '.join(map(str, data))}: nothing to check on: {why}")
    return market


@contextmanager
def _progress(market: Market, place: str) -> Iterator[None]:
    """A bar over all passes, on a terminal; in a pipe, nothing."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from sengine.cli.console import open_console

    console = open_console(stderr=True)
    if not console.is_terminal:
        yield
        return
    name = place.rpartition("/")[2]
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False)
    with bar as progress:
        task, before = progress.add_task(f"checks {name}", total=_PASSES), market.passes

        def update(passes: int, share: float) -> None:
            done = passes - before - 1 + share
            progress.update(task, completed=done, total=max(_PASSES, passes - before))

        market.on_progress = update
        yield


def _findings(strategy: StrategyConfig, market: Market, warmup: int, limits: PluginsConfig) -> Sequence[Finding]:
    """What the checks found of the strategy in the file ``module``, or at ``address``. What it prints is counted."""
    from sengine.adapters.containment.call_timer import time_limit
    from sengine.adapters.containment.strategy_output import StrategyOutput
    from sengine.adapters.remote.lockstep import LockstepHosts
    from sengine.plugins import conformance
    from sengine.printable import printable

    def limit(guard: Guard) -> AbstractContextManager[None]:
        return time_limit(guard, limits.tick_timeout_ms, limits.setup_timeout_ms)

    with LockstepHosts(lambda module: Path(module), _ANSWER_WITHIN_S) as hosts:
        ways = {} if strategy.address else _ways(Path(strategy.module), strategy.config)
        place, said = strategy.address or strategy.module, list[str]()
        # The bar first: it is drawn on the standard error that there is now.
        with _progress(market, place), StrategyOutput(lambda: "it", lambda: 0, lambda line: said.append(line.text)):
            findings = conformance.check(ways, market, warmup, apart=lambda: hosts.spec(strategy), limit=limit)
    if said:
        typer.echo(f"sengine: {place} prints while it is checked, first {printable(said[0])!r}", err=True)
    return findings


def _findings_or_refusal(
    strategy: StrategyConfig, market: Market, warmup: int, limits: PluginsConfig
) -> Sequence[Finding]:
    """One of many: that it cannot be loaded is no reason not to check the others."""
    from sengine.errors import ConfigError, PluginError
    from sengine.plugins.conformance import Finding

    try:
        return _findings(strategy, market, warmup, limits)
    except (ConfigError, PluginError) as error:
        return [Finding("loads", False, "; ".join(str(error).splitlines()))]


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


def _report(place: str, events: int, findings: Sequence[Finding], *, as_json: bool) -> None:
    import msgspec

    if as_json:
        typer.echo(msgspec.json.encode({"path": place, "events": events, "findings": findings}))
    else:
        _show(place, events, findings)


def _show(place: str, events: int, findings: Sequence[Finding]) -> None:
    from rich.text import Text

    from sengine.cli.console import open_console

    console = open_console()
    console.print(f"{place}, {events} events", soft_wrap=True, markup=False)
    for finding in findings:
        colour = {"passed": "green", "FAILED": "bold red", "skipped": "yellow", "not proved": "bold yellow"}
        line = Text.assemble((f"  {finding.word:<7}", colour[finding.word]), f"  {finding.check}: {finding.sentence}")
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
