"""What a strategy declares as its state, for the next version of its file and for the next start."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sengine.engine.strategies.plain_values import PARAMETERS, NotPlainError, plain_value
from sengine.strategy import BaseStrategy

LARGEST_STATE: Final = 16 << 20


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


def _as_plain(value: object) -> Any:
    """Texts and numbers of classes of their own, NumPy's for one, as plain ones."""
    return plain_value(value, "export_state", PARAMETERS)
