"""Step 5: a strategy's signal becomes the engine's: author and event time set, everything checked."""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from sengine.domain.market import MarketData
from sengine.domain.signal import Direction, Signal, StampedSignal
from sengine.engine.strategies.plain_values import METADATA, NotPlainError, own_text, plain_dict, shown, type_name
from sengine.engine.strategies.spec import StrategySpec

_DIRECTIONS = {
    text: direction
    for direction in (Direction.LONG, Direction.SHORT, Direction.CLOSE)
    for text in (direction.value, direction.value.lower())
}
MOST_SIGNALS: Final = 256
"""Signals and errors that one answer may hold."""
LONGEST_SYMBOL: Final = 256
_FEW: Final = 32
_SHORT: Final = 100


class InvalidSignalError(Exception):
    """A strategy returned something that is not a valid signal; the message says what."""


class UnwantedAnswerError(InvalidSignalError):
    """A strategy returned something from ``call``, which returns nothing."""

    def __init__(self, call: str, kind: str) -> None:
        super().__init__(f"{call} must return nothing, got {kind}; signals are returned from on_tick")
        self.call = call


def stamp(spec: StrategySpec, signal: object, data: MarketData, sequence: int) -> StampedSignal:
    """The signal that the strategy returned for ``data``, the ``sequence``-th of the session: plain values all
    through, whatever its fields were made of. Call it inside the guard.

    Raises ``InvalidSignalError`` with a sentence on what is wrong.
    """
    if type(signal) is not Signal and not issubclass(type(signal), Signal):
        raise InvalidSignalError(f"on_tick must return Signal, several or None, got {type_name(type(signal))}")
    assert isinstance(signal, Signal)
    try:
        direction = _DIRECTIONS[signal.direction]
    except (KeyError, TypeError):
        raise InvalidSignalError(f"direction must be LONG, SHORT or CLOSE, got {shown(signal.direction)}") from None
    symbol = signal.symbol or data.symbol
    if symbol is not data.symbol:
        symbol = _symbol(spec, symbol, data)
    confidence = signal.confidence
    if type(confidence) is not float:
        confidence = number_of("confidence", confidence)
    if not 0.0 <= confidence <= 1.0:
        raise InvalidSignalError(f"confidence must be from 0 to 1, got {confidence!r}")
    size = signal.size
    if type(size) is not float:
        size = 0.0 if size is None else number_of("size", size)
    if not (size >= 0.0 and isfinite(size)):
        raise InvalidSignalError(f"size must be finite and >= 0, got {size!r}")
    limit_price = signal.limit_price
    if limit_price is not None:
        limit_price = number_of("limit_price", limit_price)
        if not (limit_price > 0.0 and isfinite(limit_price)):
            raise InvalidSignalError(f"limit_price must be finite and > 0, got {limit_price!r}")
        if spec.route != "direct":
            raise InvalidSignalError("limit_price needs route: direct, because votes are summed into market orders")
    metadata = signal.metadata
    return StampedSignal(
        sequence,
        spec.strategy_id,
        symbol,
        direction,
        confidence,
        size or spec.default_size,
        data.timestamp_ns,
        limit_price,
        None if metadata is None else own_metadata(metadata),
    )


def several(answer: object) -> tuple[object, ...]:
    """What a list or tuple holds; of anything else, that. None of its author's code runs.

    Raises ``InvalidSignalError`` where it holds more signals than one answer may.
    """
    kind: type = type(answer)
    if issubclass(kind, list):
        signals: tuple[object, ...] = tuple(list.__iter__(answer))  # type: ignore[arg-type]
    elif issubclass(kind, tuple):
        signals = tuple(tuple.__iter__(answer))  # type: ignore[arg-type]
    else:
        return (answer,)
    if len(signals) > MOST_SIGNALS:
        raise InvalidSignalError(f"expected at most {MOST_SIGNALS} signals in answer to a tick, got {len(signals):,}")
    return signals


def own_metadata(metadata: object) -> dict[str, Any]:
    """What a strategy hung on its signal, as the engine's own. Raises ``InvalidSignalError``."""
    if type(metadata) is dict and len(metadata) <= _FEW:
        # A few numbers with their names is what there mostly is.
        for name, value in metadata.items():
            if type(value) is not float or type(name) is not str or not name.isascii() or len(name) > _SHORT:
                break
        else:
            return metadata.copy()
    try:
        return plain_dict(metadata, "metadata", METADATA)
    except NotPlainError as error:
        raise InvalidSignalError(str(error)) from None


def _symbol(spec: StrategySpec, symbol: object, data: MarketData) -> str:
    """A symbol that is not the tick's own object, as a plain text."""
    if issubclass(type(symbol), str):
        text = own_text(symbol)  # type: ignore[arg-type]
        if text == data.symbol:
            return data.symbol
        if len(text) <= LONGEST_SYMBOL and str.isprintable(symbol) and spec.wants(text):  # type: ignore[arg-type]
            return text
    raise InvalidSignalError(f"symbol must be one that the strategy is subscribed to, got {shown(symbol)}")


def number_of(name: str, value: object) -> float:
    """A number of any kind as a plain float."""
    kind: type = type(value)
    if issubclass(kind, float):
        return float.__float__(value)  # type: ignore[arg-type]
    if kind is int or (issubclass(kind, int) and kind is not bool):
        number = int.__index__(value)  # type: ignore[arg-type]
        try:
            return float(number)
        except OverflowError:
            raise InvalidSignalError(f"{name} must be a number that a float can hold, got {shown(number)}") from None
    try:
        # NumPy scalars are numbers to their author.
        item = value.item()  # type: ignore[attr-defined]
        if type(item) not in (bool, str, bytes):
            return float.__float__(float(item))
    except (AttributeError, TypeError, ValueError, OverflowError):
        pass
    raise InvalidSignalError(f"{name} must be a number, got {shown(value)}")
