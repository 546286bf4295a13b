"""Checks of the market that an order would meet: is there one, is it recent, and is the price near it."""

from __future__ import annotations

from typing import ClassVar, Final

from sengine.clock import NS_PER_MS, NS_PER_S
from sengine.domain.order import ProposedOrder
from sengine.engine.risk_checks.basis import Check, Reducing, Refusal, RiskView, Usage

_BPS: Final = 10_000.0


class StaleMarketDataCheck(Check, frozen=True, tag="stale_market_data"):
    """The symbol's last sound price must be younger than ``max_age``, in event time."""

    max_age_ns: int

    name: ClassVar[str] = "stale_market_data"
    codes: ClassVar = {
        "stale_price": "the symbol's last sound book, or bar where there are no books, is older than `max_age`",
        "no_price": "the symbol has no price",
    }
    reducing = Reducing.IS_CHECKED
    source = "FIA best practices: market data reasonability"
    looser_above = ("max_age_ns",)

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
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


class LateEngineCheck(Check, frozen=True, tag="late_engine"):
    """The event that an order answers must have been processed within ``max_age`` of its arrival, by the wall clock."""

    max_age_ns: int = NS_PER_S

    name: ClassVar[str] = "late_engine"
    codes: ClassVar = {"late": "the event that the order answers waited longer than `max_age` to be processed"}
    reducing = Reducing.IS_CHECKED
    source = "FIA best practices: market data reasonability"
    looser_above = ("max_age_ns",)

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
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


class BookCheck(Check, frozen=True, tag="crossed_or_empty_book"):
    """There must be a book with both sides, and the last one that came must have been sound."""

    name: ClassVar[str] = "crossed_or_empty_book"
    codes: ClassVar = {
        "empty_book": "the symbol has no book with both sides, nor bars",
        "unsound_book": "the last book that came was crossed or otherwise unsound",
    }
    reducing = Reducing.IS_CHECKED
    source = "FIA best practices: market data reasonability"

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        market = view.markets.get(order.symbol)
        touch = market.touch if market is not None else None
        if market is None or touch is None or not touch.bids or not touch.asks:
            return self.refuse("empty_book", f"{order.symbol} has no book with both sides")
        if market.is_doubted or not touch.bids[0].price <= touch.asks[0].price:
            return self.refuse(
                "unsound_book", f"the last book of {order.symbol} was not sound; the one before is in use"
            )
        return None


class PriceCollarCheck(Check, frozen=True, tag="price_collar"):
    """A limit price must be within ``max_bps`` of the mid, and the mid within ``max_jump_bps`` of where it was up to a
    second before."""

    max_bps: float
    max_jump_bps: float

    name: ClassVar[str] = "price_collar"
    codes: ClassVar = {
        "outside_collar": "the limit price is more than `max_bps` from the mid",
        "price_jumped": "the mid moved by more than `max_jump_bps` within a second",
        "no_price": "the symbol has no price",
    }
    reducing = Reducing.IS_CHECKED
    source = "RTS 6 article 15 (1)(a); SEC rule 15c3-5 (c)(1)(ii); FIA best practices: price tolerance"
    looser_above = ("max_bps", "max_jump_bps")

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
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
