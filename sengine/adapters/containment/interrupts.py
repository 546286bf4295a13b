"""Ctrl-C told apart from a ``KeyboardInterrupt`` that a strategy raises itself."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

from sengine.engine.strategies.guard import Guard


class CtrlC(KeyboardInterrupt):
    """Somebody pressed Ctrl-C; the signal handler raises it."""


@contextmanager
def only_ctrl_c_ends(guard: Guard) -> Iterator[None]:
    """While entered, Ctrl-C passes through calls under ``guard``, and nothing that a strategy raises does. Outside of
    the main thread, where there is no Ctrl-C, nothing passes."""
    passed_on, guard.passes_on = guard.passes_on, (CtrlC,)
    is_main = current_thread() is main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_main:
        signal.signal(signal.SIGINT, _raise)
    try:
        yield
    finally:
        if is_main:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        guard.passes_on = passed_on


def _raise(number: int, frame: FrameType | None) -> None:
    raise CtrlC
