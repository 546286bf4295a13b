"""``sengine demo``: the whole closed loop on one machine, with nothing to set up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from sengine.service.service import EngineService

_SYMBOLS = "BTCUSDT,ETHUSDT,SOLUSDT"


def demo(
    no_tui: Annotated[bool, typer.Option("--no-tui", help="Summary lines instead of screens.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long; without it, Ctrl-C.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="Generated ticks per second.")] = 200.0,
    data: Annotated[Path | None, typer.Option(help="Publish this file instead of a generated market.")] = None,
    speed: Annotated[str, typer.Option(help="Pace of --data: 1x is its own, max is at once.")] = "1x",
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="Your strategies and limits (YAML).")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
    die_with_parent: Annotated[bool, typer.Option("--die-with-parent", hidden=True)] = False,
) -> None:
    """Trade a generated market on paper: embedded broker, strategies, orders over gRPC, fills, P&L.

    Examples:

        sengine demo
        sengine demo --seconds 30 --rate 1000
        sengine demo --data quotes.csv.gz --speed 10x
        sengine demo -c sengine.yaml
    """
    import tempfile

    import uvloop

    from sengine.adapters.transport.processes import watch_parent
    from sengine.cli.finding import findable_demo
    from sengine.cli.publish import pace_of
    from sengine.cli.screens import has_screen
    from sengine.config import load_config
    from sengine.resources import resource_path
    from sengine.runtime.logging import configure_logging
    from sengine.service.service import EngineService, config_reader

    pace_of(speed)
    if die_with_parent:
        watch_parent()
    if data is None:
        file = resource_path("configs", "demo.yaml")
        arguments = ["simulate", "--rate", str(rate), "--symbols", _SYMBOLS]
        market = "a generated market"
    elif data.is_file():
        file = resource_path("configs", "demo_data.yaml")
        arguments = ["publish", str(data), "--speed", speed]
        market = data.name
    else:
        raise typer.BadParameter(f"{data} is not a file", param_hint="--data")
    if config is not None:
        file = config
    if not no_tui and has_screen():
        own = ["--rate", str(rate), "--speed", speed]
        own += ["--seconds", str(seconds)] if seconds is not None else []
        own += ["--data", str(data)] if data is not None else []
        own += ["--config", str(config)] if config is not None else []
        for override in overrides or ():
            own += ["--set", override]
        _with_screens(own, file, overrides or ())
        return
    with tempfile.TemporaryDirectory(prefix="sengine-demo-") as directory:
        # A demo is over when it ends, and never in the way of an engine that runs.
        settings_overrides = [f"service.data_directory={directory}", "service.port=0", *(overrides or ())]
        settings = load_config(file, overrides=settings_overrides)
        asks_for_restart = settings.plugins.watchdog_restart
        if asks_for_restart:
            # Nobody would start it again, nor remove what it leaves behind.
            settings_overrides.append("plugins.watchdog_restart=false")
            settings = load_config(file, overrides=settings_overrides)
        configure_logging(settings.logging.level, settings.logging.format)

        async def trade() -> None:
            demo_market = _Market(arguments, market, seconds)

            def begin(service: EngineService) -> None:
                if asks_for_restart:
                    service.live.say(
                        "warning",
                        "plugins.watchdog_restart is not for a demo: what holds it up is reported and not ended; "
                        "`sengine run` starts the engine again",
                    )
                demo_market.begin(service)

            service = EngineService(
                settings,
                config_reader(file, settings_overrides),
                config_file=file,
                overrides=settings_overrides,
                on_started=begin,
            )
            try:
                await service.run()
            finally:
                await demo_market.end()
            if demo_market.has_begun:
                typer.echo(f"done: {_totals(service)}")

        with findable_demo(settings.service.data_directory):
            uvloop.run(trade())


def _with_screens(arguments: list[str], file: Path, overrides: Sequence[str]) -> None:
    """The demo as a child, and its screens in this terminal."""
    import tempfile

    from sengine.adapters.control.address import configured_address
    from sengine.cli.screens import client_of, run_with_engine
    from sengine.config import load_config

    with tempfile.TemporaryDirectory(prefix="sengine-screens-") as directory:
        # Ahead of the user's own, which may say otherwise.
        command = ["demo", "--no-tui", "--set", f"service.data_directory={directory}", *arguments]
        settings = load_config(file, overrides=[f"service.data_directory={directory}", *overrides])
        run_with_engine(
            command,
            str(configured_address(settings)),
            client_of(settings),
            Path(directory) / "engine.log",
            outlives_terminal=False,
        )


class _Market:
    """Publishes the demo's market in a child process and prints how it goes, once a second."""

    def __init__(self, arguments: list[str], market: str, seconds: float | None) -> None:
        self._arguments = arguments
        self._market = market
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None

    @property
    def has_begun(self) -> bool:
        return self._task is not None

    def begin(self, service: EngineService) -> None:
        import asyncio

        self._task = asyncio.create_task(self._run(service), name="demo-market")

    async def end(self) -> None:
        import asyncio
        import contextlib

        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, service: EngineService) -> None:
        import asyncio
        import os

        from sengine.adapters.transport.processes import spawn

        typer.echo(f"sengine demo: paper trading on {self._market}; Ctrl-C stops it")
        for name, address in service.facts.listeners.items():
            typer.echo(f"  {name:<12} {address}")
        # The login of the broker is in its address, and a command line is for everybody to read.
        environment = os.environ | {"SENGINE_NATS_URL": service.broker_url}
        child = await spawn(*self._arguments, env=environment, stdout=asyncio.subprocess.DEVNULL)
        clock = asyncio.get_running_loop().time
        end_s = clock() + self._seconds if self._seconds is not None else float("inf")
        # The demo's log leaves out what went well.
        service.facts.reloads.on_report = lambda report: typer.echo(f"{_time_of_day()}  {report.message}")
        ended = asyncio.create_task(child.wait())
        ticks, before_s = 0, clock()
        try:
            while not ended.done() and clock() < end_s:
                await asyncio.wait((ended,), timeout=max(0.01, min(1.0, end_s - clock())))
                now_s = clock()
                per_s = (service.live.engine.ticks - ticks) / (now_s - before_s)
                ticks, before_s = service.live.engine.ticks, now_s
                typer.echo(f"{_time_of_day()}  {per_s:>7,.0f} ticks/s  {_totals(service)}")
            if ended.done():
                await self._until_quiet(service)
        finally:
            ended.cancel()
            await child.stop()
            service.shutdown()

    async def _until_quiet(self, service: EngineService) -> None:
        """The file is published; what has arrived of it is processed before the end."""
        import asyncio

        engine = service.live.engine
        for _ in range(100):
            ticks = engine.ticks
            await asyncio.sleep(0.1)
            if ticks == engine.ticks:
                return


def _totals(service: EngineService) -> str:
    """What has happened so far."""
    from sengine.domain.currencies import totals_by_currency
    from sengine.domain.position import net

    engine, total = service.live.engine, service.live.engine.portfolio.total
    held: dict[str, list[float]] = {}
    for position in engine.portfolio.positions():
        held.setdefault(position.symbol, []).append(position.quantity)
    sums = {symbol: net(quantities) for symbol, quantities in sorted(held.items())}
    holdings = "  ".join(f"{symbol} {quantity:+.6g}" for symbol, quantity in sums.items() if quantity)
    earned = f"{total.realized + total.unrealized:>+10,.2f}"
    if engine.portfolio.currencies.without_sum:
        totals = totals_by_currency(engine.portfolio.positions())
        earned = ", ".join(f"{each.realized_pnl + each.unrealized_pnl:+,.2f} {each.name}" for each in totals)
    return f"signals {engine.signals_generated:>6,}  orders {engine.orders_sent:>5,}  P&L {earned}  {holdings}"


def _time_of_day() -> str:
    from time import strftime

    return strftime("%H:%M:%S")
