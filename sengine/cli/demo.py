"""``sengine demo``: the whole closed loop on one machine, with nothing to set up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sengine.service import EngineService


def demo(
    no_tui: Annotated[bool, typer.Option("--no-tui", help="Summary lines instead of screens.")] = False,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="Stop after this long; without it, Ctrl-C.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="Generated ticks per second.")] = 200.0,
    data: Annotated[Path | None, typer.Option(help="Publish this file instead of a generated market.")] = None,
    speed: Annotated[str, typer.Option(help="Pace of --data: 1x is its own, max is at once.")] = "1x",
    overrides: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override one key; may be repeated.")
    ] = None,
) -> None:
    """Trade a generated market on paper: embedded broker, strategies, orders over gRPC, fills, P&L.

    Examples:

        sengine demo
        sengine demo --seconds 30 --rate 1000
        sengine demo --data quotes.csv.gz --speed 10x
    """
    import tempfile

    import uvloop

    from sengine.config import load_config
    from sengine.logs import configure_logging
    from sengine.resources import resource_path
    from sengine.service import EngineService, config_reader

    file = resource_path("configs", "demo.yaml")
    if data is not None and not data.is_file():
        raise typer.BadParameter(f"{data} is not a file", param_hint="--data")
    with tempfile.TemporaryDirectory(prefix="sengine-demo-") as directory:
        settings_overrides = [f"service.data_directory={directory}", *(overrides or ())]
        if data is not None:
            # Whatever symbols the file has, one strategy trades them.
            settings_overrides = [*settings_overrides]
        settings = load_config(file, overrides=settings_overrides)
        configure_logging(settings.logging.level, settings.logging.format)

        async def trade() -> None:
            reader = config_reader(file, settings_overrides)
            demo_market = _Market(rate, data, speed, seconds)
            service = EngineService(
                settings, reader, config_file=file, overrides=settings_overrides, on_started=demo_market.begin
            )
            try:
                await service.run()
            finally:
                await demo_market.end()

        uvloop.run(trade())


class _Market:
    """Publishes the demo's market in a child process and prints how it goes, once a second."""

    def __init__(self, rate: float, data: Path | None, speed: str, seconds: float | None) -> None:
        self._arguments = (
            ["simulate", "--rate", str(rate), "--symbols", "BTCUSDT,ETHUSDT,SOLUSDT"]
            if data is None
            else ["publish", str(data), "--speed", speed]
        )
        self._seconds = seconds
        self._task: object = None

    def begin(self, service: EngineService) -> None:
        import asyncio

        self._task = asyncio.create_task(self._run(service), name="demo-market")

    async def end(self) -> None:
        import asyncio
        import contextlib

        if isinstance(self._task, asyncio.Task):
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self, service: EngineService) -> None:
        import asyncio

        from sengine.adapters.children import spawn

        typer.echo("sengine demo: paper trading on a generated market; Ctrl-C stops it")
        for name, address in service.facts.listeners.items():
            typer.echo(f"  {name:<12} {address}")
        child = await spawn(*self._arguments, "--url", service.broker_url, stdout=asyncio.subprocess.DEVNULL)
        try:
            began_s = asyncio.get_running_loop().time()
            ticks = 0
            while self._seconds is None or asyncio.get_running_loop().time() - began_s < self._seconds:
                await asyncio.sleep(min(1.0, self._seconds or 1.0))
                typer.echo(_summary_line(service, ticks))
                ticks = service.live.engine.ticks
        finally:
            await child.stop()
            service.shutdown()


def _summary_line(service: EngineService, ticks_before: int) -> str:
    """One line of what has happened so far."""
    from time import strftime

    engine, total = service.live.engine, service.live.engine.positions.total
    pnl = total.realized + total.unrealized
    held = "  ".join(
        f"{position.symbol} {position.quantity:+g}" for position in engine.positions.positions() if position.quantity
    )
    return (
        f"{strftime('%H:%M:%S')}  {engine.ticks - ticks_before:>6,} ticks/s  signals {engine.signals_generated:>6,}  "
        f"orders {engine.orders_sent:>5,}  P&L {pnl:>+10,.2f}  {held}"
    )
