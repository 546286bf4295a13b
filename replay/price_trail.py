"""Mid prices of a run over time, within a fixed amount of memory: the line that trades are drawn on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from sengine.engine.state.markets import Market

MAX_POINTS: Final = 4_000


class PriceTrail:
    """One line of (time, mid) for each symbol. Once a line would outgrow ``MAX_POINTS``, every other of its points is
    dropped, and from then on half as many are taken."""

    def __init__(self) -> None:
        self.times_ns: dict[str, list[int]] = {}
        self.mids: dict[str, list[float]] = {}
        self._take_one_in = 1
        self._offered = 0

    def sample(self, now_ns: int, markets: Mapping[str, Market]) -> None:
        """Take a point of every symbol that has a price."""
        self._offered += 1
        if self._offered % self._take_one_in:
            return
        for symbol, market in markets.items():
            if market.mid:
                self.times_ns.setdefault(symbol, []).append(now_ns)
                self.mids.setdefault(symbol, []).append(market.mid)
        if max(map(len, self.mids.values()), default=0) > MAX_POINTS:
            self._take_one_in *= 2
            for lines in (self.times_ns, self.mids):
                _drop_every_other(lines.values())


def _drop_every_other(lines: Iterable[list[int] | list[float]]) -> None:
    for line in lines:
        del line[1::2]
