"""What a strategy in a process of its own has in flight: what the engine said, and what it has not heard yet."""

from __future__ import annotations

from collections import deque
from math import fsum
from typing import Final

from sengine.domain.position import net
from sengine.domain.signal import Direction, Signal
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.proto import strategy_pb2 as pb

_MOST_SAID: Final = 4096


class HostInFlight:
    """Live, ticks are on their way while the engine settles what was said to earlier ones: until it says that it has,
    such a signal counts as if it had become an order whole. ``default_size`` is that of signals without a size."""

    def __init__(self, default_size: float) -> None:
        self._default_size = default_size or 1.0
        self._told: dict[str, float] = {}
        self._said: deque[tuple[int, str, float]] = deque(maxlen=_MOST_SAID)
        """Tick, symbol and signed quantity of signals."""

    def hear(self, symbol: str, in_flight: float, heard_through: int) -> None:
        """The engine counts ``in_flight``, with all that was said up to tick ``heard_through``."""
        self._told[symbol] = in_flight
        while self._said and self._said[0][0] <= heard_through:
            self._said.popleft()

    def say(self, tick: int, signal: Signal | pb.Signal, symbol: str, held: float) -> None:
        """A signal that was answered to a tick; ``held`` is the position on its symbol."""
        if signal.direction.upper() == Direction.CLOSE:
            quantity = -(held + self.on(symbol))
        else:
            size = float(signal.size or self._default_size)
            quantity = -size if signal.direction.upper() == Direction.SHORT else size
        self._said.append((tick, symbol, quantity))

    def on(self, symbol: str) -> float:
        """Signed quantity in flight on a symbol, or for ``*`` the sum over all."""
        if symbol == ANY_SYMBOL:
            return net([*self._told.values(), *(quantity for _, _, quantity in self._said)])
        told = self._told.get(symbol, 0.0)
        return fsum([told, *(quantity for _, on, quantity in self._said if on == symbol)]) if self._said else told
