"""Average-cost position arithmetic. Pure values; every ledger in the engine is built on it.

Source of the rules: average cost accounting. A fill that adds moves the average; one that reduces realizes
``(price - average) * closed quantity * sign(position)``; one that crosses zero closes and opens the rest at its price.
"""

from __future__ import annotations

import msgspec

# Quantities are decimal in the market and binary here: 0.1 + 0.2 - 0.3 leaves 5.6e-17. What is left over
# after closing and is this much smaller than what was traded is that rounding, not a position.
FLAT_BELOW = 1e-12


class Position(msgspec.Struct):
    """One strategy's holding of one symbol. ``realized_pnl`` is net of ``commission``."""

    strategy_id: str
    symbol: str
    quantity: float = 0.0
    average_price: float = 0.0
    realized_pnl: float = 0.0
    commission: float = 0.0
    mark_price: float = 0.0

    @property
    def unrealized_pnl(self) -> float:
        return (self.mark_price - self.average_price) * self.quantity

    def apply(self, signed_quantity: float, price: float, commission: float) -> float | None:
        """Book a fill of ``signed_quantity`` (buys positive) at ``price``.

        Returns the gross P&L that it realized, before commission; ``None`` when it only added to the position.
        """
        held = self.quantity
        after = held + signed_quantity
        self.commission += commission
        self.realized_pnl -= commission
        if held == 0.0 or (held > 0.0) == (signed_quantity > 0.0):
            total = abs(held) + abs(signed_quantity)
            if total > 0.0:
                self.average_price = (self.average_price * abs(held) + price * abs(signed_quantity)) / total
            self.quantity = after
            return None
        before, traded = abs(held), abs(signed_quantity)
        closed, larger = (traded, before) if traded < before else (before, traded)
        if abs(after) <= FLAT_BELOW * larger:
            after = 0.0
        gross = (price - self.average_price) * (closed if held > 0.0 else -closed)
        self.realized_pnl += gross
        self.quantity = after
        if after == 0.0:
            self.average_price = 0.0
        elif (after > 0.0) != (held > 0.0):
            self.average_price = price
        return gross
