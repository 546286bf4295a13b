"""What was sent and executed, as far as the checks on rates and on the day's loss need it. Plain values throughout.

A checkpoint encodes the whole record as it is; ``TradingRecord`` is its own state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import msgspec

from sengine.clock import NS_PER_S
from sengine.domain.order import Order, ProposedOrder

DAY_NS: Final = 86_400 * NS_PER_S
TIMES_KEPT: Final = 1_000
"""The largest number of orders or executions that a check can count."""
_TWINS_KEPT: Final = 1_000

Twin: TypeAlias = tuple[str, str, str, float, float]
"""Strategies, symbol, side, quantity and limit price (0.0 for a market order) of an order."""


class Run(msgspec.Struct):
    """Executions of a strategy in a symbol, one after the other on the same side; ``times_ns`` oldest first."""

    side: str = ""
    times_ns: list[int] = msgspec.field(default_factory=list)


class TradingRecord(msgspec.Struct):
    """``sent``, ``executed`` and ``begin_day`` write it; checks read it.

    ``sent_ns`` holds when orders were sent, by strategy and symbol, where "" is all of them. ``day_equity`` is P&L at
    the beginning of the day, by strategy, "" for all together; a strategy that is not in it began with nothing.
    """

    sent_ns: dict[tuple[str, str], list[int]] = msgspec.field(default_factory=dict)
    twins: dict[Twin, int] = msgspec.field(default_factory=dict)
    runs: dict[tuple[str, str], Run] = msgspec.field(default_factory=dict)
    day_equity: dict[str, float] = msgspec.field(default_factory=dict)
    day_ends_ns: int = 0

    def sent(self, order: Order) -> None:
        """Count an order from the moment it leaves. A market order counts as executed: nothing else is to be
        expected of it."""
        now_ns, symbol = order.timestamp_ns, order.symbol
        self._add("", "", now_ns)
        self._add("", symbol, now_ns)
        for part in order.contributions:
            self._add(part.strategy_id, "", now_ns)
            self._add(part.strategy_id, symbol, now_ns)
        twin = twin_of(order)
        # To the end, so that the oldest is the first to go.
        self.twins.pop(twin, None)
        self.twins[twin] = now_ns
        if len(self.twins) > _TWINS_KEPT:
            del self.twins[next(iter(self.twins))]
        if order.limit_price is None:
            self.executed(order, now_ns)

    def executed(self, order: ProposedOrder, now_ns: int) -> None:
        """Count an execution of each contributor; one on the other side begins anew."""
        side = str(order.side)
        for part in order.contributions:
            run = self.runs.setdefault((part.strategy_id, order.symbol), Run())
            if run.side != side:
                run.side, run.times_ns = side, []
            _keep(run.times_ns, now_ns)

    def forgive(self, strategy_id: str) -> None:
        """A person has looked at the strategy's repeated executions: they count no longer."""
        for key in [key for key in self.runs if key[0] == strategy_id]:
            del self.runs[key]

    def begin_day(self, now_ns: int, equity: Mapping[str, float]) -> None:
        """The first moment of a UTC day, with the P&L that it begins with."""
        self.day_equity = dict(equity)
        self.day_ends_ns = now_ns - now_ns % DAY_NS + DAY_NS

    def _add(self, strategy_id: str, symbol: str, now_ns: int) -> None:
        times_ns = self.sent_ns.get((strategy_id, symbol))
        if times_ns is None:
            times_ns = self.sent_ns[strategy_id, symbol] = []
        _keep(times_ns, now_ns)


def twin_of(order: ProposedOrder) -> Twin:
    """What two orders must have in common to be the same order twice."""
    strategies = ",".join([part.strategy_id for part in order.contributions])
    return strategies, order.symbol, str(order.side), order.quantity, order.limit_price or 0.0


def _keep(times_ns: list[int], now_ns: int) -> None:
    times_ns.append(now_ns)
    if len(times_ns) >= 2 * TIMES_KEPT:
        del times_ns[:-TIMES_KEPT]
