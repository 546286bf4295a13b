"""What the execution tests share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.order import Contribution, Fill, Order, OrderUpdate, ProposedOrder, Side
from tests.patience import PATIENCE_S

T0 = 1_700_000_000_000_000_000
MS = 1_000_000


class RecordingHub:
    """Stands where ``LiveEngine`` is: keeps what the gateway and a test's fill subscription bring."""

    def __init__(self) -> None:
        self.engine = SimpleNamespace(now_ns=T0, markets={})
        self.updates: list[OrderUpdate] = []
        self.fills: list[Fill] = []
        self.lines: list[tuple[str, str, dict[str, Any]]] = []
        self._changed = asyncio.Event()

    def process(self, event: object) -> None:
        if isinstance(event, OrderUpdate):
            self.updates.append(event)
        elif isinstance(event, Fill):
            self.fills.append(event)
        self._changed.set()

    def say(self, level: str, event: str, **fields: Any) -> None:
        self.lines.append((level, event, fields))
        self._changed.set()

    def statuses(self, order_id: str) -> list[str]:
        return [str(update.status) for update in self.updates if update.order_id == order_id]

    async def until(self, condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait until ``condition`` holds; it is looked at whenever something arrives, and every 20 ms."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.02)
                except TimeoutError:
                    continue


def make_order(
    order_id: str = "o-1",
    *,
    symbol: str = "BTCUSDT",
    side: Side = Side.BUY,
    quantity: float = 1.0,
    at_ns: int = T0,
    limit: float | None = None,
) -> Order:
    signed = quantity if side is Side.BUY else -quantity
    proposal = ProposedOrder(symbol, side, quantity, at_ns, (Contribution("s", signed, 1),), limit)
    return Order.approved(proposal, order_id)


def make_book(at_ns: int = T0, bid: float = 100.0, ask: float = 101.0, symbol: str = "BTCUSDT") -> BookEvent:
    return BookEvent(symbol, at_ns, OrderBook((PriceLevel(bid, 5.0),), (PriceLevel(ask, 5.0),)))
