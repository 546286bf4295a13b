"""Which strategy is being called right now, for whoever cuts calls short that take too long.

The engine reads no clock. It only says whose code runs; a timer at the edge
(``sengine.adapters.containment.call_timer``) looks at that now and then, and raises ``StrategyTimeout`` inside a call
that goes on for too long.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Final, Protocol


class StrategyTimeout(BaseException):
    """A call into a strategy took too long. No ``Exception``, so that ``except Exception`` does not catch it."""


class Callee(Protocol):
    """Who is called: ``ticks`` counts its calls of ``on_tick``, ``calls`` all others."""

    strategy_id: str
    ticks: int
    calls: int


class Loading:
    """A strategy whose file is being run: it is called, but nobody yet."""

    def __init__(self, strategy_id: str) -> None:
        self.strategy_id = strategy_id
        self.ticks = 0
        self.calls = 0


class Guard:
    """Set around every call into strategy code. On the tick path that is two attribute stores, anywhere else
    ``with guard.calling(runtime):``. Calls do not nest."""

    __slots__ = ("entered", "has_patience", "is_kept", "passes_on", "running", "tick_budget_ns")

    def __init__(self) -> None:
        self.running: Callee | None = None
        """Whose code runs; together with ``ticks`` of that and with ``entered`` it names one call."""
        self.entered = 0
        self.has_patience = False
        """The call may take as long as loading a model does, rather than as long as a tick may."""
        self.is_kept = False
        """What runs is the version before the one in use, which is kept for a rollback."""
        self.tick_budget_ns = 500_000
        """Calls of ``on_tick`` that take longer are counted."""
        self.passes_on: tuple[type[BaseException], ...] = (KeyboardInterrupt,)
        """What is not taken for the strategy's doing: Ctrl-C, unless the process has its own way to hear of that."""

    def calling(self, runtime: Callee, *, has_patience: bool = False) -> Guard:
        """Enter with ``with``. ``has_patience``: initialize, hot_reload, shutdown."""
        self.entered += 1
        self.has_patience = has_patience
        self.running = runtime
        return self

    @contextmanager
    def for_kept(self) -> Iterator[None]:
        """Around calls into the version that is kept for a rollback."""
        self.is_kept = True
        try:
            yield
        finally:
            self.is_kept = False

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.running = None
        self.has_patience = False

    def contain(self, error: BaseException) -> None:
        """A call has ended with ``error``: raise it again unless it is the strategy's doing."""
        self.running = None
        # By its true type: ``isinstance`` would ask the error itself.
        if issubclass(type(error), self.passes_on):
            raise error


# Kinds of fault, by the call in which they happen; every other kind is named as its call.
ON_TICK: Final = "on_tick"
SHOWING: Final = "the text of its error"
TIMEOUT: Final = "timeout"
BAD_RETURN: Final = "bad_return"
CALL_OF_KIND: Final = {
    "exception": ON_TICK,
    BAD_RETURN: "reading its signal",
    "invalid_signal": "reading its signal",
    "reload": "hot_reload",
}
