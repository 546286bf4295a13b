"""What became of signals and orders, told to the strategies that ask for it by overriding ``on_order``.

News waits until a moment at which nothing is half done: after resting orders were matched, and at the end of an event.
So its order is that in which things happened, and the same when a journal is followed.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Final

from sengine.domain.order import Contribution, Order, OrderStatus, OrderUpdate
from sengine.domain.order_news import NewsStatus, OrderNews
from sengine.domain.signal import Direction, Disposition, SignalResult
from sengine.engine.outcome import Outcome
from sengine.engine.state.orders import WorkingOrder
from sengine.engine.strategies.faults import kind_of
from sengine.engine.strategies.registry import StrategyRegistry

_OF_ORDERS: Final = {
    OrderStatus.REJECTED: NewsStatus.REJECTED,
    OrderStatus.CANCELLED: NewsStatus.CANCELLED,
    OrderStatus.UNKNOWN: NewsStatus.UNKNOWN,
}


class OrderUpdateHandler:
    """``of_order`` and ``of_signals`` note news, ``tell`` hands it over."""

    def __init__(self, registry: StrategyRegistry) -> None:
        self._registry = registry
        self._waiting: list[OrderNews] = []

    def of_order(self, working: WorkingOrder, update: OrderUpdate) -> None:
        """A venue said something of an order besides its fills. What an operator ordered is nobody's signal."""
        order, status = working.order, _OF_ORDERS.get(update.status)
        if status is None:
            return
        for part in order.contributions:
            if not part.signal_sequence or not self._is_wanted(part.strategy_id):
                continue
            own = abs(part.quantity)
            self._waiting.append(
                OrderNews(
                    status=status,
                    strategy_id=part.strategy_id,
                    symbol=order.symbol,
                    quantity=own,
                    timestamp_ns=update.timestamp_ns,
                    side=str(order.side),
                    filled=working.filled * (own / order.quantity),
                    limit_price=order.limit_price,
                    order_id=order.order_id,
                    reason=update.reason,
                    signal_sequence=part.signal_sequence,
                )
            )

    def of_signals(self, results: Sequence[SignalResult], orders: Sequence[Order], now_ns: int) -> None:
        """How signals ended; ``orders`` are those that they led to."""
        for result in results:
            signal = result.signal
            if not self._is_wanted(signal.strategy_id):
                continue
            order, part = _order_of(signal.sequence, orders)
            is_close = signal.direction == Direction.CLOSE
            self._waiting.append(
                OrderNews(
                    status=NewsStatus(result.disposition),
                    strategy_id=signal.strategy_id,
                    symbol=signal.symbol,
                    quantity=abs(part.quantity) if part is not None else 0.0 if is_close else signal.size,
                    timestamp_ns=now_ns,
                    direction=str(signal.direction),
                    side=str(order.side) if order is not None else "",
                    limit_price=signal.limit_price,
                    order_id=order.order_id if order is not None else "",
                    check=result.check,
                    code=result.code,
                    reason=result.reason or _in_words(result),
                    signal_sequence=signal.sequence,
                    # Its own: whatever it does to that changes nothing that is on record.
                    metadata=deepcopy(signal.metadata),
                )
            )

    def tell(self, outcome: Outcome, now_ns: int) -> None:
        """Call ``on_order`` for all that waits; what a strategy does wrong there goes into ``outcome``."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        for news in waiting:
            runtime = self._registry.find(news.strategy_id)
            if runtime is None:
                continue
            try:
                runtime.tell(news)
            except BaseException as error:
                runtime.guard.contain(error)
                self._registry.fault(runtime, kind_of(error, "on_order"), error, now_ns, outcome)

    def _is_wanted(self, strategy_id: str) -> bool:
        runtime = self._registry.find(strategy_id)
        return runtime is not None and runtime.hears_of_orders


def _order_of(sequence: int, orders: Sequence[Order]) -> tuple[Order, Contribution] | tuple[None, None]:
    for order in orders:
        for part in order.contributions:
            if part.signal_sequence == sequence:
                return order, part
    return None, None


def _in_words(result: SignalResult) -> str:
    """For what no check has refused; empty for what passed."""
    if result.disposition == Disposition.NO_CHANGE:
        return "there is nothing to trade: position and what is in flight are flat"
    return ""
