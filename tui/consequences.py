"""What will happen when an operator says yes, in words."""

from __future__ import annotations

from sengine.adapters.control_views import SnapshotView
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


def of_stop(snapshot: SnapshotView | None) -> str:
    return _of_cancelling(snapshot, "")


def _of_cancelling(snapshot: SnapshotView | None, and_then: str) -> str:
    if snapshot is None:
        return "The engine has not answered yet: what it has open is not known."
    orders = [f"{each.side} {each.quantity:g} {each.symbol}" for each in snapshot.orders]
    listed = f" ({', '.join(orders[:4])}{', …' if len(orders) > 4 else ''})" if orders else ""
    held: dict[str, float] = {}
    for view in snapshot.positions:
        held[view.symbol] = held.get(view.symbol, 0.0) + view.quantity
    names = [f"{figures.quantity(amount)} {symbol}" for symbol, amount in sorted(held.items()) if amount]
    stays = f"\nPositions stay: {', '.join(names)}." if names else "\nNo positions are open."
    return f"Cancels {counted(len(orders), 'open order')}{listed}.{and_then}{stays}"
