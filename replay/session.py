"""A replay run: files in, the engine's loop, a result out. What differs from live is the feed and the venue."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from time import perf_counter

from replay.digest import RunDigest
from replay.equity import EquityCurve
from replay.performance import means_little, measure, without_sums
from replay.result import RunResult
from replay.tally import TradeTally
from sengine.domain.currencies import totals_by_currency
from sengine.domain.events import EndOfData, MarketEvent, Shutdown, TakeHeld
from sengine.engine.core import Engine
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.state.markets import Market
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.time_jumps import dated

# Progress and interruption are looked at between chunks of this many events.
_CHUNK = 16_384
TIME_ONE_TICK_IN = 8
_FAULTS_KEPT = 20
_HINTS_KEPT = 20

Observer = Callable[[Outcome], None]


class ReplaySession:
    """Drives an engine over events and keeps the run's accounts.

    ``observers`` see each outcome in which something happened.
    ``on_held`` gets each event that waits for others to confirm its time.
    ``on_rejected`` gets the engine's reason for each event that it dropped, and the event; it may raise to stop the
    run. ``on_sample`` is called with event time and the markets whenever the equity curve was sampled.
    """

    def __init__(
        self,
        engine: Engine,
        *,
        observers: Sequence[Observer] = (),
        on_rejected: Callable[[str, MarketEvent], None] | None = None,
        on_held: Callable[[MarketEvent], None] | None = None,
        on_sample: Callable[[int, Mapping[str, Market]], None] | None = None,
    ) -> None:
        self.engine = engine
        # Reading a clock several times on each of millions of ticks would be a fifth of the run.
        engine.time_one_in(TIME_ONE_TICK_IN)
        self.curve = EquityCurve()
        self._digest = RunDigest()
        self._tally = TradeTally()
        self.observers: list[Observer] = [self._digest.add, self._tally_fills, self._keep_faults, *observers]
        self._on_rejected, self._on_held = on_rejected, on_held
        self._on_sample = on_sample
        self._fills = 0
        self._faults: list[StrategyFault] = []
        self._pauses: list[str] = []
        self._hints: list[str] = []
        self._first_ns = 0
        # Kept by hand: the registry is empty once the strategies are shut down.
        self._fault_counts: Counter[str] = Counter()

    def run(self, events: Iterable[MarketEvent], on_chunk: Callable[[int], None] | None = None) -> RunResult:
        """Feed all events through the engine, shut the strategies down, and sum up.

        ``on_chunk`` is called with the number of ticks every few thousand events.
        What the events or an observer raise ends the run and comes out here; the strategies are shut down then, too.
        """
        started_s = perf_counter()
        # What exists now lives as long as the run, and blocks of rows come and go by the thousand: the collector looks
        # for what strategies leave behind between chunks, and not in the middle of ticks.
        gc.freeze()
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            stream = iter(events)
            while self.advance(islice(stream, _CHUNK)):
                gc.collect(1)
                if on_chunk is not None:
                    on_chunk(self.engine.ticks)
        except BaseException:
            self.engine.process(Shutdown())
            raise
        finally:
            gc.unfreeze()
            if was_enabled:
                gc.enable()
        return self.finish(perf_counter() - started_s)

    def advance(self, chunk: Iterator[MarketEvent]) -> bool:
        """Process these events; whether there was any."""
        process_until, curve = self.engine.process_until, self.curve
        seen = self._events_seen()
        while (step := process_until(chunk, curve.next_ns)) is not None:
            event, outcome = step
            if outcome is None:
                outcome = self._process_and_sample(event)
            if outcome is not NOTHING:
                self._take(event, outcome)
        return self._events_seen() > seen

    def _events_seen(self) -> int:
        engine = self.engine
        return engine.ticks + engine.rejected.total() + engine.jumps.arrivals

    def _process_and_sample(self, event: MarketEvent, command: TakeHeld | None = None) -> Outcome:
        """Process the first event after a sample's moment, which ``command`` may stand for; the sample is the state
        before it."""
        portfolio = self.engine.portfolio
        pnl, gross = portfolio.total.equity, portfolio.gross_notional()
        ticks = self.engine.ticks
        outcome = self.engine.process(command or event)
        if self.engine.ticks > ticks:
            if not self.curve.pnl:
                self._first_ns = event.timestamp_ns
            self.curve.advance(event.timestamp_ns, pnl, gross)
            if self._on_sample is not None:
                self._on_sample(event.timestamp_ns, self.engine.markets)
        return outcome

    def account(self, outcome: Outcome) -> None:
        """Enter what came of an event, market data or an operator's command, into the run's books."""
        for observe in self.observers:
            observe(outcome)

    def _take(self, event: MarketEvent, outcome: Outcome) -> None:
        if outcome.rejected:
            self._reject(outcome.rejected, event)
            return
        self._take_whole(outcome)
        if outcome.is_held and self._on_held is not None:
            self._on_held(event)

    def _take_whole(self, outcome: Outcome) -> None:
        """What was not refused, and what it says about the times of others."""
        self.account(outcome)
        for dropped, reason in outcome.dropped:
            self._hint(f"{dropped.symbol}: {dated(dropped)} was dropped: those after it do not go on from there")
            self._reject(reason, dropped)
        if outcome.confirmed or outcome.dropped:
            for warning in outcome.warnings:
                self._hint(warning)
            self._take_held()

    def _hint(self, sentence: str) -> None:
        if len(self._hints) < _HINTS_KEPT:
            self._hints.append(sentence)

    def _reject(self, reason: str, event: MarketEvent) -> None:
        if self._on_rejected is not None:
            self._on_rejected(reason, event)

    def _take_held(self) -> None:
        """Process what was held back for its time and is confirmed by now, each event as if it had come just now."""
        while self.engine.jumps.due:
            event, command = self.engine.jumps.due[0][1], TakeHeld()
            if event.timestamp_ns >= self.curve.next_ns:
                outcome = self._process_and_sample(event, command)
            else:
                outcome = self.engine.process(command)
            if outcome is not NOTHING:
                self._take(event, outcome)

    def _tally_fills(self, outcome: Outcome) -> None:
        self._fills += len(outcome.fills)
        for share, gross in outcome.shares:
            self._tally.add(share.price * share.quantity, share.commission, gross)

    def _keep_faults(self, outcome: Outcome) -> None:
        if not outcome.faults:
            return
        for fault in outcome.faults:
            self._fault_counts[fault.strategy_id] += 1
            # The first of each strategy tells most, and a broken one may fault on every tick.
            if self._fault_counts[fault.strategy_id] <= 3 and len(self._faults) < _FAULTS_KEPT:
                self._faults.append(fault)
        self._pauses.extend(outcome.notices)

    def _hint_overruled_closes(self) -> None:
        for (strategy_id, symbol), count in self.engine.state.overruled_closes.items():
            said = f"{count} CLOSE signal{'s' * (count != 1)}"
            self._hint(
                f"{strategy_id}: votes overruled {said} on {symbol} while it held some (see --signals FILE.csv); "
                "where it must get out when it says so, set route: direct"
            )

    def finish(self, elapsed_s: float) -> RunResult:
        """Decide what is held back, shut the strategies down and sum up."""
        engine = self.engine
        self._take_whole(engine.process(EndOfData()))
        engine.fold_latencies()
        self._hint_overruled_closes()
        on_tick_us = {runtime.strategy_id: runtime.on_tick_latency.summary_us() for runtime in engine.registry}
        self._keep_faults(engine.process(Shutdown()))
        portfolio, total = engine.portfolio, engine.portfolio.total
        self.curve.finish(total.equity, portfolio.gross_notional())
        performance = measure(
            portfolio.initial_capital,
            total.equity,
            total.max_drawdown,
            self.curve.pnl,
            self.curve.gross_notional,
            self.curve.interval_ns,
            self._tally,
        )
        reason = portfolio.currencies.without_sum.get("", "")
        if reason:
            performance = without_sums(performance)
        return RunResult(
            ticks=engine.ticks,
            rejected=dict(sorted(engine.rejected.items())),
            gaps=dict(sorted(engine.gaps.items())),
            signals_total=engine.signals_generated,
            dispositions={str(name): count for name, count in engine.dispositions.items()},
            filtered_by=dict(engine.filtered_by),
            orders=engine.orders_sent,
            fills=self._fills,
            positions=tuple(portfolio.positions()),
            performance=performance,
            means_little=means_little(performance, engine.now_ns - self._first_ns),
            curve=EquityCurve() if reason else self.curve,
            totals=totals_by_currency(portfolio.positions()),
            not_added_up=reason,
            on_tick_us=on_tick_us,
            tick_us=engine.tick_latency.summary_us(),
            faults=tuple(self._faults),
            fault_counts=dict(self._fault_counts),
            pauses=tuple(self._pauses),
            first_ns=self._first_ns,
            last_ns=engine.now_ns,
            elapsed_s=elapsed_s,
            digest=self._digest.text(),
            hints=tuple(self._hints),
        )
