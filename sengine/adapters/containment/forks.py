"""A fork of a process that runs strategies makes a second engine, with the same journal, sockets and orders under way.

Its child therefore ends at once, before it returns to the code that forked. ``subprocess`` starts other programs as
ever.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sengine.engine.strategies.guard import Guard

ENDED: Final = 70
"""The exit code of such a child."""


class _Forks:
    """Python asks before each fork and tells the child after it."""

    def __init__(self) -> None:
        self.forbidding: list[tuple[Guard, Callable[[str], None]]] = []
        self.own = 0
        self._is_registered = False

    def register(self) -> None:
        if not self._is_registered:
            self._is_registered = True
            os.register_at_fork(before=self._tell, after_in_child=self._end)

    @property
    def _is_a_strategys(self) -> bool:
        return bool(self.forbidding) and (not self.own or self.forbidding[-1][0].running is not None)

    def _tell(self) -> None:
        if self._is_a_strategys:
            guard, tell = self.forbidding[-1]
            who = f"strategy {guard.running.strategy_id}" if guard.running is not None else "a strategy"
            tell(f"{who} forked this process; the child was ended at once: start other programs with subprocess")

    def _end(self) -> None:
        if self._is_a_strategys:
            os._exit(ENDED)


_FORKS: Final = _Forks()


def complain(sentence: str) -> None:
    """On standard error."""
    print(f"sengine: {sentence}", file=sys.stderr, flush=True)


@contextmanager
def forks_forbidden(guard: Guard, tell: Callable[[str], None] = complain) -> Iterator[None]:
    """While entered, children of forks end at once, but for those of ``own_fork`` while no strategy runs. ``tell`` gets
    a sentence about each, in the thread that forks."""
    _FORKS.register()
    entry = guard, tell
    _FORKS.forbidding.append(entry)
    try:
        yield
    finally:
        _FORKS.forbidding.remove(entry)


@contextmanager
def own_fork() -> Iterator[None]:
    """Around what starts a process of our own."""
    _FORKS.own += 1
    try:
        yield
    finally:
        _FORKS.own -= 1
