"""Events that are far from their symbol's others in time: held back until what follows says which of them are right.

An event more than ``max_jump`` after its symbol's last one is a closed market's next morning, or a stamp that is wrong;
taken at once, a wrong one would have everything after it refused as older. When the next ``confirm`` events of the
symbol agree, all of them are *due*, in the order in which they came, and ``TakeHeld`` processes them one by one; when
one goes on from the symbol's last event instead, those held back are dropped as ``time_jump``.

- Where other symbols have got there, an event is no jump: over a weekend one symbol confirms for all.
- The first event of a symbol has nothing before it. Where other symbols tell the time it is compared with that; else it
  is taken, and when those that follow are far before it and agree, it was the wrong one: the symbol begins anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from sengine.clock import format_timestamp
from sengine.domain.events import BarEvent, BookEvent, MarketEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import Quote
from sengine.engine.outcome import Outcome
from sengine.engine.state.saved import NEVER_NS

END_OF_TIME_NS: Final = 2**63 - 1
TIME_JUMP: Final = "time_jump"
TIME_BACKWARDS: Final = "time_backwards"
BARS_TIMES: Final = 10
"""Bars are sparse: they may be as many times ``max_jump`` apart, or intervals of their own."""
_AT_THE_END_TIMES: Final = 10
"""Where the data ends before it is decided, events that are up to as many times the limit away are taken."""


class Clocked(Protocol):
    """What is known of one symbol's time: an engine's market, or a venue's books."""

    symbol: str
    last_ns: int
    born_ns: int
    horizon_ns: int
    bar_interval_ns: int


C = TypeVar("C", bound=Clocked)


class JumpRule(msgspec.Struct, frozen=True):
    """``market_data.max_jump`` and ``market_data.confirm``."""

    max_jump_ns: int
    confirm: int = 3


class HeldEvent(msgspec.Struct, frozen=True):
    """An event that is held back or due, for a checkpoint; ``arrival`` numbers them. One of the three is there."""

    arrival: int
    book: BookEvent | None = None
    is_sound: bool = False
    trade: TradeEvent | None = None
    bar: BarEvent | None = None
    quote: Quote | None = None

    @classmethod
    def of(cls, arrival: int, event: MarketEvent) -> HeldEvent:
        if isinstance(event, BookEvent):
            return cls(arrival, book=event, is_sound=isinstance(event, SoundBookEvent))
        if isinstance(event, Quote):
            return cls(arrival, quote=event)
        return cls(arrival, trade=event) if isinstance(event, TradeEvent) else cls(arrival, bar=event)

    @property
    def event(self) -> MarketEvent:
        book = self.book
        if book is not None and self.is_sound:
            return SoundBookEvent(*msgspec.structs.astuple(book))
        event = book or self.trade or self.bar or self.quote
        assert event is not None
        return event


class JumpState(msgspec.Struct, frozen=True):
    """What is held back, for a checkpoint."""

    reached_ns: int | None = None
    arrivals: int = 0
    held: dict[str, list[HeldEvent]] = {}
    is_back: list[str] = []
    """Symbols whose held events are before their first one, and not after their last."""
    due: list[HeldEvent] = []


class _Held:
    """What is held back of one symbol, with the numbers of arrival."""

    __slots__ = ("events", "is_back")

    def __init__(self, *, is_back: bool) -> None:
        self.is_back = is_back
        self.events: list[tuple[int, MarketEvent]] = []

    @property
    def first_ns(self) -> int:
        return self.events[0][1].timestamp_ns

    @property
    def newest_ns(self) -> int:
        return self.events[-1][1].timestamp_ns


class JumpGate(Generic[C]):
    """Judges events beyond their market's ``horizon_ns``, which moves on as they come. ``begin_anew`` is told of a
    symbol whose first event turned out wrong."""

    def __init__(self, rule: JumpRule | None, markets: Mapping[str, C], begin_anew: Callable[[C], None]) -> None:
        self.rule = rule
        """``None``: nothing is held back."""
        self.due: deque[tuple[int, MarketEvent]] = deque()
        """Confirmed, and to be processed before anything else of their symbols."""
        self.arrivals = 0
        """Events that were held back so far."""
        self._markets = markets
        self._begin_anew = begin_anew
        self._held: dict[str, _Held] = {}
        self._reached_ns: int | None = None
        """What more than one event says the time is, to within a jump."""

    def is_holding(self, symbol: str) -> int:
        """How many events of the symbol are held back."""
        held = self._held.get(symbol)
        return len(held.events) if held is not None else 0

    def change(self, rule: JumpRule | None) -> None:
        """Another rule from here on; what is held back stays so."""
        if rule != self.rule:
            self.rule = rule
            for market in self._markets.values():
                market.horizon_ns = NEVER_NS

    def judge(self, event: MarketEvent, market: C) -> Outcome | None:
        """For an event after the market's horizon or before its last: ``None`` where it may go on."""
        if self.due and any(each.symbol == market.symbol for _, each in self.due):
            self._add(self.due, event)
            return Outcome(confirmed=1)
        rule = self.rule
        if rule is None:
            market.horizon_ns = END_OF_TIME_NS
            return None
        limit_ns = limit_of(event, market, rule)
        held = self._held.get(market.symbol)
        if held is not None:
            follow_up = self._look_back if held.is_back else self._look_ahead
            return follow_up(event, market, held, limit_ns)
        now_ns, last_ns = event.timestamp_ns, market.last_ns
        if now_ns < last_ns:
            is_young = last_ns == market.born_ns
            if is_young and now_ns < last_ns - limit_ns:
                return self._hold(event, market, is_back=True)
        elif last_ns == NEVER_NS:
            if not self._is_there(now_ns, limit_ns) and self._reached_ns is not None:
                return self._hold(event, market)
            market.born_ns = market.horizon_ns = now_ns
        elif now_ns <= last_ns + limit_ns:
            self._reached_ns = max(self._reached_ns or now_ns, now_ns)
            market.horizon_ns = now_ns + rule.max_jump_ns
        elif self._is_there(now_ns, limit_ns):
            market.horizon_ns = now_ns
        else:
            return self._hold(event, market)
        return None

    def take(self) -> MarketEvent | None:
        """The next event that is due, let through."""
        if not self.due:
            return None
        _, event = self.due.popleft()
        self._markets[event.symbol].horizon_ns = event.timestamp_ns
        return event

    def decide_all(self) -> Outcome:
        """No more events come: decide what is still held back by how far it is away."""
        outcome = Outcome()
        rule = self.rule or JumpRule(0)
        taken: list[tuple[int, MarketEvent]] = []
        for symbol, held in sorted(self._held.items(), key=lambda each: each[1].events[0][0]):
            market, count = self._markets[symbol], len(held.events)
            before_ns = market.last_ns if market.last_ns != NEVER_NS else (self._reached_ns or 0)
            furthest_ns = before_ns + _AT_THE_END_TIMES * limit_of(held.events[0][1], market, rule)
            events = "event" if count == 1 else "events"
            first, before = format_timestamp(held.first_ns), format_timestamp(before_ns)
            if held.is_back or held.first_ns > furthest_ns:
                reason = TIME_BACKWARDS if held.is_back else TIME_JUMP
                outcome.dropped.extend((event, reason) for _, event in held.events)
                what = "dropped: nothing after them confirms such a jump"
            else:
                taken.extend(held.events)
                what = "taken, though the data ends before the jump is confirmed"
            outcome.warnings.append(f"{symbol}: the last {count} {events}, from {first} on, after {before}: {what}")
        self._held.clear()
        self.due.extend(sorted(taken, key=lambda each: each[0]))
        outcome.confirmed = len(self.due)
        return outcome

    def state(self) -> JumpState:
        return JumpState(
            self._reached_ns,
            self.arrivals,
            {symbol: [HeldEvent.of(*each) for each in held.events] for symbol, held in self._held.items()},
            [symbol for symbol, held in self._held.items() if held.is_back],
            [HeldEvent.of(*each) for each in self.due],
        )

    def restore(self, state: JumpState) -> None:
        self._reached_ns, self.arrivals = state.reached_ns, state.arrivals
        for symbol, events in state.held.items():
            held = self._held[symbol] = _Held(is_back=symbol in state.is_back)
            held.events = [(each.arrival, each.event) for each in events]
        self.due.extend((each.arrival, each.event) for each in state.due)

    # What follows an event that is held back.

    def _look_ahead(self, event: MarketEvent, market: C, held: _Held, limit_ns: int) -> Outcome | None:
        """Those held back are after the symbol's last event."""
        assert self.rule is not None
        now_ns, last_ns = event.timestamp_ns, market.last_ns
        if now_ns < last_ns:
            return None
        if self._is_there(held.first_ns, limit_ns):
            return self._agree(event, market, held, needed=0)
        before_ns = last_ns if last_ns != NEVER_NS else self._reached_ns
        if before_ns is not None and now_ns <= before_ns + limit_ns:
            return self._drop(event, market, held, TIME_JUMP)
        if now_ns >= held.newest_ns - self.rule.max_jump_ns:
            return self._agree(event, market, held, self.rule.confirm)
        dropped = [(each, TIME_JUMP) for _, each in held.events]
        self._hold(event, market)
        return Outcome(is_held=True, dropped=dropped)

    def _look_back(self, event: MarketEvent, market: C, held: _Held, limit_ns: int) -> Outcome | None:
        """Those held back are before the only moment that the symbol had."""
        assert self.rule is not None
        now_ns, last_ns = event.timestamp_ns, market.last_ns
        if now_ns >= last_ns:
            return self._drop(event, market, held, TIME_BACKWARDS)
        if now_ns < last_ns - limit_ns and now_ns >= held.newest_ns - self.rule.max_jump_ns:
            return self._agree(event, market, held, self.rule.confirm)
        return None

    def _agree(self, event: MarketEvent, market: C, held: _Held, needed: int) -> Outcome:
        self._add(held.events, event)
        if len(held.events) <= needed:
            return Outcome(is_held=True)
        outcome = Outcome()
        due = held.events
        del self._held[market.symbol]
        if held.is_back:
            outcome.warnings.append(
                f"{market.symbol}: its first event, dated {format_timestamp(market.last_ns)}, was wrong: "
                f"{len(due)} in a row are dated {format_timestamp(held.first_ns)} and later; the symbol begins anew"
            )
            self._begin_anew(market)
            market.born_ns = held.first_ns
            outcome.is_first_wrong = True
        else:
            self._reached_ns = max(self._reached_ns or held.newest_ns, held.newest_ns)
            for symbol in [each for each, other in self._held.items() if self._is_confirmed(each, other)]:
                due = due + self._held.pop(symbol).events
        self.due.extend(sorted(due, key=lambda each: each[0]))
        outcome.confirmed = len(self.due)
        return outcome

    def _is_confirmed(self, symbol: str, held: _Held) -> bool:
        assert self.rule is not None
        limit_ns = limit_of(held.events[0][1], self._markets[symbol], self.rule)
        return not held.is_back and self._is_there(held.first_ns, limit_ns)

    def _drop(self, event: MarketEvent, market: C, held: _Held, reason: str) -> Outcome:
        """Those held back were wrong, and ``event`` is next."""
        del self._held[market.symbol]
        self._add(self.due, event)
        return Outcome(dropped=[(each, reason) for _, each in held.events], confirmed=1)

    def _hold(self, event: MarketEvent, market: C, *, is_back: bool = False) -> Outcome:
        held = self._held[market.symbol] = _Held(is_back=is_back)
        self._add(held.events, event)
        market.horizon_ns = NEVER_NS
        return Outcome(is_held=True)

    def _add(self, events: list[tuple[int, MarketEvent]] | deque[tuple[int, MarketEvent]], event: MarketEvent) -> None:
        self.arrivals += 1
        events.append((self.arrivals, event))

    def _is_there(self, now_ns: int, limit_ns: int) -> bool:
        """Whether other symbols have got to a time."""
        return self._reached_ns is not None and now_ns <= self._reached_ns + limit_ns


def dated(event: MarketEvent) -> str:
    """An event and its time, in words."""
    kind = "a bar" if isinstance(event, BarEvent) else "a trade" if isinstance(event, TradeEvent) else "a book"
    return f"{kind} dated {format_timestamp(event.timestamp_ns)}"


def limit_of(event: MarketEvent, market: Clocked, rule: JumpRule) -> int:
    """How far after its symbol's last one an event of its kind may be."""
    if isinstance(event, BarEvent):
        return BARS_TIMES * max(rule.max_jump_ns, market.bar_interval_ns)
    return rule.max_jump_ns
