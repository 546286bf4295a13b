"""The common case, unrolled: a sound book that nobody has anything to say to.

In a replay that is nearly every event, and calling one function for each part of it costs as much as the work. What is
here does what ``Engine.process`` does (``tests/engine/test_process_until.py`` compares them), and leaves to it whatever
is more than that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sengine.domain.events import MarketEvent, SoundBookEvent
from sengine.domain.market import MarketData
from sengine.engine.answers import Raised
from sengine.engine.markets import Market
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.roster import Route

if TYPE_CHECKING:
    from sengine.engine.core import Engine


def process_until(
    engine: Engine, events: Iterator[MarketEvent], stop_ns: int
) -> tuple[MarketEvent, Outcome | None] | None:
    """``Engine.process_until``."""
    stopwatch_ns, marked, untimed_mask = engine._stopwatch_ns, engine.positions.open, engine.time_one_in - 1
    current: str | None = None
    guard = engine.guard
    for event in events:
        symbol, now_ns = event.symbol, event.timestamp_ns
        if symbol is not current:
            # While ticks are quiet nothing changes who is called or what waits at the venue.
            market, routes = _quiet_market(engine, symbol)
            current, recent = symbol, market.recent
            last_ns, horizon_ns = market.last_ns, market.horizon_ns
            # One comparison an event for both: comparing times costs more than it looks.
            end_ns = stop_ns if stop_ns <= horizon_ns else horizon_ns + 1
        if now_ns >= end_ns:
            if now_ns >= stop_ns:
                return event, None
            routes = ()  # whoever is beyond the horizon is judged first
        sequence = event.sequence
        if (
            type(event) is not SoundBookEvent
            or not routes
            or now_ns < last_ns
            or (sequence != -1 and sequence != market.book_sequence + 1)
        ):
            outcome = engine.process(event)
            if outcome is not NOTHING:
                return event, outcome
            current = None
            continue
        started_ns = 0 if engine.ticks & untimed_mask else stopwatch_ns()
        if sequence != -1:
            market.book_sequence = sequence
        market.last_ns = last_ns = now_ns
        market.book = book = event.book
        market.has_book = True
        mid = (book.bids[0].price + book.asks[0].price) / 2
        if mid != market.mid:
            if now_ns >= market.look_ns:
                engine._look(market, now_ns)
            market.mid = mid
            if symbol in marked:
                engine.positions.mark(symbol, mid)
        engine.now_ns = now_ns
        engine.ticks += 1
        data = MarketData(symbol, now_ns, book, market.recent_trades, market.bar)
        if recent is not None:
            recent.append((engine.ticks, data))
        if started_ns or len(routes) > 1:
            answers = engine._ask(routes, data)
        else:
            guest, on_tick = routes[0]
            guest.ticks += 1
            guard.running = guest
            try:
                answer = on_tick(data)
                guard.running = None
                if answer is None:
                    continue
            except BaseException as error:
                guard.contain(error)
                answer = Raised(error)
            answers = ((guest, answer),)
        if answers:
            outcome = Outcome()
            engine.risk_view.late_ns = event.late_ns
            engine._answers.take(answers, data, outcome)
        if started_ns:
            engine._end_tick(started_ns)
        if answers:
            return event, outcome
    return None


def _quiet_market(engine: Engine, symbol: str) -> tuple[Market, Sequence[Route]]:
    """The market of ``symbol`` and who is called for its books; nobody where an event needs more than that."""
    market = engine.markets.get(symbol) or engine._new_market(symbol)
    is_waited_for = engine._venue is not None and symbol in engine._venue.waiting
    return market, () if is_waited_for else engine._book_routes.get(symbol, ())
