"""Symbols whose market data is all refused: they look alive to nobody but the counters, so readiness says it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from sengine.domain.market import OrderBook
from sengine.engine.core import Engine
from sengine.engine.state.saved import NEVER_NS

IN_A_ROW: Final = 5
"""So many refusals with nothing accepted in between are no accident."""
FORGET_AFTER_S: Final = 60.0
_SYMBOLS_KEPT: Final = 1_000


class _Row:
    """Refusals of one symbol in a row; ``known`` is what was known of it when they began."""

    __slots__ = ("count", "known", "reason", "seen_s")

    def __init__(self, known: tuple[int, OrderBook | None]) -> None:
        self.known = known
        self.count = 0
        self.reason = ""
        self.seen_s = 0.0


class RefusedData:
    """Counts refusals by symbol; what is accepted costs nothing here, and is seen in the engine's market."""

    def __init__(self, engine: Engine, clock_s: Callable[[], float] = monotonic) -> None:
        self._engine = engine
        self._clock_s = clock_s
        self._rows: dict[str, _Row] = {}

    def add(self, symbol: str, reason: str) -> None:
        """An event of the symbol was refused."""
        known = self._known(symbol)
        row = self._rows.get(symbol)
        if row is None or row.known[0] != known[0] or row.known[1] is not known[1]:
            if len(self._rows) >= _SYMBOLS_KEPT:
                self._rows.clear()
            row = self._rows[symbol] = _Row(known)
        row.count += 1
        row.reason, row.seen_s = reason, self._clock_s()

    def sentences(self) -> list[str]:
        """One for each symbol that is traded and has nothing accepted of late."""
        if not self._rows:
            return []
        now_s, found = self._clock_s(), []
        for symbol, row in list(self._rows.items()):
            known = self._known(symbol)
            if now_s - row.seen_s > FORGET_AFTER_S or row.known[0] != known[0] or row.known[1] is not known[1]:
                del self._rows[symbol]
            elif row.count >= IN_A_ROW and self._is_traded(symbol):
                found.append(
                    f"all market data of {symbol} is refused: {row.count:,} in a row, the last as "
                    f"{row.reason.replace('_', ' ')}"
                )
        return found

    def _known(self, symbol: str) -> tuple[int, OrderBook | None]:
        market = self._engine.markets.get(symbol)
        return (market.last_ns, market.book) if market is not None else (NEVER_NS, None)

    def _is_traded(self, symbol: str) -> bool:
        """Named by a strategy, or wanted and once accepted: anybody can make up a name."""
        names = [symbol in runtime.spec.symbols for runtime in self._engine.registry]
        return any(names) or (self._known(symbol)[0] != NEVER_NS and self._engine.registry.wants(symbol))
