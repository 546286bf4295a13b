"""``risk``: the pre-trade checks and what pulls the kill switch. What each check does is in sengine/engine/risk/checks.

The attributes of a filter are those of its check, durations in nanoseconds.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, field

from sengine.clock import NS_PER_MS, NS_PER_S
from sengine.config.durations import Duration
from sengine.config.expected import WORDS
from sengine.config.section import Money, Name, Positive, Section

Count: TypeAlias = Annotated[int, Meta(ge=1, le=1000)]
Bps: TypeAlias = Annotated[float, Meta(gt=0, le=10_000)]
TimeOfDay: TypeAlias = Annotated[
    str, Meta(pattern=r"\A([01][0-9]|2[0-3]):[0-5][0-9]\Z", extra={WORDS: 'a time of day like "08:30", in quotes'})
]
Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Scoped(Section, frozen=True, kw_only=True):
    """What every filter may be narrowed to. All filters that apply to an order must let it pass."""

    strategy: Annotated[str, Meta(description="Only for the strategy of this id; empty is all.")] = ""
    symbol: Annotated[str, Meta(description="Only for this symbol; empty is all.")] = ""


class ConfidenceFilter(Scoped, frozen=True, tag_field="type", tag="confidence"):
    """Refuses what the vote is not sure enough of."""

    min_confidence: Annotated[float, Meta(ge=0, le=1, description="Least confidence of a decision.")] = 0.6


class PositionLimitFilter(Scoped, frozen=True, tag_field="type", tag="position_limit"):
    """Refuses what would take a strategy's position too far."""

    max_position: Annotated[
        Positive, Meta(description="Largest position of a strategy in a symbol, long or short, with orders in flight.")
    ] = 10.0


class DrawdownFilter(Scoped, frozen=True, tag_field="type", tag="drawdown"):
    """Refuses a strategy that lost too much from its peak."""

    max_drawdown: Annotated[
        float, Meta(gt=0, le=1, description="Largest loss from the equity peak, as a share of capital plus peak.")
    ] = 0.2


class SymbolAllowListFilter(Scoped, frozen=True, tag_field="type", tag="symbol_allow_list"):
    """Refuses symbols that are not listed."""

    symbols: Annotated[tuple[Name, ...], Meta(min_length=1, description="Symbols that may be traded.")]


class TradingHoursFilter(Scoped, frozen=True, tag_field="type", tag="trading_hours"):
    """Refuses outside the hours, in event time."""

    open: Annotated[TimeOfDay, Meta(description="From this time, UTC.")]
    close: Annotated[TimeOfDay, Meta(description="Up to this time, UTC; before open it is on the next day.")]
    days: Annotated[tuple[Weekday, ...], Meta(min_length=1, description="Days on which it opens.")] = (
        "mon",
        "tue",
        "wed",
        "thu",
        "fri",
        "sat",
        "sun",
    )

    def __post_init__(self) -> None:
        if self.open == self.close:
            raise ValueError(f'"open" and "close" are both {self.open}; leave the filter out to trade at all hours')


class StaleMarketDataFilter(Scoped, frozen=True, tag_field="type", tag="stale_market_data"):
    """Refuses orders on old prices."""

    max_age_ns: Annotated[
        Duration, Meta(gt=0, description="Largest age of the symbol's last sound price, in event time.")
    ] = field(default=10 * NS_PER_S, name="max_age")


class LateEngineFilter(Scoped, frozen=True, tag_field="type", tag="late_engine"):
    """Refuses orders on market data that waited too long; live it is on, with its default, where none is listed."""

    max_age_ns: Annotated[
        Duration,
        Meta(gt=0, description="Largest age of what an order answers, since its arrival, by the wall clock."),
    ] = field(default=NS_PER_S, name="max_age")


class BookFilter(Scoped, frozen=True, tag_field="type", tag="crossed_or_empty_book"):
    """Refuses where there is no sound book."""


class PriceCollarFilter(Scoped, frozen=True, tag_field="type", tag="price_collar"):
    """Refuses prices far from the market, and a market that jumps."""

    max_bps: Annotated[Bps, Meta(description="Largest distance of a limit price from the mid, in 1/10000.")] = 500.0
    max_jump_bps: Annotated[
        Bps, Meta(description="Largest move of the mid within a second at which orders still go out, in 1/10000.")
    ] = 500.0


class MaxOrderQuantityFilter(Scoped, frozen=True, tag_field="type", tag="max_order_quantity"):
    """Refuses orders of too large a quantity."""

    max_quantity: Annotated[Positive, Meta(description="Largest quantity of an order.")]


class MaxOrderNotionalFilter(Scoped, frozen=True, tag_field="type", tag="max_order_notional"):
    """Refuses orders that are worth too much."""

    max_notional: Annotated[Money, Meta(description="Largest quantity times price of an order, in quote currency.")]


class OrderRateFilter(Scoped, frozen=True, tag_field="type", tag="order_rate"):
    """Refuses orders that come too fast."""

    max_orders: Annotated[Count, Meta(description="Most orders within per, of all that the filter applies to.")]
    per_ns: Annotated[Duration, Meta(gt=0, description="The time that orders are counted over.")] = field(
        default=NS_PER_S, name="per"
    )
    max_orders_per_strategy: Annotated[
        Count | None, Meta(description="Most orders within per of each strategy; null: no such limit.")
    ] = None


class RepeatedExecutionFilter(Scoped, frozen=True, tag_field="type", tag="repeated_execution"):
    """Disables a strategy that executes again and again on one side."""

    max_executions: Annotated[
        Count, Meta(description="Most executions in a row of a strategy on one side of a symbol; then it is paused.")
    ]
    within_ns: Annotated[Duration, Meta(gt=0, description="The time that executions are counted over.")] = field(
        default=60 * NS_PER_S, name="within"
    )


class DuplicateOrderFilter(Scoped, frozen=True, tag_field="type", tag="duplicate_order"):
    """Refuses the same order again."""

    within_ns: Annotated[Duration, Meta(gt=0, description="How long the same order may not be sent again.")] = field(
        default=10 * NS_PER_MS, name="within"
    )


class MaxOpenOrdersFilter(Scoped, frozen=True, tag_field="type", tag="max_open_orders"):
    """Refuses more open orders."""

    max_orders: Annotated[int, Meta(ge=1, description="Most orders that may be open at a time.")]


class SelfCrossFilter(Scoped, frozen=True, tag_field="type", tag="self_cross"):
    """Refuses what would trade with an own order."""


class GrossExposureFilter(Scoped, frozen=True, tag_field="type", tag="gross_exposure"):
    """Refuses what would make longs plus shorts too large."""

    max_notional: Annotated[
        Money, Meta(description="Largest sum of |position| times mid, open orders in full, in quote currency.")
    ]


class NetExposureFilter(Scoped, frozen=True, tag_field="type", tag="net_exposure"):
    """Refuses what would make longs minus shorts too large."""

    max_notional: Annotated[
        Money, Meta(description="Largest |sum of position times mid|, with open orders, in quote currency.")
    ]


class DailyLossFilter(Scoped, frozen=True, tag_field="type", tag="daily_loss"):
    """Refuses when too much was lost since 00:00 UTC."""

    max_loss: Annotated[Money, Meta(description="Largest loss of the UTC day, unrealized included, in quote currency.")]

    def __post_init__(self) -> None:
        if self.symbol:
            raise ValueError('a day\'s loss is of a strategy or of all; leave "symbol" out')


Filter: TypeAlias = (
    ConfidenceFilter
    | PositionLimitFilter
    | DrawdownFilter
    | SymbolAllowListFilter
    | TradingHoursFilter
    | StaleMarketDataFilter
    | BookFilter
    | PriceCollarFilter
    | MaxOrderQuantityFilter
    | MaxOrderNotionalFilter
    | OrderRateFilter
    | RepeatedExecutionFilter
    | DuplicateOrderFilter
    | MaxOpenOrdersFilter
    | SelfCrossFilter
    | GrossExposureFilter
    | NetExposureFilter
    | DailyLossFilter
    | LateEngineFilter
)
FilterName: TypeAlias = Literal[
    "confidence",
    "position_limit",
    "drawdown",
    "symbol_allow_list",
    "trading_hours",
    "stale_market_data",
    "crossed_or_empty_book",
    "price_collar",
    "max_order_quantity",
    "max_order_notional",
    "order_rate",
    "repeated_execution",
    "duplicate_order",
    "max_open_orders",
    "self_cross",
    "gross_exposure",
    "net_exposure",
    "daily_loss",
    "late_engine",
]


class KillOnConfig(Section, frozen=True):
    """``risk.kill_on``: what pulls the kill switch without a person; null is off."""

    execution_lost_for_ns: Annotated[
        Annotated[Duration, Meta(gt=0)] | None,
        Meta(description="The execution service, once connected, has been away, or has owed every answer, this long."),
    ] = field(default=None, name="execution_lost_for")
    daily_loss: Annotated[
        Money | None,
        Meta(
            description="The UTC day's loss of all strategies, unrealized included, is above this, in quote currency."
        ),
    ] = None
    faults: Annotated[
        Annotated[int, Meta(ge=1)] | None, Meta(description="This many errors of strategies within faults_within.")
    ] = None
    journal_failure: Annotated[
        bool,
        Meta(description="The journal cannot be written. When false, orders are only held back until it can again."),
    ] = True
    held_fills: Annotated[
        bool, Meta(description="A fill waits for a person, as execution.max_fill_deviation says.")
    ] = False
    faults_within_ns: Annotated[Duration, Meta(gt=0, description="The time that faults are counted over.")] = field(
        default=60 * NS_PER_S, name="faults_within"
    )


class RiskConfig(Section, frozen=True):
    """``risk``: the checks every order passes, in this order. What a check cannot decide, it refuses."""

    filters: Annotated[list[Filter], Meta(description="Checks in the order they run.")] = field(
        default_factory=lambda: [ConfidenceFilter(), PositionLimitFilter(), DrawdownFilter()]
    )
    bypass: Annotated[
        list[FilterName], Meta(description="For tests only: filters that are listed but let everything pass.")
    ] = field(default_factory=list)
    allow_loosening_on_reload: Annotated[
        bool, Meta(description="Whether a reload on SIGHUP may make a limit looser; false refuses all of its limits.")
    ] = False
    kill_flattens: Annotated[
        bool, Meta(description="Whether the kill switch, however it is pulled, also brings all positions to zero.")
    ] = False
    kill_on: KillOnConfig = field(default_factory=KillOnConfig)
