"""What checks are asked about, and all that they may see of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum, nan

from sengine.domain.market import OrderBook
from sengine.domain.order import ProposedOrder, Side
from sengine.domain.signal import StampedSignal
from sengine.engine.state.markets import Market
from sengine.engine.state.orders import OrderTracker
from sengine.engine.state.portfolio import Account, Portfolio
from sengine.engine.state.trading_record import TradingRecord


class ProposedContribution:
    """One strategy's part of a possible order. ``position`` holds what is in flight; ``quantity`` is signed."""

    __slots__ = ("confidence", "position", "quantity", "signal")

    def __init__(self, signal: StampedSignal, quantity: float, confidence: float, position: float) -> None:
        self.signal = signal
        self.quantity = quantity
        self.confidence = confidence
        self.position = position

    @property
    def reduces(self) -> bool:
        """Whether it leaves strictly less of a position than there is."""
        return abs(self.position + self.quantity) < abs(self.position)


class Exposure:
    """Notional in quote currency: held, gross and net, and what open orders may still buy and sell."""

    __slots__ = ("buying", "held_gross", "held_net", "selling")

    def __init__(self, held_gross: float, held_net: float, buying: float, selling: float) -> None:
        self.held_gross = held_gross
        self.held_net = held_net
        self.buying = buying
        self.selling = selling

    @property
    def gross(self) -> float:
        return self.held_gross + self.buying + self.selling

    @property
    def net(self) -> float:
        """The larger of where all open buys and where all open sells would take it."""
        return max(abs(self.held_net + self.buying), abs(self.held_net - self.selling))


class RiskView:
    """All that checks may see of the engine. Read only."""

    __slots__ = ("initial_capital", "late_ns", "markets", "orders", "portfolio", "record")

    def __init__(
        self,
        portfolio: Portfolio,
        orders: OrderTracker | None = None,
        markets: Mapping[str, Market] | None = None,
        record: TradingRecord | None = None,
    ) -> None:
        self.portfolio = portfolio
        self.initial_capital = portfolio.initial_capital
        self.orders = orders if orders is not None else OrderTracker()
        self.markets = markets if markets is not None else {}
        self.record = record if record is not None else TradingRecord()
        self.late_ns = 0
        """How long the event had waited to be processed that is being answered."""
        self.late_ns = 0
        """How long the event had waited to be processed that is being answered."""

    def equity_of(self, strategy_id: str) -> Account:
        """P&L of a strategy, of all together for ""."""
        return self.portfolio.equity_of(strategy_id) if strategy_id else self.portfolio.total

    def day_loss(self, strategy_id: str) -> float:
        """What a strategy, or all together for "", lost since the day began; below 0 where it won."""
        return self.record.day_equity.get(strategy_id, 0.0) - self.equity_of(strategy_id).equity

    def touch(self, symbol: str) -> OrderBook | None:
        market = self.markets.get(symbol)
        return market.touch if market is not None else None

    def price(self, symbol: str) -> float:
        """The current mid; NaN while there is none."""
        market = self.markets.get(symbol)
        return (market.mid or nan) if market is not None else nan

    def price_of(self, order: ProposedOrder) -> float:
        """What the order would trade at: its limit, else the touch on the other side; NaN where that is unknown."""
        if order.limit_price is not None:
            return order.limit_price
        touch = self.touch(order.symbol)
        if touch is None:
            return nan
        return touch.best_ask if order.side is Side.BUY else touch.best_bid

    def reduces(self, order: ProposedOrder) -> bool:
        """Whether every contributor is left with strictly less of a position, what is in flight counted in."""
        return all(abs(position + traded) < abs(position) for position, traded in self._parts(order))

    def closes(self, order: ProposedOrder) -> bool:
        """Whether it only takes from what every contributor has, and opens nothing on the other side."""
        return all(position * traded < 0.0 and abs(traded) <= abs(position) for position, traded in self._parts(order))

    def _parts(self, order: ProposedOrder) -> list[tuple[float, float]]:
        """Position and signed quantity of each contributor."""
        traded: dict[str, float] = {}
        for part in order.contributions:
            traded[part.strategy_id] = traded.get(part.strategy_id, 0.0) + part.quantity
        return [(self.position(strategy_id, order.symbol), quantity) for strategy_id, quantity in traded.items()]

    def position(self, strategy_id: str, symbol: str) -> float:
        """Held plus in flight."""
        return self.portfolio.quantity(strategy_id, symbol) + self.orders.in_flight(strategy_id, symbol)

    def held_or_in_flight(self) -> set[tuple[str, str]]:
        """(strategy, symbol) of every position that is not flat or may not stay so."""
        pairs = {
            (holding.position.strategy_id, symbol)
            for symbol, holdings in self.portfolio.open.items()
            for holding in holdings
        }
        for working in self.orders.open_orders():
            pairs.update((part.strategy_id, working.order.symbol) for part in working.order.contributions)
        return pairs

    def exposure(self, strategy_id: str, symbol: str) -> Exposure:
        """What is held and what may still fill, of one strategy, in one symbol, or both; "" is all.

        Notional at the current mid, long above 0. What is in flight counts in full on its side, so that a bid and an
        ask that rest do not cancel out.
        """
        gross = net = 0.0
        for held_symbol, holdings in self.portfolio.open.items():
            if symbol and symbol != held_symbol:
                continue
            for holding in holdings:
                position = holding.position
                if not strategy_id or strategy_id == position.strategy_id:
                    worth = position.quantity * position.mark_price
                    gross += abs(worth)
                    net += worth
        buying = selling = 0.0
        if not self.orders.count:
            return Exposure(gross, net, buying, selling)
        for working in self.orders.open_orders():
            order = working.order
            if symbol and symbol != order.symbol:
                continue
            share = 1.0 if not strategy_id else share_of(order, strategy_id)
            if share:
                worth = working.remaining * share * self.price(order.symbol)
                if order.side is Side.BUY:
                    buying += worth
                else:
                    selling += worth
        return Exposure(gross, net, buying, selling)


def share_of(order: ProposedOrder, strategy_id: str) -> float:
    """The part of an order that is this strategy's, 0 to 1."""
    parts = order.contributions
    if len(parts) == 1:
        return 1.0 if parts[0].strategy_id == strategy_id else 0.0
    own = fsum([abs(part.quantity) for part in parts if part.strategy_id == strategy_id])
    return own / order.quantity
