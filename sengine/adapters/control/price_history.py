"""Each symbol's mid price over the last minutes, so that whoever opens a symbol's screen sees where it comes from."""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from typing import Final

from sengine.engine.state.markets import Market

POINTS: Final = 600
_NOTHING: Final[tuple[array[int], array[float]]] = (array("q"), array("d"))


class PriceHistory:
    """The last ``POINTS`` samples of every symbol that has a price. ``sample`` is to be called once a second."""

    def __init__(self, markets: Mapping[str, Market]) -> None:
        self._markets = markets
        self._samples: dict[str, tuple[array[int], array[float]]] = {}

    def sample(self, at_ns: int) -> None:
        for symbol, market in self._markets.items():
            if not market.mid:
                continue
            kept = self._samples.get(symbol)
            if kept is None:
                kept = self._samples[symbol] = (array("q"), array("d"))
            times_ns, mids = kept
            times_ns.append(at_ns)
            mids.append(market.mid)
            if len(mids) > POINTS:
                del times_ns[0], mids[0]

    def of(self, symbol: str) -> tuple[array[int], array[float]]:
        """When each sample was taken in ns, and the mids, oldest first."""
        return self._samples.get(symbol, _NOTHING)
