"""Step 5: a strategy's signal becomes the engine's: author and event time set, everything checked."""

from __future__ import annotations

from math import isfinite

from sengine.domain.market import MarketData
from sengine.domain.signal import Direction, Signal, StampedSignal
from sengine.engine.strategies.spec import StrategySpec

_DIRECTIONS = {
    text: direction
    for direction in (Direction.LONG, Direction.SHORT, Direction.CLOSE)
    for text in (direction.value, direction.value.lower())
}


class InvalidSignalError(Exception):
    """A strategy returned something that is not a valid signal; the message says what."""


class UnwantedAnswerError(InvalidSignalError):
    """A strategy returned something from ``call``, which returns nothing."""

    def __init__(self, call: str, kind: str) -> None:
        super().__init__(f"{call} must return nothing, got {kind}; signals are returned from on_tick")
        self.call = call


def stamp(spec: StrategySpec, signal: object, data: MarketData, sequence: int) -> StampedSignal:
    """The signal that the strategy returned for ``data``, the ``sequence``-th of the session.

    Raises ``InvalidSignalError`` with a sentence on what is wrong.
    """
    if not isinstance(signal, Signal):
        raise InvalidSignalError(f"on_tick must return Signal, several or None, got {type(signal).__name__}")
    try:
        direction = _DIRECTIONS[signal.direction]
    except (KeyError, TypeError):
        raise InvalidSignalError(f"direction must be LONG, SHORT or CLOSE, got {signal.direction!r}") from None
    symbol = signal.symbol or data.symbol
    if symbol != data.symbol and not (isinstance(symbol, str) and spec.wants(symbol)):
        raise InvalidSignalError(f"symbol must be one that the strategy is subscribed to, got {symbol!r}")
    confidence = signal.confidence if type(signal.confidence) is float else _number("confidence", signal.confidence)
    if not 0.0 <= confidence <= 1.0:
        raise InvalidSignalError(f"confidence must be from 0 to 1, got {signal.confidence!r}")
    size = signal.size if type(signal.size) is float else _number("size", signal.size or 0.0)
    if not (size >= 0.0 and isfinite(size)):
        raise InvalidSignalError(f"size must be finite and >= 0, got {signal.size!r}")
    limit_price = signal.limit_price
    if limit_price is not None:
        limit_price = _number("limit_price", limit_price)
        if not (limit_price > 0.0 and isfinite(limit_price)):
            raise InvalidSignalError(f"limit_price must be finite and > 0, got {signal.limit_price!r}")
        if spec.route != "direct":
            raise InvalidSignalError("limit_price needs route: direct, because votes are summed into market orders")
    return StampedSignal(
        sequence,
        spec.strategy_id,
        symbol,
        direction,
        confidence,
        size or spec.default_size,
        data.timestamp_ns,
        limit_price,
        signal.metadata,
    )


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        try:
            # NumPy scalars are numbers to their author.
            return float(value.item())  # type: ignore[attr-defined]
        except (AttributeError, TypeError, ValueError):
            raise InvalidSignalError(f"{name} must be a number, got {value!r}") from None
    return float(value)
