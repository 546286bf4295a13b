"""Step 1: which market data gets in. What does not is counted by its reason, gaps by their kind."""

from __future__ import annotations

from sengine.domain.events import BarEvent, BookEvent, MarketEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import DataKind, Quote
from sengine.engine.engine_state import EngineState
from sengine.engine.outcome import Outcome
from sengine.engine.state.markets import MOST_MISSING, Market
from sengine.engine.time_jumps import TIME_BACKWARDS, TIME_JUMP, JumpGate, JumpRule

_KINDS = {
    Quote: DataKind.BOOK,
    SoundBookEvent: DataKind.BOOK,
    BookEvent: DataKind.BOOK,
    TradeEvent: DataKind.TRADE,
    BarEvent: DataKind.BAR,
}


class Admission:
    """Judges market data; ``jumps`` holds back what is too far from the last of its symbol."""

    def __init__(self, state: EngineState, jumps: JumpRule | None) -> None:
        self._state = state
        self._rejected = state.rejected
        self._gaps = state.gaps
        self._markets = state.markets
        self._registry = state.registry
        self.jumps: JumpGate[Market] = JumpGate(jumps, state.markets, self.begin_anew)

    def begin_anew(self, market: Market) -> None:
        """Forget what a market's wrong times led to."""
        market.restart()
        self._state.votes.forget(market.symbol)

    def stop(self, event: MarketEvent, market: Market) -> Outcome | None:
        """What becomes of a sound event that must not go on; ``None`` where it may. A gap is counted, and drops
        nothing."""
        if not market.routed:
            market.routed = self._registry.wants(market.symbol)
        is_older = event.timestamp_ns < market.last_ns
        if market.routed and (is_older or event.timestamp_ns > market.horizon_ns):
            outcome = self.jumps.judge(event, market)
            if outcome is not None:
                self.count_dropped(outcome)
                return outcome
        if event.sequence != -1:
            self._count_gap(event, market)
        if is_older:
            return self.reject(TIME_BACKWARDS)
        return None if market.routed else self.reject("no_strategy_wants_symbol")

    def count_dropped(self, outcome: Outcome) -> None:
        """What was held back and is refused now did arrive, so its sequence numbers are not missing."""
        for event, reason in outcome.dropped:
            self._rejected[reason] += 1
            if event.sequence != -1:
                self._count_gap(event, self._markets[event.symbol])
        if outcome.is_first_wrong:
            self._rejected[TIME_JUMP] += 1

    def drop(self, event: MarketEvent, reason: str) -> Outcome:
        """Reject an unsound event. It did arrive, so its sequence number is not missing."""
        market = self._markets.get(event.symbol)
        if market is not None and event.sequence != -1:
            self._count_gap(event, market)
        return self.reject(reason)

    def reject(self, reason: str) -> Outcome:
        self._rejected[reason] += 1
        return Outcome(rejected=reason)

    def _count_gap(self, event: MarketEvent, market: Market) -> None:
        missed = market.missed(_KINDS[type(event)], event.sequence)
        if missed > MOST_MISSING:
            self._gaps["jumped"] += 1
        elif missed:
            self._gaps["out_of_order" if missed < 0 else "missing"] += abs(missed)
