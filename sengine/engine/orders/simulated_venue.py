"""The simulated venue: how orders fill in replay and in paper trading. One implementation for both.

Rules (semantics, section 5): a market order with no latency fills at once, in full, at the touch; with latency, at
the touch of the first book that is at least that much later. A limit order rests until the opposite touch reaches
its price and then fills at its limit; one that crosses on arrival fills at the touch. A level with quantity 0 is no
touch: the next one is, and where there is none the order waits. With ``depth="walk"`` an order takes the levels it is
given, each at its price, and what is left over waits for the next book. The venue's own orders do not use up the
liquidity that they take: each order sees the whole book.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from sengine.domain.market import OrderBook
from sengine.domain.order import Fill, Order, OrderStatus, OrderUpdate, Side
from sengine.domain.position import FLAT_BELOW
from sengine.engine.state.saved import SavedResting

VenueReport: TypeAlias = Fill | OrderUpdate
_BPS = 10_000.0
_BUY = Side.BUY


class Resting:
    """An order at the venue. ``due_ns`` is when it arrives, ``cancel_ns`` when its cancellation does."""

    __slots__ = ("arrived", "cancel_ns", "due_ns", "fills", "order", "remaining")

    def __init__(
        self,
        order: Order,
        due_ns: int,
        remaining: float,
        arrived: bool = False,
        cancel_ns: int | None = None,
        fills: int = 0,
    ) -> None:
        self.order = order
        self.due_ns = due_ns
        self.remaining = remaining
        self.arrived = arrived
        self.cancel_ns = cancel_ns
        self.fills = fills

    def saved(self) -> SavedResting:
        return SavedResting(self.order, self.due_ns, self.remaining, self.arrived, self.cancel_ns, self.fills)


class SimulatedVenue:
    """Fills orders against books. Deterministic: it keeps no clock and no randomness."""

    def __init__(
        self,
        latency_ns: int = 0,
        commission_bps: float = 0.0,
        slippage_bps: float = 0.0,
        depth: Literal["touch", "walk"] = "touch",
    ) -> None:
        self._latency_ns = latency_ns
        self._commission_rate = commission_bps / _BPS
        self._buy_factor = 1 + slippage_bps / _BPS
        self._sell_factor = 1 - slippage_bps / _BPS
        self._walks = depth == "walk"
        self.waiting: dict[str, list[Resting]] = {}
        """Orders at the venue by symbol; a symbol without any is not in it."""
        self._by_id: dict[str, Resting] = {}

    def submit(self, order: Order, book: OrderBook | None, now_ns: int, *, has_rested: bool = False) -> Sequence[Fill]:
        """Take an order. Without latency it meets ``book``, the symbol's current one, at once. One that ``has_rested``
        before, at a venue that was restarted, does not arrive anew: it fills at its limit."""
        resting = Resting(order, order.timestamp_ns + self._latency_ns, order.quantity, has_rested)
        fills: Sequence[Fill] = ()
        if book is not None and resting.due_ns <= now_ns:
            fills = self._match(resting, book, now_ns)
            if not resting.remaining:
                return fills
        self.waiting.setdefault(order.symbol, []).append(resting)
        self._by_id[order.order_id] = resting
        return fills

    def cancel(self, order_id: str, now_ns: int) -> Sequence[VenueReport]:
        """Ask for an order's cancellation. It takes as long to arrive as an order does; unknown ids are ignored,
        because a fill may have been quicker."""
        resting = self._by_id.get(order_id)
        if resting is None:
            return ()
        if self._latency_ns:
            if resting.cancel_ns is None:
                resting.cancel_ns = now_ns + self._latency_ns
            return ()
        return (self._cancelled(resting, now_ns),)

    def on_book(self, symbol: str, book: OrderBook, now_ns: int) -> Sequence[VenueReport]:
        """Match what rests on ``symbol`` against its new book, oldest order first."""
        reports: list[VenueReport] = []
        for resting in tuple(self.waiting.get(symbol, ())):
            if resting.cancel_ns is not None and resting.cancel_ns <= now_ns:
                reports.append(self._cancelled(resting, now_ns))
            elif resting.due_ns <= now_ns:
                reports.extend(self._match(resting, book, now_ns))
                if not resting.remaining:
                    self._remove(resting)
        return reports

    def state(self) -> list[SavedResting]:
        """What rests or is on its way, for a checkpoint; it shares nothing mutable."""
        return [resting.saved() for resting in self._by_id.values()]

    def restore(self, state: Iterable[SavedResting]) -> None:
        """Take up a checkpoint's orders; for a venue that has none yet."""
        for each in state:
            resting = Resting(each.order, each.due_ns, each.remaining, each.arrived, each.cancel_ns, each.fills)
            self.waiting.setdefault(resting.order.symbol, []).append(resting)
            self._by_id[resting.order.order_id] = resting

    def open_orders(self) -> Iterable[Order]:
        """What rests or is still on its way, oldest first."""
        return (resting.order for resting in self._by_id.values())

    def _match(self, resting: Resting, book: OrderBook, now_ns: int) -> list[Fill]:
        """What an order that has arrived, or arrives now, takes from ``book``."""
        order = resting.order
        arriving = not resting.arrived
        resting.arrived = True
        buying = order.side is _BUY
        levels = book.asks if buying else book.bids
        limit = order.limit_price
        fills: list[Fill] = []
        for level in levels:
            offered = level.quantity
            if not offered > 0.0:
                # Nothing waits there: the next level is the touch, and without one the order waits.
                continue
            price = level.price
            if limit is None:
                price *= self._buy_factor if buying else self._sell_factor
            elif price > limit if buying else price < limit:
                break
            elif not arriving:
                price = limit
            wanted = resting.remaining
            quantity = min(offered, wanted) if self._walks else wanted
            left = wanted - quantity
            # Exactly nothing, once what is left is rounding.
            resting.remaining = left = left if left > FLAT_BELOW * order.quantity else 0.0
            resting.fills += 1
            commission = price * quantity * self._commission_rate
            fill_id = f"{order.order_id}-{resting.fills}"
            fills.append(
                Fill(order.order_id, "", order.symbol, order.side, price, quantity, commission, now_ns, fill_id)
            )
            if not left:
                break
        return fills

    def _cancelled(self, resting: Resting, now_ns: int) -> OrderUpdate:
        self._remove(resting)
        return OrderUpdate(resting.order.order_id, OrderStatus.CANCELLED, now_ns, "cancelled on request")

    def _remove(self, resting: Resting) -> None:
        symbol = resting.order.symbol
        del self._by_id[resting.order.order_id]
        self.waiting[symbol].remove(resting)
        if not self.waiting[symbol]:
            del self.waiting[symbol]
