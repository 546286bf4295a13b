"""Cancellations on their way: each is sent until it is answered, on the next connection too; it does no harm twice."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Final

OPEN_KEPT: Final = 10_000
"""The most cancellations that may be open, and as many that the service has taken on."""


class Cancellations:
    """What was asked for and how far it got."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, int] = OrderedDict()
        """Without an answer: order id to the event time of the wish."""
        self._taken_on: OrderedDict[str, int] = OrderedDict()
        """Those that the service has taken on but not finished."""
        self._due: deque[str] = deque()

    def __bool__(self) -> bool:
        """Whether any waits for an answer."""
        return bool(self._open)

    @property
    def is_full(self) -> bool:
        return len(self._open) >= OPEN_KEPT

    def knows(self, order_id: str) -> bool:
        return order_id in self._open or order_id in self._taken_on

    def waits(self, order_id: str) -> bool:
        """Whether the cancellation of this order is without an answer."""
        return order_id in self._open

    def ask(self, order_id: str, now_ns: int) -> None:
        self._open[order_id] = now_ns
        self._due.append(order_id)

    @property
    def is_due(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._due)

    def next(self) -> tuple[str, int] | None:
        """The next one to write, with the event time of the wish; ``None`` where it was answered meanwhile."""
        order_id = self._due.popleft()
        asked_ns = self._open.get(order_id)
        return None if asked_ns is None else (order_id, asked_ns)

    def answered(self, order_id: str) -> int | None:
        """Take the answer to the wish; the event time of the wish, ``None`` where nobody waits for it."""
        return self._open.pop(order_id, None)

    def adopt(self, order_id: str, asked_ns: int) -> None:
        """The service will see to it."""
        self._taken_on[order_id] = asked_ns
        if len(self._taken_on) > OPEN_KEPT:
            self._taken_on.popitem(last=False)

    def ended(self, order_id: str) -> None:
        """The order will not fill any more."""
        self._open.pop(order_id, None)
        self._taken_on.pop(order_id, None)

    def begin_again(self) -> None:
        """On a new connection. How an unfinished one ended may have been said to nobody, so it is asked again."""
        self._open.update(self._taken_on)
        self._taken_on.clear()
        self._due = deque(self._open)
