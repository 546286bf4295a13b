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
from sengine.engine.strategies.runtime import Guest


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
    total = engine.positions.total
    return EngineSnapshot(
        now_ns=engine.now_ns,
        ticks=engine.ticks,
        kill_reason=engine.kill_reason,
        strategies=tuple(strategy_state(engine, guest) for guest in engine.roster),
        positions=tuple(Position(*position.values) for position in engine.positions.positions()),
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


def strategy_state(engine: Engine, guest: Guest) -> StrategyState:
    """One strategy, with what it says of itself; a failing ``get_state`` shows as its error."""
    own = [position for position in engine.positions.positions() if position.strategy_id == guest.strategy_id]
    account = engine.positions.equity_of(guest.strategy_id)
    return StrategyState(
        strategy_id=guest.strategy_id,
        is_active=guest.is_active,
        state=guest.lifecycle.state,
        position=sum(position.quantity for position in own),
        unrealized_pnl=account.unrealized,
        realized_pnl=account.realized,
        tick_count=guest.ticks,
        signal_count=guest.signals,
        error_count=sum(guest.errors.values()),
        last_signal_ns=guest.last_signal_ns,
        last_error=guest.last_fault.message if guest.last_fault is not None else "",
        pause_reason=guest.pause_reason,
        version=guest.spec.version,
        symbols=tuple(guest.spec.symbols),
        route=guest.spec.route,
        on_tick_us=guest.on_tick_latency.summary_us(),
        over_budget=guest.on_tick_latency.over_budget,
        stalled_s=guest.stalled_s,
        stalled_reason=guest.stalled_reason,
        metadata=_described(guest),
    )


def _described(guest: Guest) -> dict[str, Any]:
    """What the strategy's instances say of themselves, by symbol."""
    described: dict[str, Any] = {}
    for symbol, instance in guest.instances.items():
        try:
            with guest.guard.calling(guest):
                described[symbol] = own_words(instance)
        except BaseException as error:
            guest.guard.contain(error)
            said, _ = in_words(guest.guard, guest, error)
            described[symbol] = {"error": f"get_state failed: {said}"}
    return described
