"""The engine: one deterministic state machine. ``process(event) -> Outcome``, synchronous, no I/O, no clock.

Market data, fills, order updates and operators' commands are events of one stream. Each goes to the one that handles
its kind; all of them read and write one ``EngineState``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from time import perf_counter_ns
from typing import Any

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
from sengine.domain.market import Quote
from sengine.domain.order import Fill, OrderUpdate
from sengine.engine.admission import Admission
from sengine.engine.commands import CommandHandler
from sengine.engine.engine_state import EngineState
from sengine.engine.latency import FoldTurns, LatencyHistogram
from sengine.engine.market_data import MarketDataHandler
from sengine.engine.orders.fills import FillHandler
from sengine.engine.orders.flatten import Flattener
from sengine.engine.orders.flatten_plan import FlattenPlan
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.signals.after_close import AfterClose
from sengine.engine.signals.decisions import OrderDecider
from sengine.engine.signals.follow_up import FollowUp
from sengine.engine.signals.intake import SignalIntake
from sengine.engine.signals.remote import RemoteSignalIntake
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.spec import LoadStrategy
from sengine.engine.strategies.swap import SwapStrategy
from sengine.engine.time_jumps import JumpRule

EngineEvent = Event | LoadStrategy | SwapStrategy | ChangeLimits
"""All that ``Engine.process`` takes."""


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
        self.state = state = EngineState(
            votes,
            risk,
            portfolio,
            max_errors=max_errors,
            reset_after_ns=reset_after_ns,
            order_prefix=order_prefix,
            recent_ticks=recent_ticks,
        )
        # What of it others look at all the time.
        self.markets = state.markets
        self.orders = state.orders
        self.portfolio = portfolio
        self.record = state.record
        self.guard = state.guard
        self.registry = state.registry
        self.votes = votes
        self.risk = risk
        self.risk_view = state.risk_view
        self.held_fills = state.held_fills
        self.rejected, self.gaps, self.anomalies = state.rejected, state.gaps, state.anomalies
        self.dispositions, self.filtered_by = state.dispositions, state.filtered_by
        # Who handles what.
        self.venue = venue
        self.flow = flow = OrderFlow(state, venue, reject_pause)
        self._decider = OrderDecider(state, flow)
        self.flattener = Flattener(state, flow)
        self._intake = SignalIntake(state, flow, self._decider)
        self._follow_up = FollowUp(state, flow, AfterClose(state, flow, self._decider), self.flattener)
        self._admission = Admission(state, jumps)
        self.jumps = self._admission.jumps
        self._market_data = MarketDataHandler(
            state, self._admission, venue, flow, self._intake, self._follow_up, stopwatch_ns
        )
        self._fills = FillHandler(state, flow)
        self.doubt, self.lacks = self._fills.doubt, self._fills.lacks
        self._commands = CommandHandler(state, flow, self.flattener)
        remote = RemoteSignalIntake(state, self._intake)
        market_data, fills = self._market_data, self._fills
        turns = FoldTurns(lambda: [self.tick_latency, *(runtime.on_tick_latency for runtime in self.registry)])
        self.fold_next, self.fold_latencies = turns.fold_next, turns.fold_all
        self._handlers: dict[type, Callable[[Any], Outcome]] = {
            Quote: market_data.on_quote,
            SoundBookEvent: market_data.on_sound_book,
            BookEvent: market_data.on_book,
            TradeEvent: market_data.on_trade,
            BarEvent: market_data.on_bar,
            EndOfData: market_data.on_end_of_data,
            ForgetTime: market_data.on_forget_time,
            TakeHeld: self._on_take_held,
            Fill: self._on_fill,
            HoldFill: fills.hold,
            AcceptFill: self._on_accepted,
            RefuseFill: fills.refuse,
            OrderUpdate: self._on_update,
            **self._commands.handlers,
            RemoteSignals: remote.on_signals,
            RemoteReady: remote.on_ready,
            RemoteRolledBack: remote.on_rolled_back,
        }

    def process(self, event: EngineEvent) -> Outcome:
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
            outcome = self._market_data.on_quote(event) if type(event) is Quote else self.process(event)
            if outcome is not NOTHING:
                return event, outcome
        return None

    @property
    def now_ns(self) -> int:
        """Event time, nanoseconds UTC: that of the newest event."""
        return self.state.now_ns

    @property
    def ticks(self) -> int:
        return self.state.ticks

    @property
    def tick_latency(self) -> LatencyHistogram:
        return self._market_data.tick_latency

    @property
    def orders_sent(self) -> int:
        return self.state.orders_sent

    @property
    def signals_generated(self) -> int:
        return self.state.signals

    @property
    def kill_reason(self) -> str:
        """Why the kill switch is pulled; empty while orders may go out."""
        return self.state.kill_reason

    @property
    def is_shut_down(self) -> bool:
        return self.state.is_shut_down

    @property
    def flattening(self) -> Collection[tuple[str, str]]:
        """(strategy, symbol) that are being brought to zero."""
        return self.state.flattening

    def time_one_in(self, ticks: int) -> None:
        """Time only one tick in so many, a power of two."""
        self._market_data.time_one_in = ticks

    def flatten_plan(self, strategy_id: str = "", symbol: str = "") -> FlattenPlan:
        """What ``Flatten`` with these names would do now. Raises ``EngineError`` for names that mean nothing here."""
        return self._commands.flatten_plan(strategy_id, symbol)

    def flatten_waits_for(self, strategy_id: str = "", symbol: str = "") -> str:
        """What a flatten that is under way still needs, in words; empty when none is."""
        return self.flattener.waits_for(strategy_id, symbol)

    def _on_take_held(self, _: TakeHeld) -> Outcome:
        event = self.jumps.take()
        return NOTHING if event is None else self._handlers[type(event)](event)

    # News of orders may leave something to trade.

    def _on_fill(self, fill: Fill) -> Outcome:
        return self._follow_up.after(self._fills.on_fill(fill), self.state.now_ns)

    def _on_accepted(self, command: AcceptFill) -> Outcome:
        return self._follow_up.after(self._fills.accept(command), self.state.now_ns)

    def _on_update(self, update: OrderUpdate) -> Outcome:
        now_ns = self.state.now_ns
        return self._follow_up.after(self.flow.on_update(update, now_ns), now_ns)
