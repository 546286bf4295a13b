"""What was sent and executed, as far as the checks on rates and on the day's loss need it. Plain values throughout.

A checkpoint encodes the whole record as it is; ``TradingRecord`` is its own state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Final, TypeAlias

import msgspec

from sengine.clock import NS_PER_S
from sengine.domain.order import Order, ProposedOrder

DAY_NS: Final = 86_400 * NS_PER_S
SURE_WITHIN_NS: Final = 60 * NS_PER_S
"""An event this soon after the one before it, of whatever symbol, turns the day by itself: a minute early at most."""
TIMES_KEPT: Final = 1_000
"""The largest number of orders or executions that a check can count."""
_TIMES_HELD: Final = 2 * TIMES_KEPT
"""What is beyond ``TIMES_KEPT`` goes when there are so many: not one by one."""
KEYS_KEPT: Final = 1_000

Twin: TypeAlias = tuple[str, str, str, float, float]
"""Strategies, symbol, side, quantity and limit price (0.0 for a market order) of an order."""


class Run(msgspec.Struct):
    """Executions of a strategy in a symbol, one after the other on the same side; ``times_ns`` oldest first."""

    side: str = ""
    times_ns: list[int] = msgspec.field(default_factory=list)


class Rejections(msgspec.Struct):
    """Rejections in a row of a strategy's orders on a symbol, and the last pause that they led to: when it began and
    ends, and how long it is, 0 before the first."""

    in_a_row: int = 0
    since_ns: int = 0
    until_ns: int = 0
    pause_ns: int = 0


class TradingRecord(msgspec.Struct, dict=True):
    """``sent``, ``executed`` and ``begin_day`` write it; checks read it.

    ``sent_ns`` holds when orders were sent, by strategy and symbol, where "" is all of them. ``day_equity`` is P&L at
    the beginning of the day, by strategy, "" for all together; a strategy that is not in it began with nothing.
    """

    sent_ns: dict[tuple[str, str], list[int]] = msgspec.field(default_factory=dict)
    twins: dict[Twin, int] = msgspec.field(default_factory=dict)
    runs: dict[tuple[str, str], Run] = msgspec.field(default_factory=dict)
    day_equity: dict[str, float] = msgspec.field(default_factory=dict)
    day_ends_ns: int = 0
    rejections: dict[tuple[str, str], Rejections] = msgspec.field(default_factory=dict)
    """By strategy and symbol, while there is a row of them; ``sengine.engine.reject_pause`` keeps it."""
    next_day_ends_ns: int = 0
    """The end of a later day that one event is of, while no second one confirms it; 0 for none."""
    next_day_equity: dict[str, float] = msgspec.field(default_factory=dict)
    """P&L when that day seemed to begin."""

    def __post_init__(self) -> None:
        # No part of the record: which lists of it an order of these strategies on this symbol belongs to.
        self._lists_of: dict[tuple[str, ...], Sequence[list[int]]] = {}

    def sent(self, order: Order) -> None:
        """Count an order from the moment it leaves. A market order counts as executed: nothing else is to be
        expected of it."""
        now_ns, twin = order.timestamp_ns, twin_of(order)
        lists = self._lists_of.get(twin[:2]) or self._find_lists(order, twin[:2])
        for times_ns in lists:
            times_ns.append(now_ns)
        self.twins[twin] = now_ns
        # The first one has them all.
        if len(lists[0]) >= _TIMES_HELD:
            self._forget()
        if order.limit_price is None:
            self.executed(order, now_ns)

    def executed(self, order: ProposedOrder, now_ns: int) -> None:
        """Count an execution of each contributor; one on the other side begins anew."""
        side, symbol, runs = order.side, order.symbol, self.runs
        for part in order.contributions:
            key = (part.strategy_id, symbol)
            run = runs.get(key)
            if run is None:
                run = runs[key] = Run()
            if run.side != side:
                run.side, run.times_ns = str(side), []
            times_ns = run.times_ns
            times_ns.append(now_ns)
            if len(times_ns) >= _TIMES_HELD:
                del times_ns[:-TIMES_KEPT]

    def forgive(self, strategy_id: str) -> None:
        """A person has looked at the strategy's repeated executions and rejections: they count no longer."""
        for counted in (self.runs, self.rejections):
            for key in [key for key in counted if key[0] == strategy_id]:
                del counted[key]

    def begin_day(self, now_ns: int, equity: Mapping[str, float]) -> None:
        """The first moment of a UTC day, with the P&L that it begins with."""
        self.day_equity = dict(equity)
        self.day_ends_ns = end_of_day(now_ns)
        self.next_day_ends_ns = 0

    def see(self, now_ns: int, equity: Callable[[], Mapping[str, float]], *, is_sure: bool) -> None:
        """Look at the time of an event, which may be of a new day.

        The day turns when two in a row are of a later one, and began with the first of them, so that a single wrong
        stamp does not begin the day's loss anew; an event that ``is_sure`` turns it alone.
        """
        if now_ns < self.day_ends_ns:
            self.next_day_ends_ns = 0
            return
        if self.next_day_ends_ns:
            self.day_equity = self.next_day_equity
            self.day_ends_ns = min(self.next_day_ends_ns, end_of_day(now_ns))
            self.next_day_ends_ns, self.next_day_equity = 0, {}
        if now_ns < self.day_ends_ns:
            return
        if is_sure:
            self.begin_day(now_ns, equity())
        else:
            self.next_day_ends_ns, self.next_day_equity = end_of_day(now_ns), dict(equity())

    def forget_after(self, now_ns: int) -> None:
        """What is dated later than ``now_ns``, the right time, has a wrong date."""
        if self.day_ends_ns > end_of_day(now_ns):
            self.day_ends_ns = 0
        self.next_day_ends_ns = 0
        for times_ns in self.sent_ns.values():
            times_ns[:] = [each for each in times_ns if each <= now_ns]
        self.twins = {twin: at_ns for twin, at_ns in self.twins.items() if at_ns <= now_ns}
        for run in self.runs.values():
            run.times_ns = [each for each in run.times_ns if each <= now_ns]

    def restore(self, state: TradingRecord) -> None:
        """Become a copy of a checkpoint's record."""
        for field in self.__struct_fields__:
            setattr(self, field, deepcopy(getattr(state, field)))
        self._lists_of.clear()

    def _forget(self) -> None:
        """Keep what a check can ask for."""
        for times_ns in self.sent_ns.values():
            del times_ns[:-TIMES_KEPT]
        # Nobody sends more orders than there are.
        newest = sorted(self.twins.items(), key=lambda each: each[1])[-TIMES_KEPT:]
        self.twins = dict(newest)

    def _find_lists(self, order: Order, key: tuple[str, ...]) -> Sequence[list[int]]:
        wanted = [("", ""), ("", order.symbol)]
        for part in order.contributions:
            wanted += [(part.strategy_id, ""), (part.strategy_id, order.symbol)]
        if len(self._lists_of) >= KEYS_KEPT:  # votes can bring strategies together in many ways
            self._lists_of.clear()
        lists = self._lists_of[key] = [self.sent_ns.setdefault(each, []) for each in wanted]
        return lists


def end_of_day(now_ns: int) -> int:
    """The end of the UTC day that a time is in."""
    return now_ns - now_ns % DAY_NS + DAY_NS


def twin_of(order: ProposedOrder) -> Twin:
    """What two orders must have in common to be the same order twice."""
    parts = order.contributions
    strategies = parts[0].strategy_id if len(parts) == 1 else ",".join([part.strategy_id for part in parts])
    return strategies, order.symbol, order.side, order.quantity, order.limit_price or 0.0
