"""Log lines about things that may happen thousands of times a second."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

_INTERVAL_S: Final = 10.0


class LogThrottle:
    """Says the first of each kind, and then at most one every ten seconds, with how many were left out.

    Kinds must be few: they are remembered.
    """

    def __init__(self, say: Callable[..., None], clock: Callable[[], float] = monotonic) -> None:
        self._say = say
        self._clock = clock
        self._next: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def __call__(self, kind: str, message: str, **fields: Any) -> None:
        now = self._clock()
        if now < self._next.get(kind, now):
            self._left_out[kind] = self._left_out.get(kind, 0) + 1
            return
        self._next[kind] = now + _INTERVAL_S
        left_out = self._left_out.pop(kind, 0)
        self._say("warning", message, **fields, **({"more_like_it": left_out} if left_out else {}))
