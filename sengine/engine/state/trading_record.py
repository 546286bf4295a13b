"""What was sent and executed, as far as the checks on rates and on the day's loss need it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sengine.clock import NS_PER_S
from sengine.domain.order import Order, ProposedOrder
from sengine.engine.state.saved import SavedRejections, SavedRun, SavedTradingRecord, Twin

DAY_NS: Final = 86_400 * NS_PER_S
SURE_WITHIN_NS: Final = 60 * NS_PER_S
"""An event this soon after the one before it, of whatever symbol, turns the day by itself: a minute early at most."""
TIMES_KEPT: Final = 1_000
"""The largest number of orders or executions that a check can count."""
_TIMES_HELD: Final = 2 * TIMES_KEPT
"""What is beyond ``TIMES_KEPT`` goes when there are so many: not one by one."""
KEYS_KEPT: Final = 1_000


class Run:
    """Executions of a strategy in a symbol, one after the other on the same side; ``times_ns`` oldest first."""

    __slots__ = ("side", "times_ns")

    def __init__(self, side: str = "", times_ns: Sequence[int] = ()) -> None:
        self.side = side
        self.times_ns = list(times_ns)


class Rejections:
    """Rejections in a row of a strategy's orders on a symbol, and the last pause that they led to: when it began and
    ends, and how long it is, 0 before the first."""

    __slots__ = ("in_a_row", "pause_ns", "since_ns", "until_ns")

    def __init__(self, in_a_row: int = 0, since_ns: int = 0, until_ns: int = 0, pause_ns: int = 0) -> None:
        self.in_a_row = in_a_row
        self.since_ns = since_ns
        self.until_ns = until_ns
        self.pause_ns = pause_ns


class TradingRecord:
    """``sent``, ``executed`` and ``begin_day`` write it; checks read it.

    ``sent_ns`` holds when orders were sent, by strategy and symbol, where "" is all of them. ``day_equity`` is P&L at
    the beginning of the day, by strategy, "" for all together; a strategy that is not in it began with nothing.
    """

    def __init__(self) -> None:
        self.sent_ns: dict[tuple[str, str], list[int]] = {}
        self.twins: dict[Twin, int] = {}
        self.runs: dict[tuple[str, str], Run] = {}
        self.day_equity: dict[str, float] = {}
        self.day_ends_ns = 0
        self.rejections: dict[tuple[str, str], Rejections] = {}
        """By strategy and symbol, while there is a row of them; ``sengine.engine.orders.reject_pause`` keeps it."""
        self.next_day_ends_ns = 0
        """The end of a later day that one event is of, while no second one confirms it; 0 for none."""
        self.next_day_equity: dict[str, float] = {}
        """P&L when that day seemed to begin."""
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
        self.rejections = {pair: row for pair, row in self.rejections.items() if row.since_ns <= now_ns}

    def saved(self) -> SavedTradingRecord:
        """Everything, for a checkpoint; it shares nothing mutable."""
        return SavedTradingRecord(
            {key: list(times_ns) for key, times_ns in self.sent_ns.items()},
            dict(self.twins),
            {key: SavedRun(run.side, list(run.times_ns)) for key, run in self.runs.items()},
            dict(self.day_equity),
            self.day_ends_ns,
            {
                key: SavedRejections(each.in_a_row, each.since_ns, each.until_ns, each.pause_ns)
                for key, each in self.rejections.items()
            },
            self.next_day_ends_ns,
            dict(self.next_day_equity),
        )

    def restore(self, saved: SavedTradingRecord) -> None:
        """Take up a checkpoint's record."""
        self.sent_ns = {key: list(times_ns) for key, times_ns in saved.sent_ns.items()}
        self.twins = dict(saved.twins)
        self.runs = {key: Run(run.side, run.times_ns) for key, run in saved.runs.items()}
        self.day_equity = dict(saved.day_equity)
        self.day_ends_ns = saved.day_ends_ns
        self.rejections = {
            key: Rejections(each.in_a_row, each.since_ns, each.until_ns, each.pause_ns)
            for key, each in saved.rejections.items()
        }
        self.next_day_ends_ns = saved.next_day_ends_ns
        self.next_day_equity = dict(saved.next_day_equity)
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
