"""Orders on their way: what is in flight, who contributed to it, and how a fill is shared out among them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from math import fsum, isfinite
from typing import Final

from sengine.domain.order import Fill, Order, Side
from sengine.domain.position import FLAT_BELOW, net
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.state.saved import SavedOrder, SavedOrders

# A cancellation can overtake the order's last fill, a venue can fill more than it was asked to, and a fill can come
# twice after a reconnect. Ended orders and fill identities are remembered this long so that such fills are still
# attributed, and only once.
CLOSED_ORDERS_KEPT: Final = 1_000
"""Of each kind: ended early, and filled."""
FILL_IDS_KEPT: Final = 100_000


def fill_fault(fill: Fill) -> str | None:
    """Why a fill from outside cannot be booked, as a sentence; ``None`` when it can."""
    if not (isfinite(fill.price) and fill.price > 0.0):
        return f"expected a price above 0, got {fill.price!r}"
    if not (isfinite(fill.quantity) and fill.quantity > 0.0):
        return f"expected a quantity above 0, got {fill.quantity!r}"
    if not isfinite(fill.commission):
        return f"expected a finite commission, got {fill.commission!r}"
    if fill.side not in ("buy", "sell"):
        return f"expected side buy or sell, got {fill.side!r}"
    return None


def identity_of(fill: Fill) -> str:
    """What a fill is known by: its id, or its order, moment, price and quantity where it has none."""
    return fill.fill_id or f"{fill.order_id}/{fill.timestamp_ns}/{_exact(fill.price)}/{_exact(fill.quantity)}"


def _exact(number: float) -> str:
    """All digits of a number, whatever class of its own it has: ``100`` and ``100.0`` are one price."""
    return float.__repr__(float(number))


class WorkingOrder:
    """An order that was sent and may still fill."""

    __slots__ = ("filled", "fills", "is_cancelling", "order", "sent_at_price", "withdrawn_by")

    def __init__(
        self,
        order: Order,
        filled: float = 0.0,
        fills: int = 0,
        is_cancelling: bool = False,
        sent_at_price: float = 0.0,
        withdrawn_by: int = 0,
    ) -> None:
        self.order = order
        self.filled = filled
        self.fills = fills
        self.is_cancelling = is_cancelling
        """Its cancellation was asked for; it may still fill until that is confirmed."""
        self.sent_at_price = sent_at_price
        """The mid when it was sent, 0 where none was known."""
        self.withdrawn_by = withdrawn_by
        """Sequence of the CLOSE that withdrew it while it could still fill; 0 for none."""

    @property
    def remaining(self) -> float:
        return max(0.0, self.order.quantity - self.filled)

    def saved(self) -> SavedOrder:
        return SavedOrder(
            self.order, self.filled, self.fills, self.is_cancelling, self.sent_at_price, self.withdrawn_by
        )

    @property
    def rests(self) -> bool:
        """Whether it waits for its price; what does not waits for a book or an answer only."""
        return self.order.limit_price is not None

    @classmethod
    def of(cls, saved: SavedOrder) -> WorkingOrder:
        return cls(saved.order, saved.filled, saved.fills, saved.is_cancelling, saved.sent_at_price, saved.withdrawn_by)


class OrderTracker:
    """Every order from sending to its end. In flight is what the open ones may still fill, per strategy."""

    def __init__(self) -> None:
        self._open: dict[str, WorkingOrder] = {}
        self._closed: OrderedDict[str, WorkingOrder] = OrderedDict()
        """Rejected or cancelled before they filled whole."""
        self._filled: OrderedDict[str, WorkingOrder] = OrderedDict()
        self._by_owner: dict[tuple[str, str], dict[str, WorkingOrder]] = {}
        self._seen: OrderedDict[str, None] = OrderedDict()

    def sent(self, order: Order, price: float = 0.0) -> None:
        """Count ``order`` as in flight from now on; ``price`` is the mid, 0 where none is known."""
        working = WorkingOrder(order, sent_at_price=price)
        self._open[order.order_id] = working
        for part in order.contributions:
            self._by_owner.setdefault((part.strategy_id, order.symbol), {})[order.order_id] = working

    def state(self) -> SavedOrders:
        """Everything, for a checkpoint; it shares nothing mutable."""
        return SavedOrders(
            [each.saved() for each in self._open.values()],
            [each.saved() for each in self._closed.values()],
            [*self._seen],
            [each.saved() for each in self._filled.values()],
        )

    def restore(self, state: SavedOrders) -> None:
        """Take up a checkpoint's orders; for a tracker that has seen none yet."""
        for working in state.open:
            self.sent(working.order, working.sent_at_price)
            kept = self._open[working.order.order_id]
            kept.filled, kept.fills, kept.is_cancelling = working.filled, working.fills, working.is_cancelling
            kept.withdrawn_by = working.withdrawn_by
        for each in state.closed:
            self._closed[each.order.order_id] = WorkingOrder.of(each)
        for each in state.filled:
            self._filled[each.order.order_id] = WorkingOrder.of(each)
        self._seen.update(dict.fromkeys(state.seen))

    def in_flight(self, strategy_id: str, symbol: str, but: Collection[str] = ()) -> float:
        """Signed quantity that open orders of this strategy on this symbol, ``but`` those of these ids, may still
        fill."""
        owned = self._by_owner.get((strategy_id, symbol))
        if not owned:
            return 0.0
        return fsum(
            part.quantity * (working.remaining / working.order.quantity)
            for order_id, working in owned.items()
            if order_id not in but
            for part in working.order.contributions
            if part.strategy_id == strategy_id
        )

    def heading(self, strategy_id: str, symbol: str) -> float:
        """``in_flight``, or for ``*`` its sum over all symbols."""
        if symbol != ANY_SYMBOL:
            return self.in_flight(strategy_id, symbol)
        return net([self.in_flight(*pair) for pair in self._by_owner if pair[0] == strategy_id])

    def market_in_flight(self, strategy_id: str, symbol: str) -> float:
        """The same of market orders alone."""
        return self.in_flight(strategy_id, symbol, self.resting(strategy_id, symbol))

    def has_seen(self, fill: Fill) -> bool:
        """Whether this fill was booked before."""
        return identity_of(fill) in self._seen

    def remember(self, fill: Fill) -> None:
        """This fill is booked, and counts no second time."""
        self._seen[identity_of(fill)] = None
        if len(self._seen) > FILL_IDS_KEPT:
            self._seen.popitem(last=False)

    def is_known(self, order_id: str) -> bool:
        """Whether fills of this order would be attributed: it is open, or was not long ago."""
        return self.find(order_id) is not None

    def shares(self, fill: Fill) -> list[Fill] | None:
        """Take ``fill`` off its order and split it pro rata among the contributors, the last taking the remainder
        so that nothing is lost to rounding. ``None`` when no such order, on that symbol and side, is known."""
        working = self.find(fill.order_id)
        if working is None or fill.side != working.order.side or fill.symbol != working.order.symbol:
            return None
        working.filled += fill.quantity
        working.fills += 1
        order = working.order
        if order.quantity - working.filled <= FLAT_BELOW * order.quantity:
            ended = self._take_out(fill.order_id)
            if ended is not None:
                _keep(self._filled, ended)
        return split(fill, order, working.fills)

    def close(self, order_id: str) -> WorkingOrder | None:
        """Take a cancelled or rejected order out of flight. ``None`` when it is not open."""
        working = self._take_out(order_id)
        if working is not None:
            _keep(self._closed, working)
        return working

    def _take_out(self, order_id: str) -> WorkingOrder | None:
        working = self._open.pop(order_id, None)
        if working is not None:
            for part in working.order.contributions:
                self._by_owner[part.strategy_id, working.order.symbol].pop(order_id, None)
        return working

    def ask_to_cancel(self, order_id: str) -> bool:
        """Whether the cancellation of this order has to be asked for: it is open, and nobody has asked yet."""
        working = self._open.get(order_id)
        if working is None or working.is_cancelling:
            return False
        working.is_cancelling = True
        return True

    def is_cancelling(self, order_id: str) -> bool:
        """Whether this open order's cancellation was asked for."""
        working = self._open.get(order_id)
        return working is not None and working.is_cancelling

    def find(self, order_id: str) -> WorkingOrder | None:
        """An order that may still fill, or ended not long ago."""
        return self._open.get(order_id) or self._closed.get(order_id) or self._filled.get(order_id)

    @property
    def count(self) -> int:
        """How many are in flight."""
        return len(self._open)

    def open_orders(self) -> Iterable[WorkingOrder]:
        """All orders in flight, oldest first."""
        return self._open.values()

    def is_open(self, order_id: str) -> bool:
        return order_id in self._open

    def ended_early(self, order_id: str) -> bool:
        """Whether it was rejected or cancelled before it filled whole."""
        return order_id in self._closed

    def is_filled(self, order_id: str) -> bool:
        """Whether it was filled whole, not long ago."""
        return order_id in self._filled

    def has_failed(self, sequence: int) -> bool:
        """Whether an order for the signal with that sequence ended before it filled whole, and was not withdrawn."""
        return any(
            part.signal_sequence == sequence and not working.withdrawn_by
            for working in self._closed.values()
            for part in working.order.contributions
        )

    def pairs(self) -> list[tuple[str, str]]:
        """(strategy, symbol) of everything in flight."""
        return [pair for pair, owned in self._by_owner.items() if owned]

    def of(self, strategy_id: str, symbol: str) -> list[WorkingOrder]:
        """A strategy's open orders on a symbol, oldest first."""
        return list(self._by_owner.get((strategy_id, symbol), {}).values())

    def resting(self, strategy_id: str, symbol: str, side: Side | None = None) -> list[str]:
        """Ids of this strategy's open limit orders on a symbol, of one side or of both."""
        owned = self._by_owner.get((strategy_id, symbol))
        if not owned:
            return []
        return [
            order_id
            for order_id, working in owned.items()
            if working.rests and (side is None or working.order.side is side)
        ]

    def withdraw(self, order_id: str, by: int) -> bool:
        """Remember that the CLOSE with the sequence ``by`` withdrew an order; whether it may still fill."""
        working = self._open.get(order_id)
        if working is None:
            return False
        working.withdrawn_by = by
        return True


def _keep(ended: OrderedDict[str, WorkingOrder], working: WorkingOrder) -> None:
    ended[working.order.order_id] = working
    if len(ended) > CLOSED_ORDERS_KEPT:
        ended.popitem(last=False)


def split(fill: Fill, order: Order, number: int = 1) -> list[Fill]:
    """Each contributor's share of a fill, the order's ``number``-th; the last takes what rounding leaves."""
    fill_id = fill.fill_id or f"{fill.order_id}/{number}"
    if len(order.contributions) == 1:
        return [_share(fill, order.contributions[0].strategy_id, fill.quantity, fill.commission, fill_id)]
    left_quantity, left_commission = fill.quantity, fill.commission
    total = fsum([abs(part.quantity) for part in order.contributions])
    shares = []
    last = len(order.contributions) - 1
    for place, part in enumerate(order.contributions):
        if place == last:
            quantity, commission = left_quantity, left_commission
        else:
            weight = abs(part.quantity) / total
            quantity, commission = fill.quantity * weight, fill.commission * weight
            left_quantity -= quantity
            left_commission -= commission
        shares.append(_share(fill, part.strategy_id, quantity, commission, fill_id))
    return shares


def _share(fill: Fill, strategy_id: str, quantity: float, commission: float, fill_id: str) -> Fill:
    return Fill(
        fill.order_id,
        strategy_id,
        fill.symbol,
        fill.side,
        fill.price,
        quantity,
        commission,
        fill.timestamp_ns,
        fill_id,
    )
