"""A market data event on its way through the engine: let in, known, met by what rests, told to strategies, decided.

The steps are those that ``docs/architecture.md`` walks through. The stopwatch measures how long strategies take; it
decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from sengine.domain.events import BarEvent, BookEvent, EndOfData, ForgetTime, MarketEvent, TradeEvent
from sengine.domain.market import EMPTY_BOOK, DataKind, MarketData, Quote, QuoteData
from sengine.engine.admission import Admission
from sengine.engine.engine_state import EngineState
from sengine.engine.latency import FOLD_EVERY, LatencyHistogram
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.signals.follow_up import FollowUp
from sengine.engine.signals.intake import Answer, Raised, SignalIntake
from sengine.engine.state.markets import Market, bar_fault, book_fault, trade_fault
from sengine.engine.state.trading_record import SURE_WITHIN_NS, end_of_day
from sengine.engine.strategies.registry import Route

# Members of an Enum are looked up through a descriptor; on each tick that shows.
_BOOK: Final = DataKind.BOOK


class MarketDataHandler:
    """Takes books, quotes, trades and bars. One tick in ``time_one_in``, a power of two, is timed."""

    def __init__(
        self,
        state: EngineState,
        admission: Admission,
        venue: SimulatedVenue | None,
        flow: OrderFlow,
        intake: SignalIntake,
        follow_up: FollowUp,
        stopwatch_ns: Callable[[], int],
    ) -> None:
        self._state = state
        self._markets = state.markets
        self._portfolio = state.portfolio
        self._registry = state.registry
        self._book_routes = state.registry.routes[DataKind.BOOK]
        self._admission = admission
        self._venue = venue
        self._flow = flow
        self._intake = intake
        self._follow_up = follow_up
        self.stopwatch_ns = stopwatch_ns
        self.time_one_in = 1
        self.tick_latency = LatencyHistogram()
        self._until_fold = FOLD_EVERY

    def on_book(self, event: BookEvent) -> Outcome:
        fault = book_fault(event.book)
        if fault is None:
            return self.on_sound_book(event)
        market = self._markets.get(event.symbol)
        if market is not None:
            market.doubt()
        return self._admission.drop(event, fault)

    def on_sound_book(self, event: BookEvent) -> Outcome:
        started_ns = self._started_ns()
        now_ns, book = event.timestamp_ns, event.book
        market = self._markets.get(event.symbol) or self._state.new_market(event.symbol)
        routes = self._book_routes.get(event.symbol)
        if not routes or not market.last_ns <= now_ns <= market.horizon_ns or event.sequence != -1:
            stopped = self._admission.stop(event, market)
            if stopped is not None:
                return stopped
            routes = self._registry.routes_for(DataKind.BOOK, event.symbol)
        market.last_ns = now_ns
        market.update_from_book(book)
        self._price((book.bids[0].price + book.asks[0].price) / 2, market, now_ns)
        outcome = self._meet(market, now_ns) if self._venue is not None else NOTHING
        if routes or market.recent is not None or self._registry.unstarted:
            data = MarketData(market.symbol, now_ns, book, market.recent_trades, market.bar)
            outcome = self._tell(market, routes, data, outcome, started_ns, event.late_ns)
        if started_ns:
            self._end_tick(started_ns)
        return outcome

    def on_quote(self, quote: Quote) -> Outcome:
        """``on_sound_book`` for what nearly all events of a file of quotes are: no book is made."""
        started_ns = self._started_ns()
        symbol, now_ns = quote.symbol, quote.timestamp_ns
        market = self._markets.get(symbol) or self._state.new_market(symbol)
        routes = self._book_routes.get(symbol)
        if not routes or not market.last_ns <= now_ns <= market.horizon_ns or quote.sequence != -1:
            stopped = self._admission.stop(quote, market)
            if stopped is not None:
                return stopped
            routes = self._registry.routes_for(DataKind.BOOK, symbol)
        market.last_ns = now_ns
        market.update_from_quote(quote)
        self._price((quote.bid + quote.ask) / 2, market, now_ns)
        outcome = self._meet(market, now_ns) if self._venue is not None else NOTHING
        if routes or market.recent is not None or self._registry.unstarted:
            data = QuoteData(symbol, now_ns, EMPTY_BOOK, market.recent_trades, market.bar, _BOOK, quote)
            outcome = self._tell(market, routes, data, outcome, started_ns, quote.late_ns)
        if started_ns:
            self._end_tick(started_ns)
        return outcome

    def _started_ns(self) -> int:
        """When a tick began, for one in ``time_one_in`` of them; 0 for the others."""
        return 0 if self._state.ticks & (self.time_one_in - 1) else self.stopwatch_ns()

    def _price(self, mid: float, market: Market, now_ns: int) -> None:
        """Step 2 of a new book: most quotes move quantities only; what is held is then worth what it was."""
        if mid != market.mid:
            if now_ns >= market.look_ns:
                self._look(market, now_ns)
            market.mid = mid
            if market.symbol in self._portfolio.open:
                self._portfolio.mark(market.symbol, mid)
        self._state.now_ns = now_ns
        self._state.ticks += 1

    def _look(self, market: Market, now_ns: int, *, is_sure: bool = False) -> None:
        """What happens about once a second and symbol, when the mid is about to change: a reference for jumps, and a
        new day for the day's loss. While a day waits to be confirmed, each change is looked at."""
        record = self._state.record
        if now_ns < record.day_ends_ns and not record.next_day_ends_ns and market.look_ns >= market.reference_until_ns:
            market.refer(record.day_ends_ns, now_ns)
            market.look_ns = market.reference_until_ns
            return
        is_sure = is_sure or now_ns - self._state.now_ns <= SURE_WITHIN_NS
        record.see(now_ns, self._portfolio.equities, is_sure=is_sure)
        if now_ns >= market.reference_until_ns:
            market.refer(max(record.day_ends_ns, end_of_day(now_ns)), now_ns)
        market.look_ns = now_ns if record.next_day_ends_ns else market.reference_until_ns

    def on_trade(self, event: TradeEvent) -> Outcome:
        started_ns = self._started_ns()
        market = self._markets.get(event.symbol) or self._state.new_market(event.symbol)
        stopped = self._stopped(event, market, trade_fault(event))
        if stopped is not None:
            return stopped
        market.update_from_trade(event)
        routes = self._registry.routes_for(DataKind.TRADE, event.symbol)
        return self._advance(event, market, DataKind.TRADE, routes, False, started_ns)

    def on_bar(self, event: BarEvent) -> Outcome:
        started_ns = self._started_ns()
        market = self._markets.get(event.symbol) or self._state.new_market(event.symbol)
        stopped = self._stopped(event, market, bar_fault(event))
        if stopped is not None:
            return stopped
        if not market.has_book and market.last_ns >= market.look_ns:
            # Bars may be a day apart, so that a second one would confirm the day when it is over.
            self._look(market, market.last_ns, is_sure=True)
        market.update_from_bar(event)
        is_price = not market.has_book
        if is_price:
            self._portfolio.mark(event.symbol, market.mid)
        routes = self._registry.routes_for(DataKind.BAR, event.symbol)
        return self._advance(event, market, DataKind.BAR, routes, is_price, started_ns)

    def _stopped(self, event: MarketEvent, market: Market, fault: str | None) -> Outcome | None:
        """Step 1 of a trade or bar: what becomes of one that must not go on; ``None`` where it is the newest now."""
        if fault is not None:
            return self._admission.drop(event, fault)
        stopped = self._admission.stop(event, market)
        if stopped is None:
            market.follow_book()
            market.last_ns = self._state.now_ns = event.timestamp_ns
        return stopped

    def _advance(
        self,
        event: MarketEvent,
        market: Market,
        kind: DataKind,
        routes: Sequence[Route],
        is_price: bool,
        started_ns: int,
    ) -> Outcome:
        """Steps 3 to 10 of an admitted trade or bar; ``is_price`` where resting orders are matched against it."""
        now_ns = event.timestamp_ns
        self._state.ticks += 1
        outcome = self._meet(market, now_ns) if is_price and self._venue is not None else NOTHING
        if routes or market.recent is not None or self._registry.unstarted:
            data = MarketData(market.symbol, now_ns, market.book, market.recent_trades, market.bar, kind)
            outcome = self._tell(market, routes, data, outcome, started_ns, event.late_ns)
        if started_ns:
            self._end_tick(started_ns)
        return outcome

    def _meet(self, market: Market, now_ns: int) -> Outcome:
        """Step 3: what rests at the simulated venue meets the new touch."""
        assert self._venue is not None
        touch = market.touch if market.symbol in self._venue.waiting else None
        if touch is None:
            return NOTHING
        return self._follow_up.after(self._flow.match(market.symbol, touch, now_ns), now_ns)

    def _tell(
        self,
        market: Market,
        routes: Sequence[Route],
        data: MarketData,
        outcome: Outcome,
        started_ns: int,
        late_ns: int,
    ) -> Outcome:
        """Steps 4 to 10: call the strategies, and settle what they answer."""
        if self._registry.unstarted:
            if outcome is NOTHING:
                outcome = Outcome()
            self._registry.pause_unstarted(data.timestamp_ns, outcome)
        if market.recent is not None:
            market.recent.append((self._state.ticks, data))
        answers = self._ask(routes, data, is_timed=started_ns != 0)
        if answers:
            if outcome is NOTHING:
                outcome = Outcome()
            self._state.risk_view.late_ns = late_ns
            self._intake.process(answers, data, outcome)
        return outcome

    def _ask(self, routes: Sequence[Route], data: MarketData, is_timed: bool) -> Sequence[Answer]:
        """Call ``on_tick`` of each strategy; what those with something to say returned or raised."""
        answers: list[Answer] = []
        called_ns = self.stopwatch_ns() if is_timed else 0
        guard = self._state.guard
        for runtime, on_tick in routes:
            runtime.ticks += 1
            guard.running = runtime
            try:
                answer = on_tick(data)
                guard.running = None
            except BaseException as error:
                guard.contain(error)
                answer = Raised(error)
            if is_timed:
                done_ns = self.stopwatch_ns()
                runtime.took(done_ns - called_ns)
                called_ns = done_ns
            if answer is not None:
                answers.append((runtime, answer))
        return answers

    def _end_tick(self, started_ns: int) -> None:
        self.tick_latency.record(self.stopwatch_ns() - started_ns)
        self._until_fold -= 1
        if self._until_fold <= 0:
            self._until_fold = FOLD_EVERY
            self.tick_latency.fold()

    # Market data that waited for others to confirm its time.

    def on_end_of_data(self, _: EndOfData) -> Outcome:
        outcome = self._admission.jumps.decide_all()
        self._admission.count_dropped(outcome)
        return outcome

    def on_forget_time(self, command: ForgetTime) -> Outcome:
        market = self._markets.get(command.symbol)
        if market is not None:
            self._admission.begin_anew(market)
        self._state.record.forget_after(command.now_ns)
        return NOTHING
