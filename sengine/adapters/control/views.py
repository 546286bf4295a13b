"""What clients of the control API see: plain immutable values, which ``reading`` makes of its messages.

The fields are those of ``sengine/proto/engine.proto``, where each is explained. JSON texts are decoded: ``config_json``
of a message is ``config`` here. What may be absent is ``None``.
"""

from __future__ import annotations

from typing import Any

import msgspec


class View(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all views."""


class LatencyView(View, frozen=True):
    count: int
    p50_us: float
    p99_us: float
    max_us: float
    octave_counts: tuple[int, ...]


class StrategyView(View, frozen=True):
    strategy_id: str
    state: str
    is_active: bool
    pause_reason: str
    version: str
    source: str
    route: str
    symbols: tuple[str, ...]
    data: tuple[str, ...]
    ticks: int
    signals: int
    last_signal_ns: int
    errors: int
    errors_by_type: dict[str, int]
    last_error: str
    last_error_where: str
    last_error_ns: int
    last_reload_ns: int
    position: float
    realized_pnl: float | None
    unrealized_pnl: float | None
    peak_pnl: float | None
    on_tick: LatencyView
    over_budget: int
    stalled_s: float
    stalled_reason: str
    not_added_up: str = ""

    @property
    def pnl(self) -> float | None:
        """Realized and unrealized; ``None`` where its symbols are in different currencies."""
        return _sum(self.realized_pnl, self.unrealized_pnl)


class FailedStrategyView(View, frozen=True):
    strategy_id: str
    reason: str


class StrategiesView(View, frozen=True):
    strategies: tuple[StrategyView, ...]
    failed: tuple[FailedStrategyView, ...]


class PositionView(View, frozen=True):
    strategy_id: str
    symbol: str
    quantity: float
    in_flight: float
    average_price: float
    mark_price: float
    realized_pnl: float
    unrealized_pnl: float
    commission: float


class CurrencyTotalView(View, frozen=True):
    """``currency`` is empty where the symbols' names do not tell."""

    currency: str
    realized_pnl: float
    unrealized_pnl: float
    commission: float

    @property
    def name(self) -> str:
        return self.currency or "other"

    @property
    def pnl(self) -> float:
        return self.realized_pnl + self.unrealized_pnl


class PositionsView(View, frozen=True):
    """The sums are ``None`` where positions are in different currencies; ``not_added_up`` says which."""

    positions: tuple[PositionView, ...]
    realized_pnl: float | None
    unrealized_pnl: float | None
    totals: tuple[CurrencyTotalView, ...]
    not_added_up: str


class SignalView(View, frozen=True):
    timestamp_ns: int
    strategy_id: str
    symbol: str
    direction: str
    confidence: float
    size: float
    disposition: str
    check: str
    reason: str
    version: str


class SignalsView(View, frozen=True):
    """A batch of the signal stream; ``dropped`` counts all that this stream has missed so far."""

    signals: tuple[SignalView, ...]
    dropped: int


class LogLineView(View, frozen=True):
    time_ns: int
    level: str
    event: str
    fields: dict[str, Any]


class LogView(View, frozen=True):
    """A batch of the log stream; ``dropped`` counts all that this stream has missed so far."""

    lines: tuple[LogLineView, ...]
    dropped: int


class StrategyFillView(View, frozen=True):
    timestamp_ns: int
    order_id: str
    symbol: str
    side: str
    price: float
    quantity: float
    commission: float
    realized_pnl: float | None


class PnlHistoryView(View, frozen=True):
    times_ns: tuple[int, ...]
    pnl: tuple[float, ...]


class ReloadStepView(View, frozen=True):
    name: str
    is_done: bool
    took_ms: float
    note: str


class SignalComparisonView(View, frozen=True):
    ticks: int
    same: int
    differ: int
    first_difference: str


class ReloadReportView(View, frozen=True):
    """One reload; those of a snapshot come without their steps."""

    strategy_id: str
    what: str
    trigger: str
    time_ns: int
    is_done: bool
    old_version: str
    new_version: str
    message: str
    reason: str
    where: str
    steps: tuple[ReloadStepView, ...]
    compared: SignalComparisonView | None
    on_tick_p50_us: float
    on_tick_p99_us: float
    swap_pause_us: float
    longest_stall_us: float
    took_ms: float


class StrategyDetailView(View, frozen=True):
    state: StrategyView
    config: dict[str, Any]
    own_state: dict[str, Any]
    last_traceback: str
    positions: tuple[PositionView, ...]
    signals: tuple[SignalView, ...]
    fills: tuple[StrategyFillView, ...]
    reloads: tuple[ReloadReportView, ...] = ()


class OpenOrderView(View, frozen=True):
    order_id: str
    symbol: str
    side: str
    quantity: float
    filled: float
    limit_price: float | None
    timestamp_ns: int
    strategy_ids: tuple[str, ...]
    is_cancelling: bool


class SymbolView(View, frozen=True):
    symbol: str
    bid: float
    ask: float
    bid_quantity: float
    ask_quantity: float
    mid: float
    last_ns: int


class LevelView(View, frozen=True):
    price: float
    quantity: float


class TradeView(View, frozen=True):
    timestamp_ns: int
    price: float
    quantity: float
    side: str


class BarView(View, frozen=True):
    open: float
    high: float
    low: float
    close: float
    volume: float


class MarketView(View, frozen=True):
    state: SymbolView
    bids: tuple[LevelView, ...]
    asks: tuple[LevelView, ...]
    trades: tuple[TradeView, ...]
    bar: BarView | None
    mid_times_ns: tuple[int, ...]
    mids: tuple[float, ...]


class RiskCheckView(View, frozen=True):
    name: str
    limit_name: str
    limit: float | None
    used: float | None
    used_by: str
    refusals: int
    refusals_by_reason: dict[str, int]
    bypassed: bool


class FeedView(View, frozen=True):
    state: str
    messages: int
    decoded: int
    malformed: dict[str, int]
    oversized: int
    dropped: int
    conflated: int
    reconnects: int
    pending: int
    lag: LatencyView


class GatewayView(View, frozen=True):
    state: str
    sent: int
    accepted: int
    rejected: int
    unknown: int
    retried: int
    dropped: int
    queue_depth: int
    ack: LatencyView
    tick_to_order: LatencyView


class ServiceView(View, frozen=True):
    name: str
    version: str
    pid: int
    started_ns: int
    uptime_s: float
    address: str
    listeners: dict[str, str]


class ReplayView(View, frozen=True):
    """Where a replay is; ``speed`` 0 is as fast as it goes, ``fraction_done`` is ``None`` for a pipe."""

    source: str
    fraction_done: float | None
    speed: float
    is_paused: bool
    is_over: bool


class HeldFillView(View, frozen=True):
    """A fill that is not booked before a person has looked at it, and why."""

    fill_id: str
    order_id: str
    symbol: str
    side: str
    price: float
    quantity: float
    commission: float
    timestamp_ns: int
    reason: str


class SnapshotView(View, frozen=True):
    service: ServiceView
    time_ns: int
    now_ns: int
    is_ready: bool
    not_ready_because: tuple[str, ...]
    kill_reason: str
    ticks: int
    strategies: tuple[StrategyView, ...]
    failed: tuple[FailedStrategyView, ...]
    positions: tuple[PositionView, ...]
    orders: tuple[OpenOrderView, ...]
    symbols: tuple[SymbolView, ...]
    risk: tuple[RiskCheckView, ...]
    initial_capital: float
    realized_pnl: float | None
    unrealized_pnl: float | None
    peak_pnl: float | None
    signals: int
    dispositions: dict[str, int]
    orders_sent: int
    order_updates: dict[str, int]
    rejected: dict[str, int]
    gaps: dict[str, int]
    anomalies: dict[str, int]
    tick: LatencyView
    feed: FeedView
    gateway: GatewayView
    replay: ReplayView | None = None
    """``None`` on a live engine."""
    reloads: tuple[ReloadReportView, ...] = ()
    loosened_limits: tuple[str, ...] = ()
    held_fills: tuple[HeldFillView, ...] = ()
    totals: tuple[CurrencyTotalView, ...] = ()
    not_added_up: str = ""
    overruled_closes: dict[str, int] = {}

    @property
    def pnl(self) -> float | None:
        """Realized and unrealized; ``None`` where positions are in different currencies."""
        return _sum(self.realized_pnl, self.unrealized_pnl)


class ReplyView(View, frozen=True):
    """What a command did, as a sentence, and how many orders' cancellation it asked for."""

    message: str
    orders_to_cancel: int


class FlattenTradeView(View, frozen=True):
    symbol: str
    side: str
    quantity: float
    strategy_ids: tuple[str, ...]


class FlattenCrossView(View, frozen=True):
    symbol: str
    seller: str
    buyer: str
    quantity: float


class FlattenView(View, frozen=True):
    """What a flatten does, or would do: a sentence, the orders that it cancels, what it trades, and what strategies
    hand over to each other inside."""

    message: str
    cancels: tuple[str, ...]
    trades: tuple[FlattenTradeView, ...]
    crosses: tuple[FlattenCrossView, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.cancels or self.trades or self.crosses)


class ReloadView(View, frozen=True):
    """What a reload did, and the parameters in force (of a validation: those that would be, and no report)."""

    message: str
    config: dict[str, Any]
    report: ReloadReportView | None = None


def _sum(realized: float | None, unrealized: float | None) -> float | None:
    return None if realized is None or unrealized is None else realized + unrealized
