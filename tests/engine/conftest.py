"""Builders that the engine's tests share: market events, signals, scripted strategies and engines to run them in."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sengine.domain.events import BarEvent, BookEvent, TradeEvent
from sengine.domain.market import OHLCV, MarketData, OrderBook, PriceLevel
from sengine.domain.order import Contribution, Fill, Order, OrderUpdate, ProposedOrder, Side
from sengine.domain.signal import Direction, Disposition, Signal, StampedSignal
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import Outcome
from sengine.engine.risk.limits import AnyLimit
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.spec import StrategySpec
from sengine.strategy import BaseStrategy

S = 1_000_000_000
"""Nanoseconds in a second; the tests' events happen at whole seconds or parts of them."""

SYMBOL = "BTC"


def ns(seconds: float) -> int:
    return round(seconds * S)


def ladder(bids: Iterable[tuple[float, float]], asks: Iterable[tuple[float, float]]) -> OrderBook:
    """A book from (price, quantity) pairs."""
    return OrderBook(tuple(PriceLevel(*level) for level in bids), tuple(PriceLevel(*level) for level in asks))


def book(bid: float = 99.0, ask: float = 101.0) -> OrderBook:
    return ladder([(bid, 1.0)], [(ask, 1.0)])


def quote(at_s: float, bid: float = 99.0, ask: float = 101.0, symbol: str = SYMBOL, *, sequence: int = -1) -> BookEvent:
    return BookEvent(symbol, ns(at_s), book(bid, ask), sequence)


def trade(
    at_s: float,
    price: float = 100.0,
    quantity: float = 1.0,
    side: str = "buy",
    symbol: str = SYMBOL,
    *,
    sequence: int = -1,
) -> TradeEvent:
    return TradeEvent(symbol, ns(at_s), price, quantity, side, sequence)


def bar(
    at_s: float, close: float = 100.0, symbol: str = SYMBOL, *, spread: float = 2.0, volume: float = 5.0
) -> BarEvent:
    return BarEvent(symbol, ns(at_s), OHLCV(close - 1, close + spread, close - spread, close, volume))


def long(confidence: float = 0.8, size: float = 1.0, **rest: Any) -> Signal:
    return Signal(direction="LONG", confidence=confidence, size=size, **rest)


def short(confidence: float = 0.8, size: float = 1.0, **rest: Any) -> Signal:
    return Signal(direction="SHORT", confidence=confidence, size=size, **rest)


def close(confidence: float = 0.8, **rest: Any) -> Signal:
    return Signal(direction="CLOSE", confidence=confidence, **rest)


def vote(
    strategy_id: str,
    direction: str = "LONG",
    confidence: float = 0.8,
    at_s: float = 0.0,
    sequence: int = 1,
    symbol: str = SYMBOL,
) -> StampedSignal:
    return StampedSignal(sequence, strategy_id, symbol, Direction(direction), confidence, 1.0, ns(at_s))


def order(
    order_id: str = "1",
    side: Side = Side.BUY,
    quantity: float = 1.0,
    at_s: float = 0.0,
    limit: float | None = None,
    parts: Sequence[tuple[str, float]] = (),
    symbol: str = SYMBOL,
) -> Order:
    """An approved order; ``parts`` are (strategy, unsigned quantity), one strategy ``a`` when left out."""
    sign = 1.0 if side is Side.BUY else -1.0
    contributions = tuple(Contribution(name, sign * part, 1) for name, part in parts or [("a", quantity)])
    return Order.approved(ProposedOrder(symbol, side, quantity, ns(at_s), contributions, limit), order_id)


def fill(
    order_id: str = "1",
    quantity: float = 1.0,
    price: float = 100.0,
    side: str = "buy",
    strategy_id: str = "",
    commission: float = 0.0,
    fill_id: str = "",
    symbol: str = SYMBOL,
    at_s: float = 0.0,
) -> Fill:
    return Fill(order_id, strategy_id, symbol, side, price, quantity, commission, ns(at_s), fill_id)


class Actor:
    """A strategy that does what it was told: each ``on_tick`` takes the next answer, then there is silence.

    An answer is returned, raised when it is an exception, called with the market data when it is a function.
    All instances of one actor share its script; ``seen`` and ``fills`` hold what they were shown.
    """

    def __init__(
        self,
        strategy_id: str = "a",
        *answers: object,
        calls: list[tuple[str, str]] | None = None,
        on_fill: Callable[[Fill], None] | None = None,
        **spec: Any,
    ) -> None:
        self.strategy_id = strategy_id
        self.answers: deque[object] = deque(answers)
        self.seen: list[MarketData] = []
        self.fills: list[Fill] = []
        self.instances: list[BaseStrategy] = []
        self.calls: list[tuple[str, str]] = calls if calls is not None else []
        self.on_fill = on_fill
        self.spec = StrategySpec(strategy_id, self._create, **{"source": __file__} | spec)

    def says(self, *answers: object) -> None:
        """What the next ticks will return."""
        self.answers.extend(answers)

    def _create(self) -> BaseStrategy:
        strategy = _Acting(self)
        self.instances.append(strategy)
        return strategy


class _Acting(BaseStrategy):
    def __init__(self, actor: Actor) -> None:
        super().__init__(actor.strategy_id)
        self.actor = actor
        self.one_instance_per_symbol = actor.spec.one_instance_per_symbol

    def on_tick(self, data: MarketData) -> Any:
        actor = self.actor
        actor.seen.append(data)
        actor.calls.append((actor.strategy_id, "on_tick"))
        answer = actor.answers.popleft() if actor.answers else None
        if isinstance(answer, BaseException):
            raise type(answer)(*answer.args)
        return answer(data) if callable(answer) else answer

    def on_fill(self, fill: Fill) -> None:
        super().on_fill(fill)
        self.actor.fills.append(fill)
        self.actor.calls.append((self.strategy_id, "on_fill"))
        if self.actor.on_fill is not None:
            self.actor.on_fill(fill)


def engine_with(
    *actors: Actor,
    method: str = "weighted_average",
    window_s: float = 5.0,
    checks: Sequence[AnyLimit] = (),
    bypass: Sequence[str] = (),
    venue: SimulatedVenue | None = None,
    votes: VoteBook | None = None,
    capital: float = 100_000.0,
    max_errors: int = 10,
    reset_after_s: float = 60.0,
    order_prefix: str = "",
    reject_pause: int = 0,
) -> Engine:
    """An engine with these strategies. Without a venue, orders stay in flight until the test fills them."""
    engine = Engine(
        votes or VoteBook(method, ns(window_s)),
        RiskPipeline(checks, bypass),
        Portfolio(capital),
        venue,
        max_errors=max_errors,
        reset_after_ns=ns(reset_after_s),
        order_prefix=order_prefix,
        reject_pause=reject_pause,
    )
    for actor in actors:
        engine.registry.load(actor.spec)
    return engine


def simulated_engine(*actors: Actor, **rest: Any) -> Engine:
    """The same, with orders that fill at once at the touch."""
    return engine_with(*actors, venue=SimulatedVenue(), **rest)


def endings(outcome: Outcome) -> list[tuple[str, Disposition]]:
    """Who signalled, and how it ended."""
    return [(result.signal.strategy_id, result.disposition) for result in outcome.signals]


def sent(outcome: Outcome) -> list[tuple[str, float]]:
    """Side and quantity of the orders sent."""
    return [(str(each.side), each.quantity) for each in outcome.orders]


def fills_of(reports: Iterable[Fill | OrderUpdate]) -> list[tuple[float, float]]:
    """Price and quantity of the fills among a venue's reports."""
    return [(report.price, report.quantity) for report in reports if isinstance(report, Fill)]
