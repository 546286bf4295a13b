"""Fills that the execution service speaks of and that have not come over the broker.

A fill and the news that an order is filled come on different ways, so either may be first. What has not come after a
grace is asked for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Final

import msgspec

from sengine.domain.position import FLAT_BELOW
from sengine.engine.core import Engine
from sengine.engine.state.orders import WorkingOrder

ORDERS_KEPT: Final = 10_000
"""Orders whose fills may be waited for; of more, the oldest are no longer."""
_TOLD: Final = 3
_MS_PER_S: Final = 1000


class _Owed(msgspec.Struct):
    """An order of which ``filled`` is said to be filled; its fills are late from ``due_s`` on (the loop's clock)."""

    filled: float
    due_s: float
    is_asked: bool = False
    has_ended: bool = False
    """Whether the order will not fill any more, the service says."""


class MissingFills:
    """Waits for fills that were announced. ``ask`` is called when some are late, ``say`` logs a line."""

    def __init__(self, engine: Engine, grace_ms: float, ask: Callable[[], None], say: Callable[..., None]) -> None:
        self._orders = engine.orders
        self._held = engine.held_fills
        self._grace_ms = grace_ms
        self._ask = ask
        self._say = say
        self._owed: dict[str, _Owed] = {}
        self._timer: asyncio.TimerHandle | None = None

    def announced(self, order_id: str, filled: float) -> None:
        """So much of an order is filled, the service says; infinity is all of it."""
        working = self._orders.find(order_id)
        if working is None or not isfinite(working.order.quantity):
            return
        owed = self._owe(working, min(filled, working.order.quantity))
        if owed is None:
            return
        owed.has_ended = owed.has_ended or owed.filled >= working.order.quantity
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(owed.due_s, self._look)

    def not_there(self, order_id: str, filled: float, has_ended: bool) -> None:
        """The service was asked: so much is filled, and its fills make less."""
        working = self._orders.find(order_id)
        owed = self._owe(working, filled) if working is not None else None
        if owed is not None:
            owed.is_asked, owed.has_ended = True, has_ended

    def give_up(self) -> Sequence[str]:
        """Wait no longer for fills that are late; the ids of their orders that will not fill any more."""
        late = self.late()
        return [order_id for order_id in late if self._owed.pop(order_id).has_ended]

    def late(self) -> Sequence[str]:
        """Ids of the orders whose fills are late."""
        return [order_id for order_id, owed in self._still_owed() if owed.is_asked]

    def sentences(self) -> Sequence[str]:
        """A sentence for each of them, at most a few."""
        late = self.late()
        said = [f"fills are missing: {self._in_words(order_id)}" for order_id in late[:_TOLD]]
        return [*said, f"fills of {len(late) - _TOLD} more orders are missing"] if len(late) > _TOLD else said

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = None
        loop = asyncio.get_running_loop()
        waiting = [(order_id, owed) for order_id, owed in self._still_owed() if not owed.is_asked]
        late = [order_id for order_id, owed in waiting if owed.due_s <= loop.time()]
        for order_id in late:
            self._owed[order_id].is_asked = True
        for order_id in late[:_TOLD]:
            self._say("warning", f"{self._in_words(order_id)} after {self._grace_ms:g} ms; asking for them")
        if len(late) > _TOLD:
            self._say("warning", f"the same of {len(late) - _TOLD} more orders")
        if late:
            self._ask()
        if len(late) < len(waiting):
            self._timer = loop.call_at(min(owed.due_s for _, owed in waiting if not owed.is_asked), self._look)

    def _owe(self, working: WorkingOrder, filled: float) -> _Owed | None:
        """Wait for fills of an order, unless they are there."""
        order_id = working.order.order_id
        if not self._is_missing(working, filled):
            self._owed.pop(order_id, None)
            return None
        if order_id not in self._owed and len(self._owed) >= ORDERS_KEPT:
            del self._owed[next(iter(self._owed))]
        due_s = asyncio.get_running_loop().time() + self._grace_ms / _MS_PER_S
        owed = self._owed.setdefault(order_id, _Owed(filled, due_s))
        owed.filled = max(owed.filled, filled)
        return owed

    def _is_missing(self, working: WorkingOrder, filled: float) -> bool:
        """Whether fewer are booked, or wait for a person, than are filled."""
        there = working.filled + self._held.quantity_of(working.order.order_id)
        return filled - there > FLAT_BELOW * working.order.quantity

    def _still_owed(self) -> list[tuple[str, _Owed]]:
        """Those of which fills are still missing; the others are forgotten."""
        for order_id, owed in list(self._owed.items()):
            working = self._orders.find(order_id)
            if working is None or not self._is_missing(working, owed.filled):
                del self._owed[order_id]
        return list(self._owed.items())

    def _in_words(self, order_id: str) -> str:
        working = self._orders.find(order_id)
        assert working is not None
        return (
            f"order {order_id}: the execution service says that {self._owed[order_id].filled:g} of "
            f"{working.order.quantity:g} are filled, and its fills make {working.filled:g}"
        )
