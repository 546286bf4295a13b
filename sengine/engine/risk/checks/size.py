"""Checks of an order's size: fat fingers, in quantity and in money."""

from __future__ import annotations

from sengine.domain.order import ProposedOrder
from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import OrderCheck
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.view import RiskView


class MaxOrderQuantityCheck(OrderCheck):
    """Refuses orders of too large a quantity."""

    def __init__(self, limit: limits.OrderQuantityLimit) -> None:
        super().__init__(limit)
        self.max_quantity = limit.max_quantity

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        if order.quantity <= self.max_quantity or view.closes(order):
            return None
        return self.refuse(
            "above_max_quantity",
            f"{order.side} {order.quantity:g} {order.symbol} is more than max_quantity {self.max_quantity:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_quantity", self.max_quantity)


class MaxOrderNotionalCheck(OrderCheck):
    """Refuses orders that are worth too much."""

    def __init__(self, limit: limits.OrderNotionalLimit) -> None:
        super().__init__(limit)
        self.max_notional = limit.max_notional

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
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
