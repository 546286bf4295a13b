"""The limits of risk as values: what is limited, under which codes it is refused, and what makes a limit looser.

A limit decides nothing. Its check in ``sengine.engine.risk.checks`` does.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeAlias, get_args

from sengine.clock import NS_PER_S
from sengine.engine.risk.limit import Limit, Reducing

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class ConfidenceLimit(Limit, frozen=True, tag="confidence"):
    """The decision's confidence must reach ``min_confidence``."""

    min_confidence: float

    name: ClassVar[str] = "confidence"
    codes: ClassVar = {"below_min_confidence": "the confidence is below `min_confidence`"}
    reducing = Reducing.IS_CHECKED
    source = "the plan"
    looser_below = ("min_confidence",)


class PositionLimit(Limit, frozen=True, tag="position_limit"):
    """|position + contribution| must stay within ``max_position`` per strategy and symbol."""

    max_position: float

    name: ClassVar[str] = "position_limit"
    codes: ClassVar = {"above_max_position": "position + in flight + this would go beyond `max_position`"}
    reducing = Reducing.PASSES
    source = "the plan; FIA best practices: maximum intraday position"
    looser_above = ("max_position",)


class DrawdownLimit(Limit, frozen=True, tag="drawdown"):
    """(peak - equity) / (initial capital + peak) of the strategy must stay within ``max_drawdown``."""

    max_drawdown: float

    name: ClassVar[str] = "drawdown"
    codes: ClassVar = {"above_max_drawdown": "the strategy's drawdown is beyond `max_drawdown`"}
    reducing = Reducing.PASSES
    source = "the plan"
    looser_above = ("max_drawdown",)


class SymbolAllowList(Limit, frozen=True, tag="symbol_allow_list"):
    """Only ``symbols`` are traded."""

    symbols: tuple[str, ...]

    name: ClassVar[str] = "symbol_allow_list"
    codes: ClassVar = {"symbol_not_allowed": "the symbol is not one of `symbols`"}
    reducing = Reducing.PASSES
    source = "SEC rule 15c3-5 (c)(2); RTS 6 article 15"

    def _is_looser(self, name: str, before: Any, after: Any) -> bool:
        if name == "symbols":
            return not set(after) <= set(before)
        return super()._is_looser(name, before, after)


class TradingHours(Limit, frozen=True, tag="trading_hours"):
    """Orders only from ``open`` up to ``close``, UTC event time; a close before the open is on the next day.

    ``days`` are those on which it opens.
    """

    open: str
    close: str
    days: tuple[str, ...] = WEEKDAYS

    name: ClassVar[str] = "trading_hours"
    codes: ClassVar = {"outside_trading_hours": "the event's time is not between `open` and `close` of one of `days`"}
    reducing = Reducing.IS_CHECKED
    source = "SEC rule 15c3-5 (c)(2)"


class PriceAgeLimit(Limit, frozen=True, tag="stale_market_data"):
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


class LateEngineLimit(Limit, frozen=True, tag="late_engine"):
    """The event that an order answers must have been processed within ``max_age`` of its arrival, by the wall clock."""

    max_age_ns: int = NS_PER_S

    name: ClassVar[str] = "late_engine"
    codes: ClassVar = {"late": "the event that the order answers waited longer than `max_age` to be processed"}
    reducing = Reducing.IS_CHECKED
    source = "FIA best practices: market data reasonability"
    looser_above = ("max_age_ns",)


class SoundBook(Limit, frozen=True, tag="crossed_or_empty_book"):
    """There must be a book with both sides, and the last one that came must have been sound."""

    name: ClassVar[str] = "crossed_or_empty_book"
    codes: ClassVar = {
        "empty_book": "the symbol has no book with both sides, nor bars",
        "unsound_book": "the last book that came was crossed or otherwise unsound",
    }
    reducing = Reducing.IS_CHECKED
    source = "FIA best practices: market data reasonability"


class PriceCollar(Limit, frozen=True, tag="price_collar"):
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


class OrderQuantityLimit(Limit, frozen=True, tag="max_order_quantity"):
    """An order's quantity must be within ``max_quantity``."""

    max_quantity: float

    name: ClassVar[str] = "max_order_quantity"
    codes: ClassVar = {"above_max_quantity": "the order's quantity is above `max_quantity`"}
    reducing = Reducing.CLOSING_PASSES
    source = "RTS 6 article 15 (1)(c); SEC rule 15c3-5 (c)(1)(ii); FIA best practices: maximum order size"
    looser_above = ("max_quantity",)


class OrderNotionalLimit(Limit, frozen=True, tag="max_order_notional"):
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


class OrderRateLimit(Limit, frozen=True, tag="order_rate"):
    """At most ``max_orders`` sent within ``per``, and at most ``max_orders_per_strategy`` of each contributor."""

    max_orders: int
    per_ns: int
    max_orders_per_strategy: int | None = None

    name: ClassVar[str] = "order_rate"
    codes: ClassVar = {
        "above_max_orders": "`max_orders` were sent within `per` already",
        "above_max_orders_per_strategy": "`max_orders_per_strategy` of one strategy were sent within `per` already",
    }
    reducing = Reducing.IS_CHECKED
    source = "RTS 6 article 15 (1)(d); FIA best practices: message throttles"
    looser_above = ("max_orders", "max_orders_per_strategy")
    looser_below = ("per_ns",)


class RepeatedExecutionLimit(Limit, frozen=True, tag="repeated_execution"):
    """A strategy that executed ``max_executions`` times on one side of a symbol within ``within``, without one on the
    other side, may not go on, and is paused until a person resumes it.

    A market order counts when it is sent, a limit order when it first fills.
    """

    max_executions: int
    within_ns: int

    name: ClassVar[str] = "repeated_execution"
    codes: ClassVar = {"repeated_execution": "`max_executions` on one side within `within`; the strategy is paused"}
    reducing = Reducing.IS_CHECKED
    source = "RTS 6 article 15 (3); FIA best practices: repeated automated execution limit"
    looser_above = ("max_executions",)
    looser_below = ("within_ns",)


class DuplicateOrderLimit(Limit, frozen=True, tag="duplicate_order"):
    """No order like one sent within ``within``: same strategies, symbol, side, quantity and limit price."""

    within_ns: int

    name: ClassVar[str] = "duplicate_order"
    codes: ClassVar = {"duplicate_order": "the same order was sent within `within`"}
    reducing = Reducing.IS_CHECKED
    source = "SEC rule 15c3-5 (c)(1)(ii)"
    looser_below = ("within_ns",)


class OpenOrdersLimit(Limit, frozen=True, tag="max_open_orders"):
    """At most ``max_orders`` open at a time; one that is being cancelled is open until that is confirmed."""

    max_orders: int

    name: ClassVar[str] = "max_open_orders"
    codes: ClassVar = {"above_max_open_orders": "`max_orders` are open already"}
    reducing = Reducing.IS_CHECKED
    source = "FIA best practices: maximum open orders"
    looser_above = ("max_orders",)


class SelfCrossLimit(Limit, frozen=True, tag="self_cross"):
    """No order that could meet an own limit order on the other side, whichever strategy's; one that is being cancelled
    still counts."""

    name: ClassVar[str] = "self_cross"
    codes: ClassVar = {"would_cross_own_order": "an own order rests on the other side at a price that this one reaches"}
    reducing = Reducing.IS_CHECKED
    source = "FIA best practices: self-match prevention"


class GrossExposureLimit(Limit, frozen=True, tag="gross_exposure"):
    """Longs plus shorts plus all that may still fill, at the mid, must stay within ``max_notional``."""

    max_notional: float

    name: ClassVar[str] = "gross_exposure"
    codes: ClassVar = {
        "above_max_notional": "gross exposure with this order would be above `max_notional`",
        "no_price": "a symbol that counts has no price",
    }
    reducing = Reducing.PASSES
    source = "SEC rule 15c3-5 (c)(1)(i); RTS 6 article 15 (2): orders sent count at once"
    looser_above = ("max_notional",)


class NetExposureLimit(Limit, frozen=True, tag="net_exposure"):
    """|longs - shorts|, at the mid, must stay within ``max_notional`` wherever the orders in flight take it."""

    max_notional: float

    name: ClassVar[str] = "net_exposure"
    codes: ClassVar = {
        "above_max_notional": "net exposure with this order could be above `max_notional`",
        "no_price": "a symbol that counts has no price",
    }
    reducing = Reducing.PASSES
    source = "SEC rule 15c3-5 (c)(1)(i)"
    looser_above = ("max_notional",)


class DailyLossLimit(Limit, frozen=True, tag="daily_loss"):
    """The P&L since 00:00 UTC, unrealized included, of all strategies or of ``strategy``, must not be below
    -``max_loss``."""

    max_loss: float

    name: ClassVar[str] = "daily_loss"
    codes: ClassVar = {"above_max_loss": "the day's loss is beyond `max_loss`"}
    reducing = Reducing.PASSES
    source = "SEC rule 15c3-5 (c)(1)(i); FIA best practices: risk limits"
    looser_above = ("max_loss",)


AnyLimit: TypeAlias = (
    ConfidenceLimit
    | PositionLimit
    | DrawdownLimit
    | SymbolAllowList
    | TradingHours
    | PriceAgeLimit
    | LateEngineLimit
    | SoundBook
    | PriceCollar
    | OrderQuantityLimit
    | OrderNotionalLimit
    | OrderRateLimit
    | RepeatedExecutionLimit
    | DuplicateOrderLimit
    | OpenOrdersLimit
    | SelfCrossLimit
    | GrossExposureLimit
    | NetExposureLimit
    | DailyLossLimit
)

LIMITS: Final[dict[str, type[AnyLimit]]] = {limit.name: limit for limit in get_args(AnyLimit)}
"""Every limit by its name, which is its ``type`` in the configuration."""
