"""Checks of what all orders and positions together amount to, and of orders that would meet each other."""

from __future__ import annotations

from sengine.domain.order import ProposedOrder, Side
from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import OrderCheck, scope_of
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.view import RiskView, share_of


class GrossExposureCheck(OrderCheck):
    """Refuses what would make longs plus shorts too large."""

    def __init__(self, limit: limits.GrossExposureLimit) -> None:
        super().__init__(limit)
        self.max_notional = limit.max_notional

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        after = view.exposure(self.strategy, self.symbol).gross + _worth(self.strategy, order, view)
        if after <= self.max_notional or view.reduces(order):
            return None
        return _refused(self, "gross", after, self.max_notional)

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_notional", self.max_notional, view.exposure(self.strategy, self.symbol).gross, self.strategy)


class NetExposureCheck(OrderCheck):
    """Refuses what would make longs minus shorts too large."""

    def __init__(self, limit: limits.NetExposureLimit) -> None:
        super().__init__(limit)
        self.max_notional = limit.max_notional

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        exposure, worth = view.exposure(self.strategy, self.symbol), _worth(self.strategy, order, view)
        if order.side is Side.BUY:
            after = abs(exposure.held_net + exposure.buying + worth)
        else:
            after = abs(exposure.held_net - exposure.selling - worth)
        if after <= self.max_notional or view.reduces(order):
            return None
        return _refused(self, "net", after, self.max_notional)

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_notional", self.max_notional, view.exposure(self.strategy, self.symbol).net, self.strategy)


class MaxOpenOrdersCheck(OrderCheck):
    """Refuses more open orders."""

    def __init__(self, limit: limits.OpenOrdersLimit) -> None:
        super().__init__(limit)
        self.max_orders = limit.max_orders

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        if self._open(view) < self.max_orders:
            return None
        return self.refuse(
            "above_max_open_orders",
            f"{self.max_orders} orders{scope_of(self.strategy, self.symbol)} are open, which is max_orders",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_orders", self.max_orders, self._open(view), self.strategy)

    def _open(self, view: RiskView) -> int:
        if not self.strategy and not self.symbol:
            return view.orders.count
        return sum(
            1
            for working in view.orders.open_orders()
            if self.symbol in ("", working.order.symbol)
            and (not self.strategy or any(part.strategy_id == self.strategy for part in working.order.contributions))
        )


class SelfCrossCheck(OrderCheck):
    """Refuses what would trade with an own order."""

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        buying = order.side is Side.BUY
        reach = view.price_of(order)
        for working in view.orders.open_orders():
            other = working.order
            price = other.limit_price
            if price is None or other.symbol != order.symbol or other.side is order.side:
                continue
            # Without a price to reach to, any order on the other side could be met.
            if not (reach < price if buying else reach > price):
                return self.refuse(
                    "would_cross_own_order",
                    f"{order.side} {order.symbol} reaches the own order {other.order_id}, {other.side} at {price:g}",
                )
        return None


def _worth(strategy_id: str, order: ProposedOrder, view: RiskView) -> float:
    """What the order adds to an exposure, in quote currency, at the mid like all the rest."""
    share = share_of(order, strategy_id) if strategy_id else 1.0
    return order.quantity * share * view.price(order.symbol)


def _refused(check: GrossExposureCheck | NetExposureCheck, kind: str, after: float, most: float) -> Refusal:
    whose = scope_of(check.strategy, check.symbol)
    if after != after:
        return check.refuse("no_price", f"{kind} exposure{whose} is unknown: a symbol has no price")
    return check.refuse(
        "above_max_notional", f"{kind} exposure{whose} would be {after:.2f}, beyond max_notional {most:g}"
    )
