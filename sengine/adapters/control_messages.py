"""The engine's state as the control API's messages.

What grows with the number of strategies and positions is made in short pieces, because it runs on the tick loop: a
snapshot of a large engine can be a few ticks older at its beginning than at its end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from time import time_ns
from typing import Any, Final

import orjson

from sengine import __version__
from sengine.adapters.control_risk import WorstExposure, risk_messages
from sengine.adapters.facts import FeedFigures, GatewayFigures, ReplayDrive, ServiceFacts
from sengine.adapters.loop_share import LoopShare
from sengine.config.redact import plain
from sengine.domain.position import Position
from sengine.domain.reload import ReloadReport
from sengine.engine.core import Engine
from sengine.engine.flatten import FlattenPlan
from sengine.engine.guest import Guest
from sengine.engine.latency import LatencyHistogram
from sengine.engine.markets import Market
from sengine.engine.orders import WorkingOrder
from sengine.engine.snapshot import strategy_state
from sengine.live import FillRecord, LiveEngine, LogRecord, SignalRecord
from sengine.proto import engine_pb2 as pb

# The texts of a stream's messages are bounded, whatever a strategy or a service put into them.
LONGEST_TEXT: Final = 16_384
NO_STATE: Final = "none"


def shown_time_ns(live: LiveEngine, facts: ServiceFacts) -> int:
    """The wall clock; of a replay its own time, which is what its screens are about."""
    return time_ns() if facts.replay is None else live.engine.now_ns


async def snapshot_message(live: LiveEngine, facts: ServiceFacts, address: str) -> pb.Snapshot:
    """Everything there is to show."""
    engine, share = live.engine, LoopShare()
    held, exposure = _quantities(engine), WorstExposure()
    strategies = [strategy_message(engine, facts, guest, held) async for guest in share.over(list(engine.roster))]
    positions = []
    async for position in share.over(list(engine.positions.positions())):
        in_flight = engine.orders.in_flight(position.strategy_id, position.symbol)
        exposure.see(max(abs(position.quantity), abs(position.quantity + in_flight)), position)
        if position.quantity or position.realized_pnl or in_flight:
            positions.append(_position(position, in_flight))
    orders = [_order(working) async for working in share.over(list(engine.orders.open_orders()))]
    symbols = [symbol_message(market) async for market in share.over(list(engine.markets.values()))]
    reasons = facts.not_ready_because(live)
    total = engine.positions.total
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
        kill_reason=_text(engine.kill_reason),
        ticks=engine.ticks,
        strategies=strategies,
        failed=failed_messages(facts),
        positions=positions,
        orders=orders,
        symbols=symbols,
        risk=risk_messages(live, exposure),
        initial_capital=engine.positions.initial_capital,
        realized_pnl=total.realized,
        unrealized_pnl=total.unrealized,
        peak_pnl=total.peak,
        signals=engine.signals_generated,
        dispositions=_named(engine.dispositions),
        orders_sent=engine.orders_sent,
        order_updates=_named(live.order_updates),
        rejected=engine.rejected,
        gaps=engine.gaps,
        anomalies=engine.anomalies,
        tick=latency_message(engine.tick_latency),
        feed=_feed(facts.feed),
        gateway=_gateway(facts.gateway),
        replay=_replay(facts.replay),
        reloads=[reload_message(report, with_steps=False) for report in facts.reloads.recent],
    )


async def strategies_message(live: LiveEngine, facts: ServiceFacts) -> pb.ListStrategiesResponse:
    engine, share = live.engine, LoopShare()
    held = _quantities(engine)
    return pb.ListStrategiesResponse(
        strategies=[strategy_message(engine, facts, guest, held) async for guest in share.over(list(engine.roster))],
        failed=failed_messages(facts),
    )


def strategy_message(engine: Engine, facts: ServiceFacts, guest: Guest, held: Mapping[str, float]) -> pb.StrategyState:
    """``held`` is the quantity of each strategy, summed over its symbols."""
    account = engine.positions.equity_of(guest.strategy_id)
    fault = guest.last_fault
    return pb.StrategyState(
        strategy_id=guest.strategy_id,
        state=guest.lifecycle.state,
        is_active=guest.is_active,
        pause_reason=_text(guest.pause_reason),
        version=guest.spec.version,
        source=guest.spec.source,
        route=guest.spec.route,
        symbols=guest.spec.symbols,
        data=guest.spec.kinds,
        ticks=guest.ticks,
        signals=guest.signals,
        last_signal_ns=guest.last_signal_ns,
        errors=sum(guest.errors.values()),
        errors_by_type=guest.errors,
        last_error=_text(fault.message) if fault is not None else "",
        last_error_where=fault.where if fault is not None else "",
        last_error_ns=fault.timestamp_ns if fault is not None else 0,
        last_reload_ns=facts.reloads.last_ns.get(guest.strategy_id, 0),
        position=held.get(guest.strategy_id, 0.0),
        realized_pnl=account.realized,
        unrealized_pnl=account.unrealized,
        peak_pnl=account.peak,
        on_tick=latency_message(guest.on_tick_latency),
        over_budget=guest.on_tick_latency.over_budget,
        stalled_s=guest.stalled_s,
    )


def strategy_detail(live: LiveEngine, facts: ServiceFacts, guest: Guest) -> pb.StrategyDetail:
    """One strategy in full. This calls the strategy's ``get_state``; when that fails, the failure is shown instead."""
    engine, name = live.engine, guest.strategy_id
    return pb.StrategyDetail(
        state=strategy_message(engine, facts, guest, _quantities(engine)),
        config_json=config_text(guest.config),
        own_state_json=json_text(strategy_state(engine, guest).metadata),
        last_traceback=_text(guest.last_fault.traceback) if guest.last_fault is not None else "",
        positions=[position_message(engine, each) for each in engine.positions.positions() if each.strategy_id == name],
        signals=[signal_message(record) for record in live.signals.history if record.strategy_id == name],
        fills=[fill_message(record) for record in live.fills.history if record.share.strategy_id == name],
        reloads=[reload_message(report) for report in facts.reloads.of(name)],
    )


def fill_message(record: FillRecord) -> pb.StrategyFill:
    share = record.share
    return pb.StrategyFill(
        timestamp_ns=share.timestamp_ns,
        order_id=share.order_id,
        symbol=share.symbol,
        side=share.side,
        price=share.price,
        quantity=share.quantity,
        commission=share.commission,
        realized_pnl=record.realized,
    )


def failed_messages(facts: ServiceFacts) -> list[pb.FailedStrategy]:
    return [pb.FailedStrategy(strategy_id=name, reason=_text(reason)) for name, reason in facts.failed]


async def positions_message(live: LiveEngine, strategy_id: str, include_flat: bool) -> pb.GetPositionsResponse:
    """Raises ``EngineError`` for a strategy that is neither loaded nor has ever held anything."""
    engine = live.engine
    wanted = [
        each
        for each in engine.positions.positions()
        if strategy_id in ("", each.strategy_id) and (include_flat or each.quantity)
    ]
    if strategy_id and not wanted and not any(each.strategy_id == strategy_id for each in engine.positions.positions()):
        engine.roster.get(strategy_id)
    account = engine.positions.equity_of(strategy_id) if strategy_id else engine.positions.total
    return pb.GetPositionsResponse(
        positions=[position_message(engine, each) async for each in LoopShare().over(wanted)],
        realized_pnl=account.realized,
        unrealized_pnl=account.unrealized,
    )


def position_message(engine: Engine, position: Position) -> pb.Position:
    return _position(position, engine.orders.in_flight(position.strategy_id, position.symbol))


def _position(position: Position, in_flight: float) -> pb.Position:
    return pb.Position(
        strategy_id=position.strategy_id,
        symbol=position.symbol,
        quantity=position.quantity,
        in_flight=in_flight,
        average_price=position.average_price,
        mark_price=position.mark_price,
        realized_pnl=position.realized_pnl,
        unrealized_pnl=position.unrealized_pnl,
        commission=position.commission,
    )


def symbol_message(market: Market) -> pb.SymbolState:
    if not market.has_book:
        return pb.SymbolState(symbol=market.symbol, mid=market.mid, last_ns=max(market.last_ns, 0))
    bid, ask = market.book.bids[0], market.book.asks[0]
    return pb.SymbolState(
        symbol=market.symbol,
        bid=bid.price,
        ask=ask.price,
        bid_quantity=bid.quantity,
        ask_quantity=ask.quantity,
        mid=market.mid,
        last_ns=max(market.last_ns, 0),
    )


def market_message(market: Market, mid_times_ns: Iterable[int], mids: Iterable[float]) -> pb.MarketDetail:
    bar = market.bar
    return pb.MarketDetail(
        state=symbol_message(market),
        bids=[pb.PriceLevel(price=level.price, quantity=level.quantity) for level in market.book.bids],
        asks=[pb.PriceLevel(price=level.price, quantity=level.quantity) for level in market.book.asks],
        trades=[
            pb.Trade(timestamp_ns=each.timestamp_ns, price=each.price, quantity=each.quantity, side=each.side)
            for each in market.recent_trades
        ],
        bar=None
        if bar is None
        else pb.Bar(open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume),
        mid_times_ns=mid_times_ns,
        mids=mids,
    )


def signal_message(record: SignalRecord) -> pb.Signal:
    return pb.Signal(
        timestamp_ns=record.timestamp_ns,
        strategy_id=record.strategy_id,
        symbol=record.symbol,
        direction=record.direction,
        confidence=record.confidence,
        size=record.size,
        disposition=record.disposition,
        check=record.check,
        reason=_text(record.reason),
        version=record.version,
    )


def log_message(record: LogRecord) -> pb.LogLine:
    return pb.LogLine(
        time_ns=record.time_ns,
        level=record.level,
        event=_text(record.event),
        fields_json=json_text(record.fields),
    )


def reload_message(report: ReloadReport, *, with_steps: bool = True) -> pb.ReloadReport:
    compared = report.compared
    return pb.ReloadReport(
        strategy_id=report.strategy_id,
        what=report.what,
        trigger=report.trigger,
        time_ns=report.time_ns,
        is_done=report.is_done,
        old_version=report.old_version,
        new_version=report.new_version,
        message=_text(report.message),
        reason=_text(report.reason),
        where=_text(report.where),
        steps=[
            pb.ReloadStep(name=step.name, is_done=step.is_done, took_ms=step.took_ms, note=_text(step.note))
            for step in (report.steps if with_steps else ())
        ],
        compared=None
        if compared is None
        else pb.SignalComparison(
            ticks=compared.ticks,
            same=compared.same,
            differ=compared.differ,
            first_difference=_text(compared.first_difference),
        ),
        on_tick_p50_us=report.on_tick_p50_us,
        on_tick_p99_us=report.on_tick_p99_us,
        swap_pause_us=report.swap_pause_us,
        longest_stall_us=report.longest_stall_us,
        took_ms=report.took_ms,
    )


def latency_message(histogram: LatencyHistogram) -> pb.Latency:
    counts = histogram.octave_counts()
    while counts and not counts[-1]:
        counts.pop()
    if not counts:
        return pb.Latency()
    return pb.Latency(
        count=histogram.count,
        p50_us=histogram.percentile_ns(0.50) / 1000,
        p99_us=histogram.percentile_ns(0.99) / 1000,
        max_us=histogram.max_ns / 1000,
        octave_counts=counts,
    )


def config_text(config: Mapping[str, Any]) -> str:
    """Parameters as JSON, without their secrets; ``with_secrets`` takes them back."""
    return json_text(plain(dict(config)))


def json_text(value: Any) -> str:
    """JSON of anything; what JSON does not have is shown as Python writes it."""
    try:
        text = orjson.dumps(value, default=repr, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError):
        text = orjson.dumps({"value": repr(value)[:1000]}).decode()
    return text if len(text) <= LONGEST_TEXT else orjson.dumps({"cut": text[:1000]}).decode()


def _text(text: str) -> str:
    """Bounded, and always encodable: an exception's message can hold anything."""
    if len(text) > LONGEST_TEXT:
        text = text[: LONGEST_TEXT // 2] + "\n...\n" + text[-LONGEST_TEXT // 2 :]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _quantities(engine: Engine) -> dict[str, float]:
    held: dict[str, float] = {}
    for position in engine.positions.positions():
        held[position.strategy_id] = held.get(position.strategy_id, 0.0) + position.quantity
    return held


def _order(working: WorkingOrder) -> pb.OpenOrder:
    order = working.order
    return pb.OpenOrder(
        order_id=order.order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        filled=working.filled,
        limit_price=order.limit_price,
        timestamp_ns=order.timestamp_ns,
        strategy_ids=[part.strategy_id for part in order.contributions],
        is_cancelling=working.is_cancelling,
    )


def flatten_reply(plan: FlattenPlan, waits_for: str = "") -> pb.FlattenReply:
    """``waits_for`` is what a flatten that is under way still needs."""
    said = "; ".join(filter(None, (plan.in_words, waits_for)))
    return pb.FlattenReply(
        message=said or "nothing to flatten: no position is held and no order rests there",
        cancels=plan.cancels,
        trades=[
            pb.FlattenTrade(
                symbol=each.symbol,
                side=each.side,
                quantity=each.quantity,
                strategy_ids=[name for name, _ in each.parts],
            )
            for each in plan.trades
        ],
    )


def _feed(feed: FeedFigures | None) -> pb.FeedHealth:
    if feed is None:
        return pb.FeedHealth(state=NO_STATE)
    return pb.FeedHealth(
        state=feed.state,
        messages=feed.messages,
        decoded=feed.decoded,
        malformed=dict(feed.malformed),
        oversized=feed.oversized,
        dropped=feed.dropped,
        conflated=feed.conflated,
        reconnects=feed.reconnects,
        pending=feed.pending,
        lag=latency_message(feed.lag),
    )


def _replay(replay: ReplayDrive | None) -> pb.ReplayProgress | None:
    if replay is None:
        return None
    return pb.ReplayProgress(
        source=replay.source,
        fraction_done=replay.fraction_done,
        speed=replay.speed,
        is_paused=replay.is_paused,
        is_over=replay.is_over,
    )


def _gateway(gateway: GatewayFigures | None) -> pb.GatewayHealth:
    if gateway is None:
        return pb.GatewayHealth(state=NO_STATE)
    return pb.GatewayHealth(
        state=gateway.state,
        sent=gateway.sent,
        accepted=gateway.accepted,
        rejected=gateway.rejected,
        unknown=gateway.unknown,
        retried=gateway.retried,
        dropped=gateway.dropped,
        queue_depth=gateway.queue_depth,
        ack=latency_message(gateway.ack),
        tick_to_order=latency_message(gateway.tick_to_order),
    )


def _named(counts: Mapping[Any, int]) -> dict[str, int]:
    return {str(name): count for name, count in counts.items()}
