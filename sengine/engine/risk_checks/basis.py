"""What every check is made of: what it is asked about, what it may see, what it answers and how strict it is."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import fsum, inf, nan
from typing import Any, ClassVar

import msgspec

from sengine.domain.market import OrderBook
from sengine.domain.order import ProposedOrder, Side
from sengine.domain.signal import StampedSignal
from sengine.engine.markets import Market
from sengine.engine.orders import OrderTracker
from sengine.engine.positions import Account, PositionTracker
from sengine.engine.trading_record import TradingRecord


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """Why a check said no: which one, a stable code for metrics and tables, and a sentence with the values.

    ``disables`` asks for the strategy to be paused until a person resumes it.
    """

    check: str
    code: str
    reason: str
    disables: bool = False


class ProposedContribution(msgspec.Struct, frozen=True, gc=False):
    """One strategy's part of a possible order. ``position`` holds what is in flight; ``quantity`` is signed."""

    signal: StampedSignal
    quantity: float
    confidence: float
    position: float

    @property
    def reduces(self) -> bool:
        """Whether it leaves strictly less of a position than there is."""
        return abs(self.position + self.quantity) < abs(self.position)


class RiskView:
    """All that checks may see of the engine. Read only."""

    __slots__ = ("initial_capital", "late_ns", "markets", "orders", "positions", "record")

    def __init__(
        self,
        positions: PositionTracker,
        orders: OrderTracker | None = None,
        markets: Mapping[str, Market] | None = None,
        record: TradingRecord | None = None,
    ) -> None:
        self.positions = positions
        self.initial_capital = positions.initial_capital
        self.orders = orders if orders is not None else OrderTracker()
        self.markets = markets if markets is not None else {}
        self.record = record if record is not None else TradingRecord()
        self.late_ns = 0
        """How long the event had waited to be processed that is being answered."""

    def equity_of(self, strategy_id: str) -> Account:
        """P&L of a strategy, of all together for ""."""
        return self.positions.equity_of(strategy_id) if strategy_id else self.positions.total

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
        return self.positions.quantity(strategy_id, symbol) + self.orders.in_flight(strategy_id, symbol)

    def held_or_in_flight(self) -> set[tuple[str, str]]:
        """(strategy, symbol) of every position that is not flat or may not stay so."""
        pairs = {
            (holding.position.strategy_id, symbol)
            for symbol, holdings in self.positions.open.items()
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
        for held_symbol, holdings in self.positions.open.items():
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


class Exposure(msgspec.Struct, frozen=True, gc=False):
    """Notional in quote currency: held, gross and net, and what open orders may still buy and sell."""

    held_gross: float
    held_net: float
    buying: float
    selling: float

    @property
    def gross(self) -> float:
        return self.held_gross + self.buying + self.selling

    @property
    def net(self) -> float:
        """The larger of where all open buys and where all open sells would take it."""
        return max(abs(self.held_net + self.buying), abs(self.held_net - self.selling))


def share_of(order: ProposedOrder, strategy_id: str) -> float:
    """The part of an order that is this strategy's, 0 to 1."""
    parts = order.contributions
    if len(parts) == 1:
        return 1.0 if parts[0].strategy_id == strategy_id else 0.0
    own = fsum([abs(part.quantity) for part in parts if part.strategy_id == strategy_id])
    return own / order.quantity


class Usage(msgspec.Struct, frozen=True):
    """A limit and the worst figure against it right now, ``None`` where there is no such figure; whose it is."""

    limit_name: str = ""
    limit: float | None = None
    used: float | None = None
    used_by: str = ""


class Reducing(StrEnum):
    """Whether an order passes a check because it makes a position smaller."""

    PASSES = "passes"
    CLOSING_PASSES = "passes where it opens nothing on the other side"
    IS_CHECKED = "is checked as any other"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all checks. ``strategy`` and ``symbol`` say what it applies to; "" is all. ``label`` tells checks of one
    name apart.

    A strategy-scope check has ``review``, an order-scope check ``review_order``.
    """

    strategy: str = ""
    symbol: str = ""
    label: str = ""

    name: ClassVar[str]
    codes: ClassVar[Mapping[str, str]]
    """Stable reason codes, and when each is given."""
    reducing: ClassVar[Reducing]
    source: ClassVar[str]
    """The rule or recommendation that asks for it."""
    looser_above: ClassVar[tuple[str, ...]] = ()
    """Limits that let more pass when they are larger."""
    looser_below: ClassVar[tuple[str, ...]] = ()

    @property
    def title(self) -> str:
        """What it is called in refusals, metrics and on screens."""
        return self.label or self.name

    def refuse(self, code: str, reason: str) -> Refusal:
        return Refusal(self.title, code, reason)

    def usage(self, view: RiskView) -> Usage:
        """Its limit, and how much of it is used."""
        return Usage()

    def loosened_in(self, other: Check) -> list[str]:
        """The limits that ``other``, of the same name and scope, sets wider, as ``max_position 10 -> 20``."""
        return [
            f"{name} {_shown(getattr(self, name))} -> {_shown(getattr(other, name))}"
            for name in self.__struct_fields__
            if name != "label" and self._is_looser(name, getattr(self, name), getattr(other, name))
        ]

    def _is_looser(self, name: str, before: Any, after: Any) -> bool:
        if before == after:
            return False
        if name in self.looser_above:
            # A limit that is not set does not limit.
            return _or(after, inf) > _or(before, inf)
        if name in self.looser_below:
            return _or(after, -inf) < _or(before, -inf)
        # What cannot be compared is not known to be as strict.
        return True


def scope_of(strategy: str, symbol: str) -> str:
    """`` of momentum_btc in BTCUSDT``, as it is said; empty for all."""
    return (f" of {strategy}" if strategy else "") + (f" in {symbol}" if symbol else "")


def _or(limit: float | None, unset: float) -> float:
    return unset if limit is None else limit


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else "none" if value is None else str(value)
