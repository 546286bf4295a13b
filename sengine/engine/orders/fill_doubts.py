"""Fills that are taken for a mistake of whoever reports them: their price or size is out of all proportion.

What a venue did is a fact and is booked. A price with a digit too many, or fills without end on an order of 1, are more
likely a mistake or an attack, and one of them ruins the books: a person looks first.
"""

from __future__ import annotations

from typing import Final

import msgspec

from sengine.domain.order import Fill
from sengine.domain.position import FLAT_BELOW
from sengine.engine.state.orders import WorkingOrder

LARGEST_AMOUNT: Final = 1e15
"""Of price times quantity, and of a commission: beyond it a double has no cents left, and a sum of them may not be
finite. Such a fill cannot be booked at all."""
_MOST_COMMISSION: Final = 10.0
"""As a multiple of price times quantity."""


class FillBounds(msgspec.Struct, frozen=True):
    """``max_deviation`` is a share of the last price, ``max_overfill`` a multiple of an order's quantity."""

    max_deviation: float = 0.5
    max_overfill: float = 5.0


def cannot_be_booked(fill: Fill) -> bool:
    """Whether the books would no longer add up with a fill, though its figures are finite."""
    return not (fill.price * fill.quantity <= LARGEST_AMOUNT and abs(fill.commission) <= LARGEST_AMOUNT)


def doubt_of(fill: Fill, working: WorkingOrder, last_price: float, bounds: FillBounds) -> str:
    """Why a fill of a known order waits for a person, a clause; empty when it does not. ``last_price`` is 0 where none
    is known."""
    amount = fill.price * fill.quantity
    if cannot_be_booked(fill):
        return f"{fill.quantity:g} at {fill.price:g} with a commission of {fill.commission:g} is beyond all measure"
    if abs(fill.commission) > _MOST_COMMISSION * amount:
        return f"its commission of {fill.commission:g} is more than {_MOST_COMMISSION:g} times its amount, {amount:g}"
    order = working.order
    filled = working.filled + fill.quantity
    if filled > bounds.max_overfill * order.quantity * (1.0 + FLAT_BELOW):
        return (
            f"order {order.order_id} of {order.quantity:g} would be filled {filled:g}, more than "
            f"execution.max_overfill {bounds.max_overfill:g} times"
        )
    # A fill may be of a moment ago: what the market or the order said then is as good.
    known = [price for price in (last_price, working.sent_at_price, order.limit_price) if price]
    if known and all(abs(fill.price - price) > bounds.max_deviation * price for price in known):
        return (
            f"its price {fill.price:g} is more than execution.max_fill_deviation {bounds.max_deviation:g} away from "
            f"{known[0]:g}"
        )
    return ""
