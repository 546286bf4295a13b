"""Average-cost position arithmetic. Pure values; every ledger in the engine is built on it.

Source of the rules: average cost accounting. A fill that adds moves the average; one that reduces realizes
``(price - average) * closed quantity * sign(position)``; one that crosses zero closes and opens the rest at its price.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum
from typing import Final

# Quantities are decimal in the market and binary here: 26 sold in 260 parts of 0.1 leaves 1e-13. What is left over and
# is this much smaller than the largest quantity since it was last flat is that rounding, not a position.
FLAT_BELOW: Final = 1e-9


def held_after(held: float, change: float, largest: float) -> tuple[float, float]:
    """What is held after ``change``, and the largest quantity, unsigned, since it was last flat; both were ``held`` and
    ``largest`` before."""
    after = held + change
    size = abs(after)
    if held == 0.0:
        return after, size
    if (held > 0.0) == (change > 0.0):
        return after, size if size > largest else largest
    before = abs(held)
    if before > largest:
        largest = before
    if size <= FLAT_BELOW * largest:
        return 0.0, 0.0
    return after, largest if (after > 0.0) == (held > 0.0) else size


def net(quantities: Iterable[float]) -> float:
    """The sum of signed quantities; exactly 0.0 where it is rounding beside the largest of them."""
    quantities = list(quantities)
    total = fsum(quantities)
    return 0.0 if abs(total) <= FLAT_BELOW * max(map(abs, quantities), default=0.0) else total


class Position:
    """One strategy's holding of one symbol. ``realized_pnl`` is net of ``commission``; ``largest`` is the largest
    |quantity| since it was last flat."""

    __slots__ = (
        "average_price",
        "commission",
        "largest",
        "mark_price",
        "quantity",
        "realized_pnl",
        "strategy_id",
        "symbol",
    )

    def __init__(
        self,
        strategy_id: str,
        symbol: str,
        quantity: float = 0.0,
        average_price: float = 0.0,
        realized_pnl: float = 0.0,
        commission: float = 0.0,
        mark_price: float = 0.0,
        largest: float = 0.0,
    ) -> None:
        self.strategy_id = strategy_id
        self.symbol = symbol
        self.quantity = quantity
        self.average_price = average_price
        self.realized_pnl = realized_pnl
        self.commission = commission
        self.mark_price = mark_price
        self.largest = largest

    @property
    def values(self) -> tuple[str, str, float, float, float, float, float, float]:
        """All that it is, in the order in which it is made."""
        return (
            self.strategy_id,
            self.symbol,
            self.quantity,
            self.average_price,
            self.realized_pnl,
            self.commission,
            self.mark_price,
            self.largest,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Position) and self.values == other.values

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Position{self.values!r}"

    @property
    def unrealized_pnl(self) -> float:
        return (self.mark_price - self.average_price) * self.quantity

    def apply(self, signed_quantity: float, price: float, commission: float) -> float | None:
        """Book a fill of ``signed_quantity`` (buys positive) at ``price``.

        Returns the gross P&L that it realized, before commission; ``None`` when it only added to the position.
        """
        held = self.quantity
        after, self.largest = held_after(held, signed_quantity, self.largest)
        self.quantity = after
        self.commission += commission
        self.realized_pnl -= commission
        if held == 0.0 or (held > 0.0) == (signed_quantity > 0.0):
            total = abs(held) + abs(signed_quantity)
            if total > 0.0:
                self.average_price = (self.average_price * abs(held) + price * abs(signed_quantity)) / total
            return None
        # What is closed of a position that is flat now is all of it, and its rounding with it.
        closed = held if after == 0.0 or abs(signed_quantity) > abs(held) else -signed_quantity
        gross = (price - self.average_price) * closed
        self.realized_pnl += gross
        if after == 0.0:
            self.average_price = 0.0
        elif (after > 0.0) != (held > 0.0):
            self.average_price = price
        return gross
