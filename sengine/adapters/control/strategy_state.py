"""The whole engine at one moment, as plain immutable values: what the API, the metrics and the screen are made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from sengine.domain.position import Position
from sengine.domain.state import StrategyState
from sengine.engine.core import Engine
from sengine.engine.strategies.exported import described as own_words
from sengine.engine.strategies.faults import in_words
from sengine.engine.strategies.runtime import StrategyRuntime


class OpenOrder(msgspec.Struct, frozen=True):
    """An order in flight. ``limit_price`` is ``None`` for a market order."""

    order_id: str
    symbol: str
    side: str
    quantity: float
    filled: float
    limit_price: float | None
    timestamp_ns: int
    strategy_ids: Sequence[str]


class SymbolState(msgspec.Struct, frozen=True):
    """The market of one symbol; prices are 0.0 until there is a book."""

    symbol: str
    bid: float
    ask: float
    last_ns: int


class EngineSnapshot(msgspec.Struct, frozen=True):
    """Everything there is to show. Money is in quote currency, latencies are microseconds."""

    now_ns: int
    ticks: int
    kill_reason: str
    strategies: Sequence[StrategyState]
    positions: Sequence[Position]
    orders: Sequence[OpenOrder]
    symbols: Sequence[SymbolState]
    rejected: dict[str, int]
    gaps: dict[str, int]
    anomalies: dict[str, int]
    signals: int
    dispositions: dict[str, int]
    filtered_by: dict[str, int]
    orders_sent: int
    realized_pnl: float
    unrealized_pnl: float
    tick_us: dict[str, float]


def snapshot(engine: Engine) -> EngineSnapshot:
    """A consistent view; it shares nothing mutable with the engine."""
    total = engine.portfolio.total
    return EngineSnapshot(
        now_ns=engine.now_ns,
        ticks=engine.ticks,
        kill_reason=engine.kill_reason,
        strategies=tuple(strategy_state(engine, runtime) for runtime in engine.registry),
        positions=tuple(Position(*position.values) for position in engine.portfolio.positions()),
        orders=tuple(
            OpenOrder(
                working.order.order_id,
                working.order.symbol,
                working.order.side,
                working.order.quantity,
                working.filled,
                working.order.limit_price,
                working.order.timestamp_ns,
                tuple(part.strategy_id for part in working.order.contributions),
            )
            for working in engine.orders.open_orders()
        ),
        symbols=tuple(
            SymbolState(
                market.symbol,
                market.book.bids[0].price if market.has_book else 0.0,
                market.book.asks[0].price if market.has_book else 0.0,
                market.last_ns,
            )
            for market in engine.markets.values()
        ),
        rejected=dict(engine.rejected),
        gaps=dict(engine.gaps),
        anomalies=dict(engine.anomalies),
        signals=engine.signals_generated,
        dispositions={str(name): count for name, count in engine.dispositions.items()},
        filtered_by=dict(engine.filtered_by),
        orders_sent=engine.orders_sent,
        realized_pnl=total.realized,
        unrealized_pnl=total.unrealized,
        tick_us=engine.tick_latency.summary_us(),
    )


def strategy_state(engine: Engine, runtime: StrategyRuntime) -> StrategyState:
    """One strategy, with what it says of itself; a failing ``get_state`` shows as its error."""
    own = [position for position in engine.portfolio.positions() if position.strategy_id == runtime.strategy_id]
    account = engine.portfolio.equity_of(runtime.strategy_id)
    return StrategyState(
        strategy_id=runtime.strategy_id,
        is_active=runtime.is_active,
        state=runtime.lifecycle.state,
        position=sum(position.quantity for position in own),
        unrealized_pnl=account.unrealized,
        realized_pnl=account.realized,
        tick_count=runtime.ticks,
        signal_count=runtime.signals,
        error_count=sum(runtime.errors.values()),
        last_signal_ns=runtime.last_signal_ns,
        last_error=runtime.last_fault.message if runtime.last_fault is not None else "",
        pause_reason=runtime.pause_reason,
        version=runtime.spec.version,
        symbols=tuple(runtime.spec.symbols),
        route=runtime.spec.route,
        on_tick_us=runtime.on_tick_latency.summary_us(),
        over_budget=runtime.on_tick_latency.over_budget,
        stalled_s=runtime.stalled_s,
        stalled_reason=runtime.stalled_reason,
        metadata=_described(runtime),
    )


def _described(runtime: StrategyRuntime) -> dict[str, Any]:
    """What the strategy's instances say of themselves, by symbol."""
    described: dict[str, Any] = {}
    for symbol, instance in runtime.instances.items():
        try:
            with runtime.guard.calling(runtime):
                described[symbol] = own_words(instance)
        except BaseException as error:
            runtime.guard.contain(error)
            said, _ = in_words(runtime.guard, runtime, error)
            described[symbol] = {"error": f"get_state failed: {said}"}
    return described
