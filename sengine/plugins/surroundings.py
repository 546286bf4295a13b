"""What surrounds a strategy while it is checked: other clocks, other random numbers, and a note of what it opens."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from sengine.clock import NS_PER_S

_CLOCKS: Final = ("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns")


@contextmanager
def other_world(seed: int, later_s: float) -> Iterator[None]:
    """Clocks of the time module run ``later_s`` ahead, and random numbers start from ``seed``."""

    def moved(name: str) -> Callable[[], float]:
        real = getattr(time, name)
        ahead = int(later_s * NS_PER_S) if name.endswith("_ns") else later_s
        return lambda: real() + ahead

    state = random.getstate()
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed)
    try:
        with ExitStack() as stack:
            for name in _CLOCKS:
                stack.enter_context(patch.object(time, name, moved(name)))
            yield
    finally:
        random.setstate(state)


_noted: list[str] | None = None
_is_hooked = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook; there is no way to take one out again, so it looks whether anybody wants to know."""
    if _noted is None or event not in ("open", "socket.connect"):
        return
    frame = sys._getframe(1)
    while frame is not None:
        # Imports on first use are no input.
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return
        if frame.f_code.co_name in ("on_tick", "on_fill"):
            _noted.append(str(arguments[0] if event == "open" else arguments[1]))
            return
        frame = frame.f_back  # type: ignore[assignment]


@contextmanager
def opening_noted(into: list[str]) -> Iterator[None]:
    """Notes what strategy code opens while it is called."""
    global _noted, _is_hooked
    if not _is_hooked:
        sys.addaudithook(_note)
        _is_hooked = True
    _noted = into
    try:
        yield
    finally:
        _noted = None
