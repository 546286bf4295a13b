"""Checks of an order's size: fat fingers, in quantity and in money."""

from __future__ import annotations

from typing import ClassVar

from sengine.domain.order import ProposedOrder
from sengine.engine.risk.checks.basis import Check, Reducing, Refusal, RiskView, Usage


class MaxOrderQuantityCheck(Check, frozen=True, tag="max_order_quantity"):
    """An order's quantity must be within ``max_quantity``."""

    max_quantity: float

    name: ClassVar[str] = "max_order_quantity"
    codes: ClassVar = {"above_max_quantity": "the order's quantity is above `max_quantity`"}
    reducing = Reducing.CLOSING_PASSES
    source = "RTS 6 article 15 (1)(c); SEC rule 15c3-5 (c)(1)(ii); FIA best practices: maximum order size"
    looser_above = ("max_quantity",)

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        if order.quantity <= self.max_quantity or view.closes(order):
            return None
        return self.refuse(
            "above_max_quantity",
            f"{order.side} {order.quantity:g} {order.symbol} is more than max_quantity {self.max_quantity:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_quantity", self.max_quantity)


class MaxOrderNotionalCheck(Check, frozen=True, tag="max_order_notional"):
    """Quantity times price, the limit or else the touch, must be within ``max_notional``."""

    max_notional: float

    name: ClassVar[str] = "max_order_notional"
    codes: ClassVar = {
        "above_max_notional": "quantity times price is above `max_notional`",
        "no_price": "a market order in a symbol without a price",
    }
    reducing = Reducing.CLOSING_PASSES
    source = "RTS 6 article 15 (1)(b); SEC rule 15c3-5 (c)(1)(ii)"
    looser_above = ("max_notional",)

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        notional = order.quantity * view.price_of(order)
        if notional <= self.max_notional or view.closes(order):
            return None
        if notional != notional:
            return self.refuse("no_price", f"there is no price of {order.symbol} to tell what the order is worth")
        return self.refuse(
            "above_max_notional",
            f"{order.side} {order.quantity:g} {order.symbol} is worth {notional:.2f}, "
            f"more than max_notional {self.max_notional:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_notional", self.max_notional)
