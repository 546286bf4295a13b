"""Checks of the market that an order would meet: is there one, is it recent, and is the price near it."""

from __future__ import annotations

from typing import Final

from sengine.clock import NS_PER_MS
from sengine.domain.order import ProposedOrder
from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import OrderCheck
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.view import RiskView

_BPS: Final = 10_000.0


class StaleMarketDataCheck(OrderCheck):
    """Refuses orders on old prices."""

    def __init__(self, limit: limits.PriceAgeLimit) -> None:
        super().__init__(limit)
        self.max_age_ns = limit.max_age_ns

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        market = view.markets.get(order.symbol)
        if market is None or market.touch is None:
            return self.refuse("no_price", f"there is no price of {order.symbol}")
        age_ns = order.timestamp_ns - market.price_ns
        if age_ns <= self.max_age_ns:
            return None
        return self.refuse(
            "stale_price",
            f"the price of {order.symbol} is {age_ns / NS_PER_MS:g} ms old,"
            f" max_age is {self.max_age_ns / NS_PER_MS:g} ms",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_age_ms", self.max_age_ns / NS_PER_MS)


class LateEngineCheck(OrderCheck):
    """Refuses what the engine answers too late."""

    def __init__(self, limit: limits.LateEngineLimit) -> None:
        super().__init__(limit)
        self.max_age_ns = limit.max_age_ns

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        if view.late_ns <= self.max_age_ns:
            return None
        return self.refuse("late", self.sentence(view.late_ns))

    def sentence(self, late_ns: int) -> str:
        return (
            f"the engine is late: what the order answers came {late_ns / NS_PER_MS:,.0f} ms ago, max_age is "
            f"{self.max_age_ns / NS_PER_MS:g} ms"
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_age_ms", self.max_age_ns / NS_PER_MS, view.late_ns / NS_PER_MS)


class BookCheck(OrderCheck):
    """Refuses where there is no sound book."""

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        market = view.markets.get(order.symbol)
        touch = market.touch if market is not None else None
        if market is None or touch is None or not touch.bids or not touch.asks:
            return self.refuse("empty_book", f"{order.symbol} has no book with both sides")
        if market.is_doubted or not touch.bids[0].price <= touch.asks[0].price:
            return self.refuse(
                "unsound_book", f"the last book of {order.symbol} was not sound; the one before is in use"
            )
        return None


class PriceCollarCheck(OrderCheck):
    """Refuses prices far from the market, and a market that jumps."""

    def __init__(self, limit: limits.PriceCollar) -> None:
        super().__init__(limit)
        self.max_bps = limit.max_bps
        self.max_jump_bps = limit.max_jump_bps

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        market = view.markets.get(order.symbol)
        if market is None or not market.mid > 0.0:
            return self.refuse("no_price", f"there is no price of {order.symbol} to compare with")
        mid = market.mid
        before = market.reference_mid or mid
        jump_bps = abs(mid - before) / before * _BPS
        if not jump_bps <= self.max_jump_bps:
            return self.refuse(
                "price_jumped",
                f"the mid of {order.symbol} went from {before:g} to {mid:g} within a second, {jump_bps:.4g} bps, "
                f"more than max_jump_bps {self.max_jump_bps:g}",
            )
        limit = order.limit_price
        if limit is None or abs(limit - mid) / mid * _BPS <= self.max_bps:
            return None
        return self.refuse(
            "outside_collar",
            f"the limit {limit:g} is {abs(limit - mid) / mid * _BPS:.4g} bps from the mid {mid:g}, "
            f"more than max_bps {self.max_bps:g}",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("max_bps", self.max_bps)
