"""What will happen when an operator says yes, in words."""

from __future__ import annotations

from sengine.adapters.control.views import FlattenView, OpenOrderView, SnapshotView
from sengine.domain.position import net
from sengine.printable import a_few
from tui import figures


def counted(count: int, one: str, many: str = "") -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def of_unload(snapshot: SnapshotView | None, strategy_id: str) -> str:
    text = f"{strategy_id} is unloaded and no longer called."
    if snapshot is None:
        return text
    orders = sum(strategy_id in order.strategy_ids for order in snapshot.orders)
    if orders:
        text += f"\nIt has {counted(orders, 'open order')}."
    held = [view for view in snapshot.positions if view.strategy_id == strategy_id and view.quantity]
    if held:
        names = ", ".join(f"{figures.quantity(view.quantity)} {view.symbol}" for view in held)
        text += f"\nIts positions stay as they are: {names}."
    return text


def of_pause_all(active: list[str]) -> str:
    text = f"Pauses {counted(len(active), 'strategy', 'strategies')}: {', '.join(active)}.\n"
    return text + "Positions stay; r resumes them one by one."


def of_rearm(snapshot: SnapshotView) -> str:
    active = sum(view.is_active for view in snapshot.strategies)
    text = f"Orders go out again at once: {counted(active, 'active strategy', 'active strategies')}."
    return text + f"\nThe switch was pulled {snapshot.kill_reason}."


def of_kill(snapshot: SnapshotView | None) -> str:
    return _of_cancelling(snapshot, "\nStops new orders of every strategy, until A re-arms.")


def of_flatten(plan: FlattenView, snapshot: SnapshotView | None) -> str:
    """The engine's own words first."""
    text = f"This {plan.message}{', at market' if plan.trades else ''}."
    for each in plan.crosses[:8]:
        text += f"\n  {each.seller} hands {each.quantity:.10g} {each.symbol} to {each.buyer}"
    text += f"\n  and {len(plan.crosses) - 8} more" if len(plan.crosses) > 8 else ""
    if len(plan.trades) > 1:
        text += "".join(
            f"\n  {each.side}s {each.quantity:.10g} {each.symbol} of {', '.join(each.strategy_ids)}"
            for each in plan.trades[:8]
        )
        text += f"\n  and {len(plan.trades) - 8} more" if len(plan.trades) > 8 else ""
    named = {name for each in plan.trades for name in each.strategy_ids}
    named |= {name for each in plan.crosses for name in (each.seller, each.buyer)}
    if snapshot is None:
        return text
    if snapshot.kill_reason:
        return text + "\nThe kill switch stays on, and lets this through."
    active = [view.strategy_id for view in snapshot.strategies if view.is_active and view.strategy_id in named]
    if active:
        text += f"\nStill active, and may trade again once flat: {a_few(active, 6)}"
        text += ".\nPause them or pull the kill switch first to keep them out."
    return text


def of_cancel(order: OpenOrderView) -> str:
    price = "at market" if order.limit_price is None else f"at {figures.price(order.limit_price)}"
    text = f"Cancels order {order.order_id}: {order.side} {order.quantity:g} {order.symbol} {price}"
    text += f", {order.filled:g} of it filled" if order.filled else ""
    return text + f", of {', '.join(order.strategy_ids)}.\nIt may still fill until the venue confirms."


def of_stop(snapshot: SnapshotView | None) -> str:
    return _of_cancelling(snapshot, "")


def _of_cancelling(snapshot: SnapshotView | None, and_then: str) -> str:
    if snapshot is None:
        return "The engine has not answered yet: what it has open is not known."
    orders = [f"{each.side} {each.quantity:g} {each.symbol}" for each in snapshot.orders]
    listed = f" ({', '.join(orders[:4])}{', …' if len(orders) > 4 else ''})" if orders else ""
    held: dict[str, list[float]] = {}
    for view in snapshot.positions:
        held.setdefault(view.symbol, []).append(view.quantity)
    sums = {symbol: net(quantities) for symbol, quantities in sorted(held.items())}
    names = [f"{figures.quantity(amount)} {symbol}" for symbol, amount in sums.items() if amount]
    stays = f"\nPositions stay: {', '.join(names)}." if names else "\nNo positions are open."
    return f"Cancels {counted(len(orders), 'open order')}{listed}.{and_then}{stays}"
