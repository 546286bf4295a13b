"""Step 1: which market data gets in. What does not is counted by its reason, gaps by their kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from sengine.domain.events import BarEvent, BookEvent, MarketEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import DataKind
from sengine.engine.outcome import Outcome
from sengine.engine.state.markets import Market
from sengine.engine.strategies.registry import Roster

_KINDS = {
    SoundBookEvent: DataKind.BOOK,
    BookEvent: DataKind.BOOK,
    TradeEvent: DataKind.TRADE,
    BarEvent: DataKind.BAR,
}


class Admission:
    """``rejected`` counts by reason code, ``gaps`` counts missing messages and those out of order."""

    def __init__(self, markets: Mapping[str, Market], roster: Roster) -> None:
        self.rejected: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()
        self._markets = markets
        self._roster = roster

    def refusal(self, event: MarketEvent, market: Market) -> str | None:
        """The reason why a sound event must be dropped, if any. A gap is counted, and drops nothing."""
        if event.sequence != -1:
            self._count_gap(event, market)
        if event.timestamp_ns < market.last_ns:
            return "time_backwards"
        if not market.routed:
            market.routed = self._roster.wants(market.symbol)
            if not market.routed:
                return "no_strategy_wants_symbol"
        return None

    def drop(self, event: MarketEvent, reason: str) -> Outcome:
        """Reject an unsound event. It did arrive, so its sequence number is not missing."""
        market = self._markets.get(event.symbol)
        if market is not None and event.sequence != -1:
            self._count_gap(event, market)
        return self.reject(reason)

    def reject(self, reason: str) -> Outcome:
        self.rejected[reason] += 1
        return Outcome(rejected=reason)

    def _count_gap(self, event: MarketEvent, market: Market) -> None:
        missed = market.missed(_KINDS[type(event)], event.sequence)
        if missed:
            self.gaps["out_of_order" if missed < 0 else "missing"] += abs(missed)
