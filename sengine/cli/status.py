"""A snapshot of a running engine as tables for a person at a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import markup
from rich.console import Console
from rich.table import Table

from sengine.adapters.control.views import HeldFillView, SnapshotView
from sengine.clock import format_timestamp
from sengine.printable import printable

_STATE_COLOURS = {"ACTIVE": "green", "PAUSED": "yellow", "RELOAD_PENDING": "cyan"}


def print_status(console: Console, view: SnapshotView) -> None:
    """What trades, what it earns, and whether it is healthy."""
    _print_head(console, view)
    _print_strategies(console, view)
    _print_positions(console, view)
    _print_orders(console, view)
    if view.held_fills:
        console.print()
        print_held_fills(console, view.held_fills)
    _print_health(console, view)


def _print_head(console: Console, view: SnapshotView) -> None:
    service = view.service
    ready = "[green]ready[/green]" if view.is_ready else "[yellow]not ready[/yellow]"
    console.print(
        f"[bold]{escape(service.name)}[/bold] {service.version}, pid {service.pid}, up {_span(service.uptime_s)}, "
        f"{ready}, on {escape(service.address)}",
        soft_wrap=True,
    )
    for reason in view.not_ready_because:
        console.print(f"  [yellow]{escape(reason)}[/yellow]")
    if view.kill_reason:
        console.print(
            f"[bold red]KILL SWITCH PULLED[/bold red]: {escape(view.kill_reason)}; `sengine rearm` lets orders out"
        )
    did = f"{view.ticks} ticks, {view.signals} signals, {view.orders_sent} orders approved"
    if view.pnl is None:
        console.print(f"P&L [bold]n/a[/bold]: {escape(view.not_added_up)}; {did}", soft_wrap=True)
        for total in view.totals:
            console.print(
                f"  {escape(total.name)} [bold]{_money(total.pnl)}[/bold] (realized {_money(total.realized_pnl)}, "
                f"unrealized {_money(total.unrealized_pnl)})"
            )
    else:
        console.print(
            f"P&L [bold]{_money(view.pnl)}[/bold] "
            f"(realized {_money(view.realized_pnl)}, unrealized {_money(view.unrealized_pnl)}); {did}"
        )
    for who, count in view.overruled_closes.items():
        said = "a CLOSE was" if count == 1 else f"{count} CLOSEs were"
        console.print(
            f"[yellow]{said} overruled by a vote[/yellow] while {escape(who)} held something; `route: direct` lets a "
            "strategy out when it says so",
            soft_wrap=True,
        )
    for each in view.loosened_limits:
        console.print(f"[yellow]limit loosened since the start[/yellow]: {escape(each)}")
    refused = {reason: count for reason, count in view.rejected.items() if count}
    if refused:
        reasons = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in refused.items())
        console.print(f"[yellow]{sum(refused.values())} market data events refused[/yellow]: {reasons}")
    if view.now_ns:
        console.print(f"last market data {format_timestamp(view.now_ns)}")


def _print_strategies(console: Console, view: SnapshotView) -> None:
    table = _table("strategy", "state", "version", "ticks", "signals", "errors", "position", "realized", "unrealized")
    for each in view.strategies:
        state, colour = each.state, _STATE_COLOURS.get(each.state, "red")
        if each.stalled_s:
            state, colour = f"STALLED {each.stalled_s:.0f} s", "red"
        table.add_row(
            escape(each.strategy_id),
            f"[{colour}]{state}[/{colour}]",
            escape(each.version),
            str(each.ticks),
            str(each.signals),
            str(each.errors),
            f"{each.position:g}",
            _money(each.realized_pnl),
            _money(each.unrealized_pnl),
        )
    console.print()
    console.print(table)
    for each in view.strategies:
        if each.stalled_s:
            said = f"{escape(each.strategy_id)} is stalled: {escape(each.stalled_reason)} for {each.stalled_s:.0f} s"
            console.print(f"  [red]{said}[/red]")
        if each.pause_reason:
            console.print(f"  {escape(each.strategy_id)} is paused: {escape(each.pause_reason)}")
        if each.last_error:
            where = f" ({each.last_error_where})" if each.last_error_where else ""
            console.print(f"  {escape(each.strategy_id)}: {escape(each.last_error + where)}")
    for failed in view.failed:
        console.print(f"  [red]{escape(failed.strategy_id)} was not loaded[/red]: {escape(failed.reason)}")


def _print_positions(console: Console, view: SnapshotView) -> None:
    held = [each for each in view.positions if each.quantity or each.in_flight]
    if not held:
        console.print("\nno open positions")
        return
    table = _table("position of", "symbol", "quantity", "in flight", "average", "mark", "realized", "unrealized")
    for each in held:
        table.add_row(
            escape(each.strategy_id),
            escape(each.symbol),
            f"{each.quantity:g}",
            f"{each.in_flight:g}",
            f"{each.average_price:g}",
            f"{each.mark_price:g}",
            _money(each.realized_pnl),
            _money(each.unrealized_pnl),
        )
    console.print()
    console.print(table)


def _print_orders(console: Console, view: SnapshotView) -> None:
    if not view.orders:
        return
    table = _table("open order", "symbol", "side", "quantity", "filled", "limit", "of")
    for each in view.orders:
        limit = "market" if each.limit_price is None else f"{each.limit_price:g}"
        owners = ", ".join(each.strategy_ids)
        table.add_row(
            escape(each.order_id),
            escape(each.symbol),
            each.side,
            f"{each.quantity:g}",
            f"{each.filled:g}",
            limit,
            escape(owners),
        )
    console.print()
    console.print(table)


def print_held_fills(console: Console, fills: Sequence[HeldFillView]) -> None:
    """Fills that wait for a person, with why and what to do."""
    table = _table("fill that waits", "order", "symbol", "side", "quantity", "price", "why")
    for each in fills:
        figures = f"{each.quantity:g}", f"{each.price:g}"
        table.add_row(*map(escape, (each.fill_id, each.order_id, each.symbol, each.side, *figures, each.reason)))
    console.print(table)
    console.print("look at the venue, then `sengine fills accept ID` or `sengine fills refuse ID`")


def _print_health(console: Console, view: SnapshotView) -> None:
    feed, gateway = view.feed, view.gateway
    console.print(
        f"\nfeed {feed.state}: {feed.messages} messages, {sum(feed.malformed.values()) + feed.oversized} unreadable, "
        f"{feed.dropped} dropped, {feed.conflated} conflated, {feed.pending} waiting, {feed.reconnects} reconnects"
    )
    console.print(
        f"execution {gateway.state}: {gateway.sent} sent, {gateway.accepted} accepted, {gateway.rejected} rejected, "
        f"{gateway.unknown} unknown since this start, {gateway.queue_depth} waiting"
    )
    if view.tick.count:
        console.print(
            f"tick p50 {view.tick.p50_us:.1f} us, p99 {view.tick.p99_us:.1f} us, max {view.tick.max_us:.0f} us"
        )
    anomalies = ", ".join(f"{kind} {count}" for kind, count in view.anomalies.items() if count)
    if anomalies:
        console.print(f"anomalies: [yellow]{escape(anomalies)}[/yellow]")
    for check in view.risk:
        said = [f"{check.limit_name} {check.limit:g}"] if check.limit is not None else []
        by = f" by {check.used_by}" if check.used_by else ""
        said += [escape(f"used {check.used:g}{by}")] if check.used else []
        is_beyond = check.limit is not None and (check.used or 0.0) > check.limit
        said += ["[red]BEYOND ITS LIMIT[/red]"] if is_beyond else []
        said += ["[red]BYPASSED[/red]"] if check.bypassed else []
        console.print(f"risk {escape(check.name)}: {', '.join([*said, f'{check.refusals} refused'])}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        is_text = place == 0 or column in ("state", "version", "symbol", "side", "of")
        table.add_column(column, justify="left" if is_text else "right")
    return table


def _money(amount: float | None) -> str:
    if amount is None:
        return "n/a"
    return f"{amount:+,.2f}" if round(amount, 2) else "0.00"


def _span(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def escape(text: str) -> str:
    """Foreign text, on one line and without markup."""
    return markup.escape(printable(text))
