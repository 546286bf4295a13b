"""``sengine status|pause|resume|reload|kill|rearm|flatten|cancel|stop``: the control API from the command line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sengine.cli.connection import EngineAt, JsonOption, for_engine, print_json, report
from sengine.errors import ConfigError, SengineError

if TYPE_CHECKING:
    from sengine.adapters.control.client import ControlClient
    from sengine.adapters.control.views import ReplyView

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="Id of the strategy.")]


@for_engine
def status(
    engine: EngineAt,
    as_json: JsonOption = False,
) -> None:
    """Show a running engine: strategies, positions, orders, P&L, risk and health.

    Example: `sengine status`, or `sengine status --json | jq .realized_pnl`
    """

    async def ask(client: ControlClient) -> Any:
        return await client.snapshot()

    view = engine.ask(ask)
    if as_json:
        print_json(view)
        return
    from sengine.cli.console import open_console
    from sengine.cli.status import print_status

    print_status(open_console(wide_in_pipe=True), view)


@for_engine
def pause(
    engine: EngineAt,
    strategy_id: IdArgument,
    reason: Annotated[str, typer.Option(help="Why; shown wherever the strategy is.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Pause a strategy: it is no longer called for ticks, and keeps its positions.

    Example: `sengine pause momentum_btc --reason "news at 14:30"`
    """

    async def ask(client: ControlClient) -> Any:
        return await client.pause(strategy_id, reason)

    report(engine.ask(ask), as_json)


@for_engine
def resume(
    engine: EngineAt,
    strategy_id: IdArgument,
    as_json: JsonOption = False,
) -> None:
    """Let a paused strategy trade again.

    Example: `sengine resume momentum_btc`
    """

    async def ask(client: ControlClient) -> Any:
        return await client.resume(strategy_id)

    report(engine.ask(ask), as_json)


@for_engine
def reload(
    engine: EngineAt,
    strategy_id: Annotated[str, typer.Argument(metavar="[ID]", help="Id of the strategy.")] = "",
    risk: Annotated[bool, typer.Option("--risk", help="The limits of risk.filters, not a strategy.")] = False,
    allow_loosening: Annotated[
        bool, typer.Option("--allow-loosening", help="With --risk: also where a limit becomes looser.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read a strategy's file and parameters, or the limits, again. A failure leaves the old in force.

    New code is proved in a process of its own first; `--json` prints the report of all steps, also of a failure.

    Example: `sengine reload momentum_btc`, or `sengine reload --risk`
    """
    if bool(strategy_id) == risk:
        raise typer.BadParameter("expected the id of a strategy, or --risk for the limits")

    async def ask(client: ControlClient) -> Any:
        if risk:
            return await client.reload_risk(allow_loosening=allow_loosening)
        return await _reload(client, strategy_id, as_json)

    report(engine.ask(ask), as_json)


@for_engine
def kill(
    engine: EngineAt,
    reason: Annotated[str, typer.Option(help="Why; shown until the engine is re-armed.")] = "",
    flatten: Annotated[bool, typer.Option("--flatten", help="Also bring all positions to zero.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Pull the kill switch: no orders go out and open ones are cancelled, until `sengine rearm`. Positions stay.

    Example: `sengine kill --reason "bad prices"`, or `sengine kill --flatten`
    """

    async def ask(client: ControlClient) -> Any:
        return await client.kill(reason, flatten=flatten)

    report(engine.ask(ask), as_json)


@for_engine
def rearm(
    engine: EngineAt,
    as_json: JsonOption = False,
) -> None:
    """Let orders out again after `sengine kill`.

    Example: `sengine rearm`
    """

    async def ask(client: ControlClient) -> Any:
        return await client.rearm()

    report(engine.ask(ask), as_json)


@for_engine
def flatten(
    engine: EngineAt,
    strategy_id: Annotated[str, typer.Option("--strategy", metavar="ID", help="Only this strategy's positions.")] = "",
    symbol: Annotated[str, typer.Option(help="Only positions in this symbol.")] = "",
    reason: Annotated[str, typer.Option(help="Why; goes into the log.")] = "",
    is_sure: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Cancel what rests and bring positions to zero with market orders, also after `sengine kill`.

    Says what it will do and asks first. Strategies stay active and may trade again once they are flat; pause them or
    pull the kill switch to keep them out.

    Example: `sengine flatten --strategy rsi_all --symbol BTCUSDT`
    """

    async def ask(client: ControlClient) -> Any:
        if not is_sure:
            plan = await client.check_flatten(strategy_id, symbol)
            if plan.is_empty:
                return plan
            typer.echo(f"This {plan.message}.", err=True)
            if not sys.stdin.isatty():
                raise ConfigError(["nothing was done: without a terminal to ask on, give --yes"])
            typer.confirm("Flatten now?", abort=True, err=True)
        return await client.flatten(strategy_id, symbol, reason)

    report(engine.ask(ask), as_json)


@for_engine
def cancel(
    engine: EngineAt,
    order_id: Annotated[str, typer.Argument(metavar="ORDER", help="Id of the open order.")],
    as_json: JsonOption = False,
) -> None:
    """Ask for the cancellation of one open order.

    Example: `sengine cancel lx3k9a-17`; `sengine status --json` has the ids.
    """

    async def ask(client: ControlClient) -> Any:
        return await client.cancel_order(order_id)

    report(engine.ask(ask), as_json)


@for_engine
def stop(
    engine: EngineAt,
    wait_s: Annotated[float, typer.Option("--wait", metavar="SECONDS", help="How long to wait for its end.")] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Stop a running engine as SIGTERM does, and wait until it no longer answers.

    Example: `sengine stop --wait 30`
    """

    async def ask(client: ControlClient) -> Any:
        return await _stop(client, wait_s)

    report(engine.ask(ask), as_json)


def register(app: typer.Typer) -> None:
    """Add these commands to the program."""
    for command in (status, pause, resume, reload, kill, rearm, flatten, cancel, stop):
        app.command()(command)


async def _reload(client: ControlClient, strategy_id: str, as_json: bool) -> Any:
    """With ``as_json`` a reload that failed is printed with its report before it is an error."""
    from time import time_ns

    from sengine.errors import SengineError

    began_ns = time_ns()
    try:
        return await client.reload(strategy_id)
    except SengineError:
        if as_json:
            import contextlib

            with contextlib.suppress(SengineError):
                reports = (await client.strategy(strategy_id)).reloads
                if reports and reports[-1].time_ns >= began_ns and not reports[-1].is_done:
                    print_json({"message": reports[-1].message, "report": reports[-1]})
        raise


async def _stop(client: ControlClient, wait_s: float) -> ReplyView:
    """An open stream ends when the engine does; that is how its end is seen."""
    import asyncio
    from contextlib import aclosing

    import msgspec

    async with aclosing(client.snapshots(1000)) as stream:
        await anext(stream)
        reply = await client.shutdown()
        try:
            async with asyncio.timeout(wait_s):
                async for _ in stream:
                    pass
        except TimeoutError:
            raise SengineError(
                f"the engine on {client.address} was told to stop and still answers after {wait_s:g} s"
            ) from None
        except SengineError:
            pass
    return msgspec.structs.replace(reply, message="the engine has stopped")
