"""What is held and what is to be traded as the control API's messages: positions, open orders, a flatten."""

from __future__ import annotations

import msgspec

from sengine.domain.currencies import CurrencySums
from sengine.domain.events import HoldFill
from sengine.domain.position import Position, net
from sengine.engine.core import Engine
from sengine.engine.orders.flatten_plan import FlattenPlan
from sengine.engine.state.orders import WorkingOrder, identity_of
from sengine.proto import engine_pb2 as pb
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.loop_share import LoopShare


async def positions_message(live: LiveEngine, strategy_id: str, include_flat: bool) -> pb.GetPositionsResponse:
    """Raises ``EngineError`` for a strategy that is neither loaded nor has ever held anything."""
    engine = live.engine
    wanted = [
        each
        for each in engine.portfolio.positions()
        if strategy_id in ("", each.strategy_id) and (include_flat or each.quantity)
    ]
    if strategy_id and not wanted and not any(each.strategy_id == strategy_id for each in engine.portfolio.positions()):
        engine.registry.get(strategy_id)
    account = engine.portfolio.equity_of(strategy_id) if strategy_id else engine.portfolio.total
    reason = engine.portfolio.currencies.without_sum.get(strategy_id, "")
    sums, share = CurrencySums(), LoopShare()
    async for each in share.over(list(engine.portfolio.positions())):
        if strategy_id in ("", each.strategy_id):
            sums.add(each)
    return pb.GetPositionsResponse(
        positions=[position_message(engine, each) async for each in share.over(wanted)],
        realized_pnl=None if reason else account.realized,
        unrealized_pnl=None if reason else account.unrealized,
        totals=total_messages(sums),
        not_added_up=reason,
    )


def total_messages(sums: CurrencySums) -> list[pb.CurrencyTotal]:
    return [pb.CurrencyTotal(**msgspec.structs.asdict(each)) for each in sums.totals()]


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


def quantities(engine: Engine) -> dict[str, float]:
    held: dict[str, list[float]] = {}
    for position in engine.portfolio.positions():
        held.setdefault(position.strategy_id, []).append(position.quantity)
    return {strategy_id: net(quantities) for strategy_id, quantities in held.items()}


def order_message(working: WorkingOrder) -> pb.OpenOrder:
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


def held_fill_message(held: HoldFill) -> pb.HeldFill:
    fill = held.fill
    return pb.HeldFill(
        fill_id=identity_of(fill),
        order_id=fill.order_id,
        symbol=fill.symbol,
        side=fill.side,
        price=fill.price,
        quantity=fill.quantity,
        commission=fill.commission,
        timestamp_ns=fill.timestamp_ns,
        reason=held.reason,
    )


def flatten_reply(plan: FlattenPlan, waits_for: str = "") -> pb.FlattenReply:
    """``waits_for`` is what a flatten that is under way still needs."""
    said = "; ".join(filter(None, (plan.in_words, waits_for)))
    return pb.FlattenReply(
        message=said or "nothing to flatten: no position is held and no order rests there",
        cancels=plan.cancels,
        crosses=[
            pb.FlattenCross(symbol=each.symbol, seller=each.seller, buyer=each.buyer, quantity=each.quantity)
            for each in plan.crosses
        ],
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
