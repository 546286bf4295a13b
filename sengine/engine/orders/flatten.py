"""Bringing positions to zero for an operator: cancel what rests, trade what is held, and see it through.

What one strategy is to sell and another to buy is crossed between them at the mid, as fills of the engine's own without
commission; only what is left over is traded, so that the flatten never trades with itself.

An order that is being cancelled may still fill, and a market order in flight will. So a flatten is not over when its
orders are sent: until a strategy's position on a symbol is zero and nothing of it is open, that pair is ``pending``,
its signals are filtered, and whatever a late fill leaves is traded away as well. It ends without being done when one of
its own orders is rejected or cancelled: to send it again at once would only be rejected again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

from sengine.domain.order import Contribution, Fill, Order, ProposedOrder, Side
from sengine.domain.position import FLAT_BELOW
from sengine.engine.engine_state import EngineState
from sengine.engine.orders.flatten_plan import FlattenCross, FlattenPlan, FlattenTrade
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.outcome import Outcome
from sengine.engine.risk.pipeline import approve_reducing
from sengine.engine.state.saved import Flattening
from sengine.errors import EngineError

Pair = tuple[str, str]


class Flattener:
    """Carries flattens out."""

    def __init__(self, state: EngineState, flow: OrderFlow) -> None:
        self._state = state
        self._portfolio = state.portfolio
        self._orders = state.orders
        self.pending = state.flattening
        self._flow = flow

    def knows(self, strategy_id: str, symbol: str) -> bool:
        """Whether anything was ever held, or is in flight, that a flatten of these names would look at."""
        held = ((each.strategy_id, each.symbol) for each in self._portfolio.positions())
        return any(_matches(pair, strategy_id, symbol) for pair in (*held, *self._orders.pairs()))

    def plan(self, strategy_id: str = "", symbol: str = "") -> FlattenPlan:
        """What a flatten of one strategy, one symbol, or both (empty: all) would do now; nothing changes."""
        return self._plan(self._pairs(strategy_id, symbol))

    def begin(self, strategy_id: str, symbol: str, outcome: Outcome, now_ns: int) -> FlattenPlan:
        """Cancel and trade what can be at once; the rest follows as orders end."""
        pairs = self._pairs(strategy_id, symbol)
        plan = self._plan(pairs)
        self._flow.begin(outcome, now_ns)
        for pair in pairs:
            self._state.votes.withdraw_on(pair[0], pair[1])
            self.pending.setdefault(pair, Flattening())
        for order_id in plan.cancels:
            self._flow.cancel(order_id)
        self._trade(now_ns)
        return plan

    def waits_for(self, strategy_id: str = "", symbol: str = "") -> str:
        """``waits for the next book of BTCUSDT``: what is under way still needs; empty when nothing is under way."""
        pairs = [pair for pair in sorted(self.pending) if _matches(pair, strategy_id, symbol)]
        in_flight = [(pair[1], each) for pair in pairs for each in self._orders.of(*pair)]
        resting = {each.order.order_id for _, each in in_flight if each.rests}
        awaited = [f"the end of {len(resting)} order{'s' * (len(resting) != 1)}"] if resting else []
        symbols = ", ".join(dict.fromkeys(symbol for symbol, each in in_flight if not each.rests))
        if symbols:
            # A market order that did not fill at once fills at a book, or when an execution service says so.
            awaited.append(f"{'' if self._flow.is_simulated else 'fills or '}the next book of {symbols}")
        return f"waits for {' and '.join(awaited)}" if awaited else ""

    def follow_up(self, outcome: Outcome, now_ns: int) -> None:
        """After fills and other news of orders: trade what they left, and see who is done."""
        self._flow.begin(outcome, now_ns)
        for pair, flattening in list(self.pending.items()):
            failed = [order_id for order_id in flattening.order_ids if self._orders.ended_early(order_id)]
            if failed:
                del self.pending[pair]
                outcome.warnings.append(
                    f"flatten of {pair[0]} {pair[1]} is not done: order {failed[0]} did not fill, and "
                    f"{self._portfolio.quantity(*pair):g} are held; flatten again"
                )
        self._trade(now_ns)

    def recall(self, orders: Sequence[Order]) -> None:
        """Orders that were sent then; those of a flatten answer to no signal."""
        for order in orders:
            for part in order.contributions:
                flattening = self.pending.get((part.strategy_id, order.symbol))
                if flattening is not None and not part.signal_sequence:
                    flattening.order_ids.append(order.order_id)
        self._end_done()

    def book(self, fills: Sequence[Fill]) -> None:
        """Crosses, a sell and a buy each."""
        self._state.crossed += len(fills) // 2
        self._flow.cross(fills)

    def give_up(self) -> int:
        """Leave what is pending as it is; how many pairs that were."""
        given_up = len(self.pending)
        self.pending.clear()
        return given_up

    def _trade(self, now_ns: int) -> None:
        crosses, trades = ((), ()) if self._state.is_following else self._matched(sorted(self.pending))
        for cross in crosses:
            self.book(self._fills_of(cross, now_ns))
        for trade in trades:
            contributions = tuple(Contribution(name, quantity, 0) for name, quantity in trade.parts)
            order_id = self._send(ProposedOrder(trade.symbol, trade.side, trade.quantity, now_ns, contributions))
            for name, _ in trade.parts:
                self.pending[name, trade.symbol].order_ids.append(order_id)
        self._end_done()

    def _send(self, proposal: ProposedOrder) -> str:
        """Send what only takes from positions, past the kill switch and the checks; its order id. Raises
        ``EngineError`` when it would not reduce."""
        verdict = approve_reducing(proposal, self._portfolio.quantity, self._state.next_order_id())
        if not isinstance(verdict, Order):
            raise EngineError(verdict.reason)
        self._flow.send(verdict)
        return verdict.order_id

    def _end_done(self) -> None:
        for pair in [pair for pair in self.pending if not (self._portfolio.quantity(*pair) or self._orders.of(*pair))]:
            del self.pending[pair]

    def _pairs(self, strategy_id: str, symbol: str) -> list[Pair]:
        """All that hold something or have something in flight, in an order that is theirs and not history's."""
        held = {(each.strategy_id, each.symbol) for each in self._portfolio.positions() if each.quantity}
        pairs = held.union(self._orders.pairs())
        return sorted(pair for pair in pairs if _matches(pair, strategy_id, symbol))

    def _plan(self, pairs: Iterable[Pair]) -> FlattenPlan:
        pairs = list(pairs)
        resting = [each for pair in pairs for each in self._orders.of(*pair) if each.rests and not each.is_cancelling]
        cancels = tuple(dict.fromkeys(each.order.order_id for each in resting))
        crosses, trades = self._matched(pairs)
        return FlattenPlan(cancels, tuple(crosses), tuple(trades))

    def _matched(self, pairs: Iterable[Pair]) -> tuple[Sequence[FlattenCross], Sequence[FlattenTrade]]:
        """What is crossed, and at most one order a symbol for what is left, symbols in alphabetical order. Who is
        crossed with whom goes by their names, so that quantities stay whole."""
        by_symbol: dict[str, list[tuple[str, float]]] = {}
        for strategy_id, symbol in pairs:
            quantity = self._missing(strategy_id, symbol)
            if quantity:
                by_symbol.setdefault(symbol, []).append((strategy_id, quantity))
        crosses: list[FlattenCross] = []
        trades: list[FlattenTrade] = []
        for symbol, parts in sorted(by_symbol.items()):
            crosses += self._crossed(symbol, parts) if isfinite(self._state.risk_view.price(symbol)) else ()
            for side in (Side.BUY, Side.SELL):
                own = tuple([part for part in parts if part[1] * (1.0 if side is Side.BUY else -1.0) > 0.0])
                if own:
                    trades.append(FlattenTrade(symbol, side, own))
        return crosses, trades

    def _crossed(self, symbol: str, parts: list[tuple[str, float]]) -> Sequence[FlattenCross]:
        """Takes what can be crossed out of ``parts``, which keep what is to be traded."""
        crosses = []
        sellers = [place for place, (_, quantity) in enumerate(parts) if quantity < 0.0]
        buyers = [place for place, (_, quantity) in enumerate(parts) if quantity > 0.0]
        while sellers and buyers:
            (seller, to_sell), (buyer, to_buy) = parts[sellers[0]], parts[buyers[0]]
            quantity = min(-to_sell, to_buy)
            crosses.append(FlattenCross(symbol, seller, buyer, quantity))
            for side, name, left in ((sellers, seller, to_sell + quantity), (buyers, buyer, to_buy - quantity)):
                is_done = abs(left) <= FLAT_BELOW * self._portfolio.largest(name, symbol)
                parts[side[0]] = (name, 0.0 if is_done else left)
                if is_done:
                    del side[0]
        return crosses

    def _fills_of(self, cross: FlattenCross, now_ns: int) -> Sequence[Fill]:
        """Both sides of a cross, each already its strategy's own."""
        state = self._state
        order_id, price = f"{state.order_prefix}x{state.crossed + 1}", state.risk_view.price(cross.symbol)
        return [
            Fill(order_id, name, cross.symbol, side, price, cross.quantity, 0.0, now_ns, f"{order_id}-{number}")
            for number, (name, side) in enumerate(((cross.seller, "sell"), (cross.buyer, "buy")), 1)
        ]

    def _missing(self, strategy_id: str, symbol: str) -> float:
        """What is still to be traded: minus the position and the market orders in flight, and never more than held."""
        held = self._portfolio.quantity(strategy_id, symbol)
        wanted = -(held + self._orders.market_in_flight(strategy_id, symbol))
        reducing = min(max(wanted, -held), 0.0) if held > 0.0 else max(min(wanted, -held), 0.0)
        return reducing if abs(reducing) > FLAT_BELOW * self._portfolio.largest(strategy_id, symbol) else 0.0


def _matches(pair: Pair, strategy_id: str, symbol: str) -> bool:
    return strategy_id in ("", pair[0]) and symbol in ("", pair[1])
