"""The engine: one deterministic state machine. ``process(event) -> Outcome``, synchronous, no I/O, no clock.

A market data event goes through the steps of semantics section 2: validate, update the market, match what rests at
the simulated venue, call the strategies, decide, send. Fills, order updates and operator commands are events of the
same stream. The stopwatch measures how long strategies take; it decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from time import perf_counter_ns
from typing import Any, Final

from sengine.clock import NS_PER_S
from sengine.domain.events import (
    AcceptFill,
    BarEvent,
    BookEvent,
    EndOfData,
    Event,
    ForgetTime,
    HoldFill,
    MarketEvent,
    RefuseFill,
    RemoteReady,
    RemoteRolledBack,
    RemoteSignals,
    SoundBookEvent,
    TakeHeld,
    TradeEvent,
)
from sengine.domain.market import EMPTY_BOOK, DataKind, MarketData, Quote, QuoteData
from sengine.domain.order import Fill, OrderUpdate
from sengine.engine.admission import Admission
from sengine.engine.commands import CommandHandler
from sengine.engine.latency import FOLD_EVERY, FoldTurns, LatencyHistogram
from sengine.engine.orders.after_close import AfterClose
from sengine.engine.orders.fills import FillHandler
from sengine.engine.orders.flatten import Flattener, FlattenPlan
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.risk.view import RiskView
from sengine.engine.signals.aggregation import VoteBook
from sengine.engine.signals.decisions import OrderDecider
from sengine.engine.signals.intake import Answer, Raised, SignalIntake
from sengine.engine.signals.remote import RemoteSignalIntake
from sengine.engine.state.markets import Market, bar_fault, book_fault, trade_fault
from sengine.engine.state.orders import OrderTracker
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.recent_ticks import new_ring
from sengine.engine.state.trading_record import SURE_WITHIN_NS, TradingRecord, end_of_day
from sengine.engine.strategies.guard import Guard
from sengine.engine.strategies.registry import Route, StrategyRegistry
from sengine.engine.strategies.spec import LoadStrategy
from sengine.engine.strategies.swap import SwapStrategy
from sengine.engine.time_jumps import JumpGate, JumpRule

_FILL_AHEAD_NS: Final = 5 * NS_PER_S

# Members of an Enum are looked up through a descriptor; on each tick that shows.
_BOOK: Final = DataKind.BOOK


class Engine:
    """Market data in, orders out, and the books kept.

    ``venue`` is the simulated venue of replay; without one, orders only leave in the outcome and their fills come
    back as events. ``order_prefix`` makes order ids unique across sessions. The last ``recent_ticks`` ticks of each
    symbol are kept, for new versions of strategies to warm up on. After ``reject_pause`` rejections in a row, 0 for
    never, a strategy's orders on a symbol pause. ``jumps`` says when an event is too far from the last of its symbol to
    be taken at once.
    """

    def __init__(
        self,
        votes: VoteBook,
        risk: RiskPipeline,
        portfolio: Portfolio,
        venue: SimulatedVenue | None = None,
        *,
        max_errors: int = 10,
        reset_after_ns: int = 60_000_000_000,
        order_prefix: str = "",
        reject_pause: int = 0,
        recent_ticks: int = 0,
        jumps: JumpRule | None = None,
        stopwatch_ns: Callable[[], int] = perf_counter_ns,
    ) -> None:
        self.now_ns = 0
        self.ticks = 0
        # What is known: prices, orders, portfolio, and who may be called.
        self.markets: dict[str, Market] = {}
        self.orders = OrderTracker()
        self.portfolio = portfolio
        self.record = TradingRecord()
        self.guard = Guard()
        self.registry = StrategyRegistry(
            max_errors, reset_after_ns, votes.withdraw, self.markets, self.guard, self.orders.heading
        )
        self._recent_ticks = recent_ticks
        self._book_routes = self.registry.routes[DataKind.BOOK]
        # What a tick goes through: let in, answered, decided, sent.
        self._admission = Admission(self.markets, self.registry, jumps, self._begin_anew)
        self.jumps: JumpGate[Market] = self._admission.jumps
        self.rejected, self.gaps = self._admission.rejected, self._admission.gaps
        self._venue = venue
        self._flow = flow = OrderFlow(
            self.orders, portfolio, self.registry, self.markets, venue, self.record, risk, reject_pause
        )
        self.anomalies = flow.anomalies
        self._fills = FillHandler(
            self.orders, self.markets, flow.anomalies, self._book_fill, lambda: self._desk.orders_sent
        )
        self.held_fills, self.doubt, self.lacks = self._fills.held, self._fills.doubt, self._fills.lacks
        self.votes = votes
        self.risk = risk
        self.risk_view = RiskView(portfolio, self.orders, self.markets, self.record)
        self._desk = OrderDecider(
            votes, risk, self.risk_view, flow.send, flow.cancel, flow.withdraw, flow.reject_pause, order_prefix
        )
        self._flattens = Flattener(
            portfolio,
            self.orders,
            flow,
            self._desk.send_reducing,
            votes.withdraw_on,
            self.risk_view.price,
            order_prefix,
        )
        self._desk.flattening = self._flattens.pending
        self._after_close = AfterClose(portfolio, self.orders, flow, self._desk)
        self._answers = SignalIntake(self.registry, votes, self._desk, flow, self.risk_view)
        self.dispositions, self.filtered_by = self._answers.dispositions, self._answers.filtered_by
        # How long it takes.
        self._stopwatch_ns = stopwatch_ns
        self.time_one_in = 1
        self.tick_latency = LatencyHistogram()
        self._record_tick = self.tick_latency.record
        self._until_fold = FOLD_EVERY
        turns = FoldTurns(lambda: [self.tick_latency, *(runtime.on_tick_latency for runtime in self.registry)])
        self.fold_next, self.fold_latencies = turns.fold_next, turns.fold_all
        # What else can happen.
        self._commands = CommandHandler(
            self.registry,
            risk,
            self.record,
            votes,
            portfolio,
            self.orders,
            self.markets,
            flow,
            self._desk,
            self._flattens,
            lambda: (self.now_ns, self.ticks),
        )
        remote = RemoteSignalIntake(self.registry, self._answers, flow.anomalies, lambda: self.now_ns)
        self._handlers: dict[type, Callable[[Any], Outcome]] = {
            Quote: self._on_quote,
            SoundBookEvent: self._on_sound_book,
            BookEvent: self._on_book,
            TradeEvent: self._on_trade,
            BarEvent: self._on_bar,
            Fill: self._on_fill,
            HoldFill: self._fills.hold,
            AcceptFill: self._on_accepted,
            RefuseFill: self._fills.refuse,
            OrderUpdate: self._on_update,
            **self._commands.handlers,
            RemoteSignals: remote.on_signals,
            RemoteReady: remote.on_ready,
            RemoteRolledBack: remote.on_rolled_back,
            TakeHeld: self._on_take_held,
            EndOfData: self._on_end_of_data,
            ForgetTime: self._on_forget_time,
        }

    def process(self, event: Event | LoadStrategy | SwapStrategy | ChangeLimits) -> Outcome:
        """Take one event through the whole engine.

        Raises ``LifecycleError``, ``LimitError`` or ``EngineError`` for a command that cannot be carried out; nothing
        has changed then. Market data, fills and order updates never raise.
        """
        return self._handlers[type(event)](event)

    def process_until(self, events: Iterator[MarketEvent], stop_ns: int) -> tuple[MarketEvent, Outcome | None] | None:
        """Process events up to and including the first one that leads to something, and return it with its outcome.

        An event whose time is ``stop_ns`` or later is not processed but returned with ``None``; ``None`` alone says
        that ``events`` has ended. Only one quiet tick in ``time_one_in``, a power of two, is timed. After an outcome
        with ``confirmed`` events, ``TakeHeld`` is to be processed as often before the next call.
        """
        for event in events:
            if event.timestamp_ns >= stop_ns:
                return event, None
            outcome = self._on_quote(event) if type(event) is Quote else self.process(event)
            if outcome is not NOTHING:
                return event, outcome
        return None

    @property
    def orders_sent(self) -> int:
        return self._desk.orders_sent

    @property
    def kill_reason(self) -> str:
        """Why the kill switch is pulled; empty while orders may go out."""
        return self._desk.kill_reason

    @property
    def is_shut_down(self) -> bool:
        return self._commands.is_shut_down

    @property
    def flattening(self) -> Collection[tuple[str, str]]:
        """(strategy, symbol) that are being brought to zero."""
        return self._flattens.pending

    @property
    def signals_generated(self) -> int:
        return self._answers.signals

    def flatten_plan(self, strategy_id: str = "", symbol: str = "") -> FlattenPlan:
        """What ``Flatten`` with these names would do now. Raises ``EngineError`` for names that mean nothing here."""
        return self._commands.flatten_plan(strategy_id, symbol)

    def flatten_waits_for(self, strategy_id: str = "", symbol: str = "") -> str:
        """What a flatten that is under way still needs, in words; empty when none is."""
        return self._flattens.waits_for(strategy_id, symbol)

    # Market data: semantics section 2.

    def _on_book(self, event: BookEvent) -> Outcome:
        fault = book_fault(event.book)
        if fault is None:
            return self._on_sound_book(event)
        market = self.markets.get(event.symbol)
        if market is not None:
            market.doubt()
        return self._admission.drop(event, fault)

    def _on_sound_book(self, event: BookEvent) -> Outcome:
        started_ns = self._started_ns()
        now_ns, book = event.timestamp_ns, event.book
        market = self.markets.get(event.symbol) or self._new_market(event.symbol)
        routes = self._book_routes.get(event.symbol)
        if not routes or not market.last_ns <= now_ns <= market.horizon_ns or event.sequence != -1:
            stopped = self._admission.stop(event, market)
            if stopped is not None:
                return stopped
            routes = self.registry.routes_for(DataKind.BOOK, event.symbol)
        market.last_ns = now_ns
        market.update_from_book(book)
        self._price((book.bids[0].price + book.asks[0].price) / 2, market, now_ns)
        outcome = self._meet(market, now_ns) if self._venue is not None else NOTHING
        if routes or market.recent is not None or self.registry.unstarted:
            data = MarketData(market.symbol, now_ns, book, market.recent_trades, market.bar)
            outcome = self._tell(market, routes, data, outcome, started_ns, event.late_ns)
        if started_ns:
            self._end_tick(started_ns)
        return outcome

    def _on_quote(self, quote: Quote) -> Outcome:
        """``_on_sound_book`` for what nearly all events of a file of quotes are: no book is made."""
        started_ns = self._started_ns()
        symbol, now_ns = quote.symbol, quote.timestamp_ns
        market = self.markets.get(symbol) or self._new_market(symbol)
        routes = self._book_routes.get(symbol)
        if not routes or not market.last_ns <= now_ns <= market.horizon_ns or quote.sequence != -1:
            stopped = self._admission.stop(quote, market)
            if stopped is not None:
                return stopped
            routes = self.registry.routes_for(DataKind.BOOK, symbol)
        market.last_ns = now_ns
        market.update_from_quote(quote)
        self._price((quote.bid + quote.ask) / 2, market, now_ns)
        outcome = self._meet(market, now_ns) if self._venue is not None else NOTHING
        if routes or market.recent is not None or self.registry.unstarted:
            data = QuoteData(symbol, now_ns, EMPTY_BOOK, market.recent_trades, market.bar, _BOOK, quote)
            outcome = self._tell(market, routes, data, outcome, started_ns, quote.late_ns)
        if started_ns:
            self._end_tick(started_ns)
        return outcome

    def _started_ns(self) -> int:
        """When a tick began, for one in ``time_one_in`` of them; 0 for the others."""
        return 0 if self.ticks & (self.time_one_in - 1) else self._stopwatch_ns()

    def _price(self, mid: float, market: Market, now_ns: int) -> None:
        """Step 2 of a new book: most quotes move quantities only; what is held is then worth what it was."""
        if mid != market.mid:
            if now_ns >= market.look_ns:
                self._look(market, now_ns)
            market.mid = mid
            if market.symbol in self.portfolio.open:
                self.portfolio.mark(market.symbol, mid)
        self.now_ns = now_ns
        self.ticks += 1

    def _look(self, market: Market, now_ns: int, *, is_sure: bool = False) -> None:
        """What happens about once a second and symbol, when the mid is about to change: a reference for jumps, and a
        new day for the day's loss. While a day waits to be confirmed, each change is looked at."""
        record = self.record
        if now_ns < record.day_ends_ns and not record.next_day_ends_ns and market.look_ns >= market.reference_until_ns:
            market.refer(record.day_ends_ns, now_ns)
            market.look_ns = market.reference_until_ns
            return
        is_sure = is_sure or now_ns - self.now_ns <= SURE_WITHIN_NS
        record.see(now_ns, self.portfolio.equities, is_sure=is_sure)
        if now_ns >= market.reference_until_ns:
            market.refer(max(record.day_ends_ns, end_of_day(now_ns)), now_ns)
        market.look_ns = now_ns if record.next_day_ends_ns else market.reference_until_ns

    def _on_trade(self, event: TradeEvent) -> Outcome:
        started_ns = self._started_ns()
        market = self.markets.get(event.symbol) or self._new_market(event.symbol)
        fault = trade_fault(event)
        if fault is not None:
            return self._admission.drop(event, fault)
        stopped = self._admission.stop(event, market)
        if stopped is not None:
            return stopped
        market.follow_book()
        market.last_ns = self.now_ns = event.timestamp_ns
        market.update_from_trade(event)
        routes = self.registry.routes_for(DataKind.TRADE, event.symbol)
        return self._advance(event, market, DataKind.TRADE, routes, False, started_ns)

    def _on_bar(self, event: BarEvent) -> Outcome:
        started_ns = self._started_ns()
        market = self.markets.get(event.symbol) or self._new_market(event.symbol)
        fault = bar_fault(event)
        if fault is not None:
            return self._admission.drop(event, fault)
        stopped = self._admission.stop(event, market)
        if stopped is not None:
            return stopped
        market.follow_book()
        market.last_ns = self.now_ns = event.timestamp_ns
        if not market.has_book and market.last_ns >= market.look_ns:
            # Bars may be a day apart, so that a second one would confirm the day when it is over.
            self._look(market, market.last_ns, is_sure=True)
        market.update_from_bar(event)
        is_price = not market.has_book
        if is_price:
            self.portfolio.mark(event.symbol, market.mid)
        routes = self.registry.routes_for(DataKind.BAR, event.symbol)
        return self._advance(event, market, DataKind.BAR, routes, is_price, started_ns)

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
        self.ticks += 1
        outcome = self._meet(market, now_ns) if is_price and self._venue is not None else NOTHING
        if routes or market.recent is not None or self.registry.unstarted:
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
        outcome = self._flow.match(market.symbol, touch, now_ns)
        if self._flow.unwanted:
            self._after_close.follow_up(outcome, now_ns)
        if self._flattens.pending:
            self._flattens.follow_up(outcome, now_ns)
        self._flow.news.tell(outcome, now_ns)
        return outcome

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
        if self.registry.unstarted:
            if outcome is NOTHING:
                outcome = Outcome()
            self.registry.pause_unstarted(data.timestamp_ns, outcome)
        if market.recent is not None:
            market.recent.append((self.ticks, data))
        answers = self._ask(routes, data, is_timed=started_ns != 0)
        if answers:
            if outcome is NOTHING:
                outcome = Outcome()
            self.risk_view.late_ns = late_ns
            self._answers.process(answers, data, outcome)
        return outcome

    def _ask(self, routes: Sequence[Route], data: MarketData, is_timed: bool) -> Sequence[Answer]:
        """Call ``on_tick`` of each strategy; what those with something to say returned or raised."""
        answers: list[Answer] = []
        called_ns = self._stopwatch_ns() if is_timed else 0
        guard = self.guard
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
                done_ns = self._stopwatch_ns()
                runtime.took(done_ns - called_ns)
                called_ns = done_ns
            if answer is not None:
                answers.append((runtime, answer))
        return answers

    def _end_tick(self, started_ns: int) -> None:
        self._record_tick(self._stopwatch_ns() - started_ns)
        self._until_fold -= 1
        if self._until_fold <= 0:
            self._until_fold = FOLD_EVERY
            self.tick_latency.fold()

    def _new_market(self, symbol: str) -> Market:
        market = self.markets[symbol] = Market(symbol)
        market.recent = new_ring(self._recent_ticks)
        market.routed = self.registry.wants(symbol)
        return market

    # Market data that waited for others to confirm its time.

    def _on_take_held(self, _: TakeHeld) -> Outcome:
        event = self.jumps.take()
        return NOTHING if event is None else self._handlers[type(event)](event)

    def _on_end_of_data(self, _: EndOfData) -> Outcome:
        outcome = self.jumps.decide_all()
        self._admission.count_dropped(outcome)
        return outcome

    def _on_forget_time(self, command: ForgetTime) -> Outcome:
        market = self.markets.get(command.symbol)
        if market is not None:
            self._begin_anew(market)
        self.record.forget_after(command.now_ns)
        return NOTHING

    def _begin_anew(self, market: Market) -> None:
        market.restart()
        self.votes.forget(market.symbol)

    # News of orders.

    def _on_fill(self, fill: Fill) -> Outcome:
        return self._followed_up(self._fills.on_fill(fill))

    def _book_fill(self, fill: Fill, outcome: Outcome) -> None:
        # A fill may overtake market data. What a venue dates tomorrow has been executed now.
        is_ahead = fill.timestamp_ns > self.now_ns + _FILL_AHEAD_NS
        self._flow.apply_fill(fill, outcome, self.now_ns if is_ahead else fill.timestamp_ns)

    def _on_accepted(self, command: AcceptFill) -> Outcome:
        return self._followed_up(self._fills.accept(command))

    def _followed_up(self, outcome: Outcome) -> Outcome:
        if self._flow.unwanted:
            self._after_close.follow_up(outcome, self.now_ns)
        if self._flattens.pending:
            self._flattens.follow_up(outcome, self.now_ns)
        self._flow.news.tell(outcome, self.now_ns)
        return outcome

    def _on_update(self, update: OrderUpdate) -> Outcome:
        return self._followed_up(self._flow.on_update(update, self.now_ns))
