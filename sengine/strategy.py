"""What a strategy author imports. One file, one class, one factory::

    from sengine.strategy import BaseStrategy, MarketData, Signal

    class BuyTheDip(BaseStrategy):
        def on_tick(self, data: MarketData) -> Signal | None:
            if self.position == 0 and data.mid < 60_000:
                return Signal(direction="LONG", confidence=0.8, size=1.0)
            return None

    def create_strategy():
        return BuyTheDip("buy_the_dip")

A strategy is a runtime: it sees market data and its own fills, it returns signals, and what it raises is counted
against it alone. It must not read a clock or a random source if its replays are to be repeatable: ``data.timestamp_ns``
is the time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, TypeAlias, overload

import msgspec

from sengine.domain.market import OHLCV, DataKind, MarketData, OrderBook, PriceLevel, Trade
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews
from sengine.domain.position import Position, held_after, net
from sengine.domain.signal import Direction, Signal

__all__ = [
    "OHLCV",
    "BaseStrategy",
    "DataKind",
    "Direction",
    "Fill",
    "MarketData",
    "OrderBook",
    "OrderNews",
    "Plugin",
    "PriceLevel",
    "Signal",
    "TickResult",
    "Trade",
]

TickResult: TypeAlias = Signal | Sequence[Signal] | None


class Plugin(msgspec.Struct, frozen=True):
    """Who a strategy file is. Optional, as ``plugin = Plugin("momentum", "1.0.0", "...")`` at module level."""

    name: str
    version: str = "0.0.0"
    description: str = ""


class _InFlight:
    """``BaseStrategy.in_flight``: asked for when it is read, so that a tick costs nothing. A strategy that sets an
    ``in_flight`` of its own keeps that."""

    @overload
    def __get__(self, strategy: None, owner: type[BaseStrategy]) -> _InFlight: ...
    @overload
    def __get__(self, strategy: BaseStrategy, owner: type[BaseStrategy]) -> float: ...
    def __get__(self, strategy: BaseStrategy | None, owner: type[BaseStrategy]) -> _InFlight | float:
        if strategy is None:
            return self
        return in_flight_on(strategy, "")


class BaseStrategy(ABC):
    """Base of all strategies. Only ``on_tick`` must be written.

    The engine makes one instance per symbol, so ``position`` and any window kept on ``self`` belong to one symbol.
    A strategy that compares symbols (pairs, baskets) sets ``one_instance_per_symbol = False`` and gets them all.
    """

    parameters: ClassVar[type[msgspec.Struct] | None] = None
    """Typed parameters. When set, the configuration is validated against it, defaults are filled in, unknown keys
    are refused, and the result is ``self.params`` before ``initialize`` is called."""

    market_data: ClassVar[Sequence[str]] = (DataKind.BOOK,)
    """The kinds of event ``on_tick`` is called for: ``book``, ``trade``, ``bar``."""

    route: ClassVar[str] = "vote"
    """``vote``: signals are aggregated with other strategies'. ``direct``: each signal becomes its own order."""

    one_instance_per_symbol: ClassVar[bool] = True

    state_version: ClassVar[int] = 1
    """Version of what ``export_state`` returns; count it up when its meaning changes."""

    params: Any = None

    loaded_from: Any = None
    """The engine's: what the instance was made from, which stays in memory as long as the instance."""

    in_flight = _InFlight()
    """Signed quantity that this strategy's open orders on its symbol may still fill: ``position + in_flight`` is where
    it is heading. It changes when an order leaves, fills or ends; 0.0 where every order fills at once, as in a replay
    without latency. For an instance of several symbols it is the sum over them, as ``position`` is."""

    _asked_in_flight: Callable[[str], float] | None = None

    def __init__(self, strategy_id: str) -> None:
        self.strategy_id = strategy_id
        self.position = 0.0
        """Signed quantity held, from this strategy's own fills."""
        # The largest |position| since it was flat; for an instance of several symbols, both by symbol.
        self._largest_held = 0.0
        self._own_books: dict[str, tuple[float, float]] = {}

    def initialize(self, config: dict[str, Any]) -> None:  # noqa: B027 - optional on purpose
        """Called once after construction with the ``config:`` of the configuration (defaults filled in where
        ``parameters`` is declared). Raise to refuse the configuration."""

    @abstractmethod
    def on_tick(self, data: MarketData) -> TickResult:
        """Called for each market data event asked for. Return nothing, one signal or several."""

    def on_fill(self, fill: Fill) -> None:
        """Called after each execution with this strategy's own share. Overriding it, call ``super().on_fill(fill)``."""
        change = fill.signed_quantity
        if self.one_instance_per_symbol:
            self.position, self._largest_held = held_after(self.position, change, self._largest_held)
            return
        books = self._own_books
        held, largest = books.pop(fill.symbol, (0.0, 0.0))
        held, largest = held_after(held, change, largest)
        if held:
            books[fill.symbol] = held, largest
        self.position = net([each for each, _ in books.values()])

    def on_order(self, update: OrderNews) -> None:  # noqa: B027 - optional on purpose
        """Called with what became of each signal of this strategy (``update.status``: ``passed``, ``overruled``,
        ``filtered``, ``no_change``) and of the orders that they led to (``rejected``, ``cancelled``, ``unknown``), with
        the reason. Only a class that overrides it is called. Returns nothing: signals come from ``on_tick``. More
        statuses may follow; do nothing for one that you do not know."""

    def get_state(self) -> dict[str, Any]:
        """What an operator should see of this strategy; JSON types only."""
        return {"strategy_id": self.strategy_id, "is_active": True, "position": self.position}

    def hot_reload(self, config: dict[str, Any]) -> None:
        """New parameters for a running strategy; the position stays. Raise to keep the old parameters."""
        self.initialize(config)

    def export_state(self) -> dict[str, Any] | None:
        """What the next version of this file must know and cannot see in recent ticks; plain types (numbers, text,
        lists, dicts), ``None`` for nothing. Windows over the market fill themselves, and the position is carried."""
        return None

    def import_state(self, state: dict[str, Any], version: int) -> None:  # noqa: B027 - optional on purpose
        """Take over the state of the version that ran before, after recent ticks were shown. ``version`` is the
        ``state_version`` it was exported with. Raise to refuse; the old version then goes on."""

    def shutdown(self) -> None:  # noqa: B027 - optional on purpose
        """Called before the strategy is unloaded."""


def in_flight_on(strategy: BaseStrategy, symbol: str) -> float:
    """What an instance has in flight on one symbol; on all that is its own for "", and 0.0 outside of an engine."""
    asked = strategy._asked_in_flight
    return asked(symbol) if asked is not None else 0.0


def held_on(strategy: BaseStrategy, symbol: str) -> float:
    """What an instance holds of one symbol."""
    return strategy.position if strategy.one_instance_per_symbol else strategy._own_books.get(symbol, (0.0, 0.0))[0]


def tell_orders(strategy: BaseStrategy, in_flight: Callable[[str], float]) -> None:
    """Have an instance know what is in flight on a symbol; asked for "", on all that is its own."""
    strategy._asked_in_flight = in_flight


def tell_books(strategy: BaseStrategy, held: Iterable[Position]) -> None:
    """Have an instance know what it holds by the engine's books, as it would from the fills that led there."""
    books = strategy._own_books = {each.symbol: (each.quantity, each.largest) for each in held if each.quantity}
    strategy.position = net([quantity for quantity, _ in books.values()])
    strategy._largest_held = max([largest for _, largest in books.values()], default=0.0)
