"""Fills that wait for a person, and those that a person refused."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

from sengine.domain.events import HoldFill
from sengine.domain.order import Fill
from sengine.engine.state.orders import identity_of

HELD_KEPT: Final = 1_000
"""Fills that may wait; with more, the newest are not kept."""
REFUSED_KEPT: Final = 1_000


class HeldFills:
    """By what each fill is known by, oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[str, HoldFill] = {}
        self._refused: OrderedDict[Fill, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting(self) -> Sequence[HoldFill]:
        return list(self._waiting.values())

    @property
    def refused(self) -> Sequence[Fill]:
        return list(self._refused)

    @property
    def is_full(self) -> bool:
        return len(self._waiting) >= HELD_KEPT

    def find(self, fill_id: str) -> HoldFill | None:
        return self._waiting.get(fill_id)

    def waits(self, fill: Fill) -> bool:
        """Whether one that is known by the same waits."""
        return identity_of(fill) in self._waiting

    def was_refused(self, fill: Fill) -> bool:
        """Whether a person refused the very same, to the last figure."""
        return fill in self._refused

    def quantity_of(self, order_id: str) -> float:
        """What of an order waits."""
        return sum(each.fill.quantity for each in self._waiting.values() if each.fill.order_id == order_id)

    def add(self, held: HoldFill) -> None:
        self._waiting[identity_of(held.fill)] = held

    def drop(self, fill: Fill) -> HoldFill | None:
        """It waits no longer; the one that did."""
        return self._waiting.pop(identity_of(fill), None)

    def refuse(self, fill: Fill) -> None:
        """It waits no longer, and is not to come again."""
        self.drop(fill)
        self._refused[fill] = None
        if len(self._refused) > REFUSED_KEPT:
            self._refused.popitem(last=False)

    def restore(self, waiting: Iterable[HoldFill], refused: Iterable[Fill]) -> None:
        """Take up a checkpoint's; for one that is empty."""
        for each in waiting:
            self.add(each)
        self._refused.update(dict.fromkeys(refused))
