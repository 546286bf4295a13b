"""The last ticks of each symbol, for strategies that begin in the middle of the day."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from typing import Final, TypeAlias

from sengine.domain.market import DataKind, MarketData
from sengine.engine.state.markets import Market

ANY_SYMBOL: Final = "*"
Tick: TypeAlias = tuple[int, MarketData]
"""A tick and its number, which counts from 1 over all symbols."""


def new_ring(limit: int) -> deque[Tick] | None:
    """Where a symbol's last ``limit`` ticks are kept; nowhere for 0."""
    return deque(maxlen=limit) if limit else None


def recent_ticks(
    markets: Mapping[str, Market],
    key: str,
    symbols: Collection[str],
    kinds: Collection[DataKind],
    after: int = 0,
) -> Sequence[Tick]:
    """The kept ticks with numbers above ``after`` that the instance ``key`` of a strategy is called for, in the order
    of their arrival. ``key`` is a symbol, or ``*`` for the instance that gets all of ``symbols``."""
    if key != ANY_SYMBOL:
        market = markets.get(key)
        return _kept(market, kinds, after) if market is not None else ()
    wanted = [market for market in markets.values() if market.symbol in symbols or ANY_SYMBOL in symbols]
    # No two ticks have one number, so the data is never compared.
    return sorted(tick for market in wanted for tick in _kept(market, kinds, after))


def _kept(market: Market, kinds: Collection[DataKind], after: int) -> Sequence[Tick]:
    ring = market.recent
    if not ring or ring[-1][0] <= after:
        return ()
    newest_first = []
    for tick in reversed(ring):
        if tick[0] <= after:
            break
        if tick[1].kind in kinds:
            newest_first.append(tick)
    newest_first.reverse()
    return newest_first
