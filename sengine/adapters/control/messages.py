"""The engine's state as the control API's messages.

What grows with the number of strategies and positions is made in short pieces, because it runs on the tick loop: a
snapshot of a large engine can be a few ticks older at its beginning than at its end.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from time import time_ns
from typing import Any, Final

from sengine import __version__
from sengine.adapters.control.health import feed_message, gateway_message, latency_message, replay_message
from sengine.adapters.control.holdings import (
    _position,
    held_fill_message,
    order_message,
    position_message,
    quantities,
    total_messages,
)
from sengine.adapters.control.market import symbol_message
from sengine.adapters.control.records import fill_message, reload_message, signal_message
from sengine.adapters.control.risk import WorstExposure, risk_messages
from sengine.adapters.control.strategy_state import strategy_state
from sengine.adapters.control.text import bounded_text, config_text, json_text
from sengine.domain.currencies import CurrencySums
from sengine.engine.core import Engine
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.proto import engine_pb2 as pb
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.loop_share import LoopShare
from sengine.runtime.status import ServiceStatus

_LOOSENED_SHOWN: Final = 10
_HELD_SHOWN: Final = 50


def shown_time_ns(live: LiveEngine, facts: ServiceStatus) -> int:
    """The wall clock; of a replay its own time, which is what its screens are about."""
    return time_ns() if facts.replay is None else live.engine.now_ns


async def snapshot_message(live: LiveEngine, facts: ServiceStatus, address: str) -> pb.Snapshot:
    """Everything there is to show."""
    engine, share = live.engine, LoopShare()
    held, unsummed, exposure = quantities(engine), engine.portfolio.currencies.without_sum, WorstExposure()
    strategies = [
        strategy_message(engine, facts, runtime, held, unsummed) async for runtime in share.over(list(engine.registry))
    ]
    positions, sums = [], CurrencySums()
    async for position in share.over(list(engine.portfolio.positions())):
        in_flight = engine.orders.in_flight(position.strategy_id, position.symbol)
        sums.add(position)
        exposure.see(max(abs(position.quantity), abs(position.quantity + in_flight)), position)
        if position.quantity or position.realized_pnl or in_flight:
            positions.append(_position(position, in_flight))
    orders = [order_message(working) async for working in share.over(list(engine.orders.open_orders()))]
    symbols = [symbol_message(market) async for market in share.over(list(engine.markets.values()))]
    reasons = facts.not_ready_because(live)
    total, reason = engine.portfolio.total, unsummed.get("", "")
    now_ns = time_ns()
    return pb.Snapshot(
        service=pb.ServiceInfo(
            name=facts.name,
            version=__version__,
            pid=os.getpid(),
            started_ns=facts.started_ns,
            uptime_s=(now_ns - facts.started_ns) / 1e9,
            address=address,
            listeners=facts.listeners,
        ),
        time_ns=shown_time_ns(live, facts),
        now_ns=engine.now_ns,
        is_ready=not reasons,
        not_ready_because=reasons,
        kill_reason=bounded_text(live.kill_reason),
        ticks=engine.ticks,
        strategies=strategies,
        failed=failed_messages(facts),
        positions=positions,
        orders=orders,
        symbols=symbols,
        risk=risk_messages(live, exposure),
        initial_capital=engine.portfolio.initial_capital,
        realized_pnl=None if reason else total.realized,
        unrealized_pnl=None if reason else total.unrealized,
        peak_pnl=None if reason else total.peak,
        totals=total_messages(sums),
        not_added_up=reason,
        signals=engine.signals_generated,
        dispositions=_named(engine.dispositions),
        orders_sent=engine.orders_sent,
        order_updates=_named(live.order_updates),
        rejected=engine.rejected,
        gaps=engine.gaps,
        anomalies=engine.anomalies,
        overruled_closes={" ".join(pair): count for pair, count in engine.state.overruled_closes.items()},
        tick=latency_message(engine.tick_latency),
        feed=feed_message(facts.feed),
        gateway=gateway_message(facts.gateway),
        loosened_limits=[bounded_text(each) for each in engine.risk.loosened[-_LOOSENED_SHOWN:]],
        replay=replay_message(facts.replay),
        reloads=[reload_message(report, with_steps=False) for report in facts.reloads.recent],
        held_fills=[held_fill_message(held) for held in engine.held_fills.waiting[:_HELD_SHOWN]],
    )


async def strategies_message(live: LiveEngine, facts: ServiceStatus) -> pb.ListStrategiesResponse:
    engine, share = live.engine, LoopShare()
    held, unsummed = quantities(engine), engine.portfolio.currencies.without_sum
    return pb.ListStrategiesResponse(
        strategies=[
            strategy_message(engine, facts, runtime, held, unsummed)
            async for runtime in share.over(list(engine.registry))
        ],
        failed=failed_messages(facts),
    )


def strategy_message(
    engine: Engine,
    facts: ServiceStatus,
    runtime: StrategyRuntime,
    held: Mapping[str, float],
    unsummed: Mapping[str, str],
) -> pb.StrategyState:
    """``held`` is the quantity of each strategy, summed over its symbols; ``unsummed`` says whose P&L has no sum."""
    reason = unsummed.get(runtime.strategy_id, "")
    account = engine.portfolio.equity_of(runtime.strategy_id)
    fault = runtime.last_fault
    return pb.StrategyState(
        strategy_id=runtime.strategy_id,
        state=runtime.lifecycle.state,
        is_active=runtime.is_active,
        pause_reason=bounded_text(runtime.pause_reason),
        version=runtime.spec.version,
        source=runtime.spec.source,
        route=runtime.spec.route,
        symbols=runtime.spec.symbols,
        data=runtime.spec.kinds,
        ticks=runtime.ticks,
        signals=runtime.signals,
        last_signal_ns=runtime.last_signal_ns,
        errors=sum(runtime.errors.values()),
        errors_by_type=runtime.errors,
        last_error=bounded_text(fault.message) if fault is not None else "",
        last_error_where=fault.where if fault is not None else "",
        last_error_ns=fault.timestamp_ns if fault is not None else 0,
        last_reload_ns=facts.reloads.last_ns.get(runtime.strategy_id, 0),
        position=held.get(runtime.strategy_id, 0.0),
        realized_pnl=None if reason else account.realized,
        unrealized_pnl=None if reason else account.unrealized,
        peak_pnl=None if reason else account.peak,
        on_tick=latency_message(runtime.on_tick_latency),
        over_budget=runtime.on_tick_latency.over_budget,
        stalled_s=runtime.stalled_s,
        stalled_reason=bounded_text(runtime.stalled_reason),
        not_added_up=reason,
    )


def strategy_detail(live: LiveEngine, facts: ServiceStatus, runtime: StrategyRuntime) -> pb.StrategyDetail:
    """One strategy in full. This calls the strategy's ``get_state``; when that fails, the failure is shown instead."""
    engine, name = live.engine, runtime.strategy_id
    return pb.StrategyDetail(
        state=strategy_message(engine, facts, runtime, quantities(engine), engine.portfolio.currencies.without_sum),
        config_json=config_text(runtime.config),
        own_state_json=json_text(strategy_state(engine, runtime).metadata),
        last_traceback=bounded_text(runtime.last_fault.traceback) if runtime.last_fault is not None else "",
        positions=[position_message(engine, each) for each in engine.portfolio.positions() if each.strategy_id == name],
        signals=[signal_message(record) for record in live.signals_of.get(name, ())],
        fills=[fill_message(record) for record in live.fills.history if record.share.strategy_id == name],
        reloads=[reload_message(report) for report in facts.reloads.of(name)],
    )


def failed_messages(facts: ServiceStatus) -> list[pb.FailedStrategy]:
    return [pb.FailedStrategy(strategy_id=name, reason=bounded_text(reason)) for name, reason in facts.failed]


def _named(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(name): count for name, count in counts.items()}
