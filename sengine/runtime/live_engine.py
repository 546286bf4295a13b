"""The running engine as the rest of the process sees it: one way in, and streams of what happened.

All of it lives on one asyncio loop in one thread, so there are no locks: ``take`` runs to its end before anything else.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, PAGESIZE, mmap
from os import _exit
from time import time_ns
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import structlog

from sengine.clock import NS_PER_S, format_timestamp
from sengine.config.schema import ExecutionConfig
from sengine.domain.events import (
    HoldFill,
    KillSwitch,
    MarketEvent,
    Rearm,
    RemoteReady,
    RemoteRolledBack,
    RemoteSignals,
    TakeHeld,
)
from sengine.domain.order import Fill, Order, OrderStatus, OrderUpdate
from sengine.domain.strategy_line import StrategyLine
from sengine.engine.core import Engine, EngineEvent
from sengine.engine.orders.fill_doubts import FillBounds
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.state.saved import NEVER_NS
from sengine.engine.strategies.trial import RolledBack
from sengine.engine.time_jumps import dated
from sengine.errors import LifecycleError
from sengine.runtime.log_throttle import LogThrottle
from sengine.runtime.refused_data import RefusedData

_log = structlog.get_logger("sengine.engine")
HISTORY = 1000
OWN_HISTORY = 200
END_OF_TIME_NS = 2**63
LATE_NS = NS_PER_S
"""Market data that waited longer than this is told of."""
TOLD_AT_FIRST = 20
TOLD_EVERY = 1000
# Of Linux; Python has no name for it.
_WIPE_ON_FORK = 18
T = TypeVar("T")


class SignalRecord(msgspec.Struct, frozen=True, gc=False):
    """A signal and how it ended, for people and pages."""

    timestamp_ns: int
    strategy_id: str
    symbol: str
    direction: str
    confidence: float
    size: float
    disposition: str
    check: str
    reason: str
    version: str


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One line that an operator should see. ``level`` is ``info``, ``warning`` or ``error``."""

    time_ns: int
    level: str
    event: str
    fields: dict[str, Any]


class FillRecord(msgspec.Struct, frozen=True, gc=False):
    """One strategy's share of a fill, and the gross P&L that it realized; ``None`` where it only added."""

    share: Fill
    realized: float | None


class Subscription(Generic[T]):
    """One reader of a stream. It never slows the writer: when its buffer is full the oldest item is dropped."""

    def __init__(self, stream: Stream[T], limit: int) -> None:
        self._stream = stream
        self._items: deque[T] = deque()
        self._limit = limit
        self._arrived = asyncio.Event()
        self.dropped = 0

    def append(self, item: T) -> None:
        if len(self._items) >= self._limit:
            self._items.popleft()
            self.dropped += 1
        self._items.append(item)
        self._arrived.set()

    def __aiter__(self) -> Subscription[T]:
        return self

    async def __anext__(self) -> T:
        while not self._items:
            self._arrived.clear()
            await self._arrived.wait()
        return self._items.popleft()

    def pop_all(self) -> list[T]:
        """All that waits, oldest first."""
        items = list(self._items)
        self._items.clear()
        return items

    def close(self) -> None:
        self._stream.subscriptions.discard(self)


class Stream(Generic[T]):
    """A bounded history and whoever listens right now."""

    def __init__(self, history: int = HISTORY) -> None:
        self.history: deque[T] = deque(maxlen=history)
        self.subscriptions: set[Subscription[T]] = set()

    def publish(self, item: T) -> None:
        self.history.append(item)
        for subscription in self.subscriptions:
            subscription.append(item)

    def subscribe(self, limit: int = HISTORY) -> Subscription[T]:
        subscription = Subscription(self, limit)
        self.subscriptions.add(subscription)
        return subscription


class Gateway(Protocol):
    """Where orders go. Neither call blocks or raises; what became of an order comes back as an ``OrderUpdate``.

    ``received_ns`` is when the event that led to the order came in, wall clock, for timing; 0 where nobody knows.
    """

    def send(self, order: Order, received_ns: int = 0) -> None: ...

    def cancel(self, order_id: str) -> None: ...

    def change_bounds(self, execution: ExecutionConfig) -> None: ...


class Recorder(Protocol):
    """The journal, as the way in needs it. ``sengine.adapters.journal.journal`` is it."""

    @property
    def failure(self) -> str: ...
    @property
    def records(self) -> int: ...
    @property
    def unrecorded(self) -> int: ...

    def event(self, event: EngineEvent) -> None: ...

    def recorded(self, events: Iterator[MarketEvent]) -> Iterator[MarketEvent]: ...

    def outcome(self, event: EngineEvent, outcome: Outcome) -> bool: ...

    def idle(self) -> None: ...


class LiveEngine:
    """The engine with its way in and its ways out."""

    def __init__(self, engine: Engine, wall_clock_ns: Callable[[], int] = time_ns) -> None:
        self.engine = engine
        self.gateway: Gateway | None = None
        self.journal: Recorder | None = None
        self.signals: Stream[SignalRecord] = Stream()
        self.signals_of: defaultdict[str, deque[SignalRecord]] = defaultdict(lambda: deque(maxlen=OWN_HISTORY))
        """The last ones of each strategy: one that says a lot leaves the others theirs."""
        self.logs: Stream[LogRecord] = Stream()
        self.fills: Stream[FillRecord] = Stream()
        self.signal_counts: Counter[tuple[str, str, str]] = Counter()
        """Signals by (strategy, symbol, direction)."""
        self.filtered_counts: Counter[tuple[str, str]] = Counter()
        """Filtered signals by (check, reason code)."""
        self.order_updates: Counter[str] = Counter()
        self.fill_bounds = FillBounds()
        """What a fill from outside may be without a person looking at it first."""
        self.faults = 0
        """Errors of strategies so far."""
        self.on_kill_switch: Callable[[str], None] = lambda reason: None
        """Told when the kill switch is pulled, with the reason, or re-armed, with none. A kill that waits until an
        earlier session is taken up is told at once, and again when it is carried out."""
        self.before_rearm: Callable[[], None] = lambda: None
        """Takes away what remembers the switch. Raises ``LifecycleError`` where it stays."""
        self._ours = _page_wiped_by_forks()
        self._pulled = ""
        self.is_recovering = False
        """While an earlier session is taken up, nothing may come between its events."""
        self._after_recovery: list[KillSwitch | RemoteReady | RemoteRolledBack] = []
        self.on_rollback: Callable[[RolledBack], None] = lambda rolled_back: None
        self.said: deque[StrategyLine] = deque(maxlen=HISTORY)
        """What strategies printed or logged and was not told yet; ``tell_said`` empties it."""
        self._wall_clock_ns = wall_clock_ns
        self._complain = LogThrottle(self.say)
        self.refused_data = RefusedData(engine)
        self.late_ns = 0
        """How long the last event had waited when it was handed over; the feed writes it."""
        self._settled = asyncio.Event()
        self._settled.set()

    def process(self, event: EngineEvent) -> Outcome:
        """Process one event now and pass on what it led to.

        Raises ``LifecycleError`` or ``EngineError`` for a command that cannot be carried out; market data, fills and
        order updates never raise.
        """
        if isinstance(event, Fill) and (doubt := self.engine.doubt(event, self.fill_bounds)):
            # On record as what it is: whoever reads the journal need not judge again.
            event = HoldFill(event, doubt)
        if self.journal is not None:
            self.journal.event(event)
        elif self.is_recovering:
            return self._take_later(event)
        outcome = self.engine.process(event)
        self._end_if_forked()
        if outcome is not NOTHING:
            self._took(event, outcome)
        return outcome

    def _take_later(self, event: EngineEvent) -> Outcome:
        """What comes while an earlier session is taken up: a kill and a remote strategy's arrival wait for its end,
        answers to ticks of then are nobody's, and commands are refused."""
        if isinstance(event, KillSwitch | RemoteReady | RemoteRolledBack):
            if event not in self._after_recovery:
                self._after_recovery.append(event)
            if isinstance(event, KillSwitch):
                self._pulled = event.reason or "no reason given"
                self.on_kill_switch(self._pulled)
        elif not isinstance(event, RemoteSignals):
            raise LifecycleError(
                "the engine is taking up its journal and takes no commands yet, but for kill; try again in a moment"
            )
        return NOTHING

    @property
    def kill_reason(self) -> str:
        """Why the kill switch is pulled, empty where it is not. While an earlier session is taken up the engine's own
        is of the past."""
        return self._pulled if self.is_recovering else self.engine.kill_reason

    def rearm(self) -> None:
        """Let orders out again. Raises ``LifecycleError`` where the next start would find the switch pulled."""
        if not self.is_recovering:
            self.before_rearm()
        self.process(Rearm())

    def recovered(self) -> None:
        """The earlier session is taken up: what waited for that is processed."""
        self.is_recovering = False
        waiting, self._after_recovery = self._after_recovery, []
        for event in waiting:
            self.process(event)
        self._take_held()

    def process_all(self, events: Iterator[MarketEvent]) -> None:
        """``take`` for market data that waits, one after the other, at less cost for each."""
        if self.journal is not None:
            events = self.journal.recorded(events)
        while (step := self.engine.process_until(events, END_OF_TIME_NS)) is not None:
            event, outcome = step
            if outcome is not None:
                self._took(event, outcome)
        self._end_if_forked()

    def _end_if_forked(self) -> None:
        """A child of a fork that Python was not asked about, as of one in C code, goes no further than its call: it has
        our sockets, and would trade on them."""
        if not self._ours[0]:
            _exit(1)

    def _took(self, event: EngineEvent, outcome: Outcome, received_ns: int = 0) -> None:
        if outcome.rejected:
            self._tell_of_refusal(event, outcome.rejected)
            return
        if outcome.is_held or outcome.dropped or outcome.confirmed:
            self._tell_of_times(event, outcome)
        if self.journal is not None and not self.journal.outcome(event, outcome) and self.gateway:
            self._hold_back(outcome)
        if self.said:
            self.tell_said()  # before the error that it may explain
        self._pass_on(outcome, received_ns or getattr(event, "received_ns", 0))
        if isinstance(event, KillSwitch | Rearm):
            self._pulled = self.engine.kill_reason
            self.on_kill_switch(self._pulled)
        for rolled_back in outcome.rollbacks:
            self.on_rollback(rolled_back)
        for warning in outcome.warnings:
            self.say("warning", warning)
        if isinstance(event, OrderUpdate):
            self.order_updates[event.status] += 1
            self._tell_of_update(event, outcome)
        else:
            for notice in outcome.notices:
                self.say("warning", notice)
        if isinstance(event, Fill | OrderUpdate) and not self._waiting_for_fills():
            self._settled.set()
        if outcome.confirmed:
            self._take_held()

    def _take_held(self) -> None:
        """Process what was held back for its time and is confirmed by now. Each is an event on record, so that another
        engine does the same at the same place."""
        due = self.engine.jumps.due
        while due:
            number, waited = due[0]
            command, received_ns = TakeHeld(number), waited.received_ns
            if self.journal is not None:
                self.journal.event(command)
            outcome = self.engine.process(command)
            if outcome is not NOTHING:
                self._took(command, outcome, received_ns)

    def idle(self) -> None:
        """For feeds to call when nothing waits: does a little of what can wait."""
        self.engine.fold_next()
        if self.journal is not None:
            self.journal.idle()

    async def settled(self, timeout_s: float) -> bool:
        """Wait until no market order is in flight; whether that happened in time."""
        if not self._waiting_for_fills():
            return True
        self._settled.clear()
        try:
            await asyncio.wait_for(self._settled.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def say(self, level: str, event: str, **fields: Any) -> None:
        """Log a line and show it to operators."""
        getattr(_log, level)(event, **fields)
        self.logs.publish(LogRecord(self._wall_clock_ns(), level, event, fields))

    def tell(self, line: StrategyLine) -> None:
        """Log what a strategy said and show it to operators."""
        self.say(line.level, line.text, **line.fields)

    def tell_said(self) -> None:
        while self.said:
            self.tell(self.said.popleft())

    def _waiting_for_fills(self) -> bool:
        return any(working.order.limit_price is None for working in self.engine.orders.open_orders())

    def _hold_back(self, outcome: Outcome) -> None:
        """Orders that are not on record do not leave."""
        assert self.journal is not None
        reason = f"not sent: the journal cannot be written: {self.journal.failure or 'too much waits to be written'}"
        loop = asyncio.get_running_loop()
        for order in outcome.orders:
            update = OrderUpdate(order.order_id, OrderStatus.REJECTED, order.timestamp_ns, reason, never_left=True)
            loop.call_soon(self.process, update)
        outcome.orders.clear()

    def _take_back(self, order: Order, reason: str) -> None:
        """An order that was approved and does not leave. Not at once: an outcome is being passed on."""
        self._complain("late order", "an order is taken back", order_id=order.order_id, reason=reason)
        reason = f"not sent: {reason}"
        update = OrderUpdate(order.order_id, OrderStatus.REJECTED, order.timestamp_ns, reason, never_left=True)
        asyncio.get_running_loop().call_soon(self.process, update)

    def _pass_on(self, outcome: Outcome, received_ns: int) -> None:
        gateway = self.gateway
        if gateway is not None:
            for order_id in outcome.cancels:
                gateway.cancel(order_id)
            age_ns = self._wall_clock_ns() - received_ns if received_ns and outcome.orders else 0
            for order in outcome.orders:
                too_late = self.engine.risk.too_late(order, age_ns) if age_ns > 0 else ""
                if too_late:
                    self._take_back(order, too_late)
                else:
                    gateway.send(order, received_ns)
        for result in outcome.signals:
            signal = result.signal
            self.signal_counts[signal.strategy_id, signal.symbol, signal.direction] += 1
            if result.check:
                self.filtered_counts[result.check, result.code] += 1
            runtime = self.engine.registry.find(signal.strategy_id)
            record = SignalRecord(
                signal.timestamp_ns,
                signal.strategy_id,
                signal.symbol,
                signal.direction,
                signal.confidence,
                signal.size,
                result.disposition,
                result.check,
                result.reason,
                runtime.spec.version if runtime is not None else "",
            )
            self.signals.publish(record)
            self.signals_of[signal.strategy_id].append(record)
        for share, realized in outcome.shares:
            self.fills.publish(FillRecord(share, realized))
        self.faults += len(outcome.faults)
        for fault in outcome.faults:
            runtime = self.engine.registry.find(fault.strategy_id)
            self.say(
                "error",
                fault.message,
                strategy_id=fault.strategy_id,
                version=runtime.spec.version if runtime is not None else "",
                kind=fault.kind,
                where=fault.where,
            )

    def _tell_of_refusal(self, event: EngineEvent, reason: str) -> None:
        symbol = getattr(event, "symbol", "")
        market = self.engine.markets.get(symbol)
        if reason != "no_strategy_wants_symbol":
            self.refused_data.add(symbol, reason)
        if reason == "time_backwards" and market is not None:
            older = f"older than the last of its symbol, {format_timestamp(market.last_ns)}"
            self._complain(reason, "market data refused", symbol=symbol, reason=older)
        elif reason != "no_strategy_wants_symbol":
            self._complain(reason, "market data refused", symbol=symbol, reason=reason.replace("_", " "))

    def _tell_of_times(self, event: EngineEvent, outcome: Outcome) -> None:
        """What is held back for its time, and what became of it."""
        rule, symbol = self.engine.jumps.rule, getattr(event, "symbol", "")
        for refused, reason in outcome.dropped:
            self.refused_data.add(refused.symbol, reason)
            why = f"{dated(refused)}; those after it do not go on from there"
            self._complain(reason, "market data refused", symbol=refused.symbol, reason=why)
        market = self.engine.markets.get(symbol)
        if outcome.is_held and rule is not None and market is not None:
            self._complain(
                "held back",
                "market data is held back: its time is far from its symbol's last",
                symbol=symbol,
                timestamp=format_timestamp(event.timestamp_ns),  # type: ignore[union-attr]  # a market event
                last=format_timestamp(market.last_ns) if market.last_ns > NEVER_NS else "none",
                needs=f"{rule.confirm} more of the symbol that agree (market_data.confirm)",
            )

    def _tell_of_update(self, update: OrderUpdate, outcome: Outcome) -> None:
        """An execution service in trouble has the same news of every order: the first are told, then one in many."""
        count = self.order_updates[update.status]
        if count <= TOLD_AT_FIRST or not count % TOLD_EVERY:
            for notice in outcome.notices:
                self.say("warning", notice, so_far=count)


def _page_wiped_by_forks() -> mmap:
    """Memory that begins with 1, and in a child of a fork with 0, where the system has such a thing: asking it is
    cheaper than asking for the process's id."""
    page = mmap(-1, PAGESIZE, flags=MAP_PRIVATE | MAP_ANONYMOUS)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            page.madvise(_WIPE_ON_FORK)
    page[0] = 1
    return page
