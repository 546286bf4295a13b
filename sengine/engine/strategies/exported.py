"""What a strategy says of itself: its state for its successors, and what an operator is to see, as plain values."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sengine.engine.strategies.plain_values import OWN_STATE, PARAMETERS, NotPlainError, bounded_text, plain_value
from sengine.strategy import BaseStrategy

LARGEST_STATE: Final = 16 << 20
_LONGEST_SHOWN: Final = 200


def exported_state(strategy: BaseStrategy) -> bytes | None:
    """What ``export_state`` returns, as MessagePack; ``None`` for nothing. Call it inside the guard.

    Raises what ``export_state`` raises, and ``NotPlainError`` for a state that is too large or of other than plain
    types.
    """
    state = strategy.export_state()
    if state is None:
        return None
    try:
        encoded = msgspec.msgpack.encode(state, enc_hook=_as_plain)
        # What does not come back must not be kept.
        msgspec.msgpack.decode(encoded)
    except (TypeError, ValueError, OverflowError) as error:
        raise NotPlainError(f"export_state must return plain values: {error}") from error
    if len(encoded) > LARGEST_STATE:
        raise NotPlainError(f"export_state must return at most {LARGEST_STATE:,} bytes, got {len(encoded):,}")
    return encoded


def described(strategy: BaseStrategy) -> Any:
    """What ``get_state`` returns, as plain values; what has no plain form as its author shows it. Call it inside the
    guard. Raises what ``get_state`` raises, and ``NotPlainError``."""
    return plain_value(strategy.get_state(), "get_state", OWN_STATE, _as_shown)


def _as_shown(value: object, place: str) -> str:
    return bounded_text(repr(value), _LONGEST_SHOWN)


def _as_plain(value: object) -> Any:
    """Texts and numbers of classes of their own, NumPy's for one, as plain ones."""
    return plain_value(value, "export_state", PARAMETERS)
