"""What strategies print, log and warn, as lines that say who said it and when in event time.

While it is entered, ``sys.stdout`` and ``sys.stderr`` ask at each write whether a strategy is being called, and the
root logger has a handler that asks the same. A strategy that says nothing costs nothing, and what the program itself
writes goes where it went. The lines are output only: no decision depends on them.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from sengine.clock import NS_PER_S
from sengine.domain.strategy_line import KEPT, StrategyLine
from sengine.engine.strategies.guard import Guard

LINES_PER_S: Final = 20
LONGEST_LINE: Final = 1_000
_aside = threading.local()

Speaker: TypeAlias = Callable[[], str]
"""Who is being called on this thread; empty for nobody."""


def called_by(guard: Guard) -> Speaker:
    """The strategy that ``guard`` says is called, on the thread that this is asked for first."""
    thread = threading.get_ident()

    def speaker() -> str:
        running = guard.running
        return running.strategy_id if running is not None and threading.get_ident() == thread else ""

    return speaker


@contextmanager
def unheard() -> Iterator[None]:
    """What is written on this thread meanwhile is nobody's: the same code has said it where it was proved."""
    _aside.is_unheard = True
    try:
        yield
    finally:
        _aside.is_unheard = False


def kept_by(guard: Guard) -> Callable[[], str]:
    """``KEPT`` while ``guard`` says that the version before the one in use is called."""
    return lambda: KEPT if guard.is_kept else ""


class StrategyOutput:
    """``with StrategyOutput(called_by(guard), now_ns, sink):`` hands each line to ``sink``, at most ``per_second`` of a
    strategy within a second of event time, and ``most`` in all; what was left out is told by a line of its own, the
    last of them by ``finish``. ``during`` says in what it is called. Lines longer than ``LONGEST_LINE`` are cut."""

    def __init__(
        self,
        speaker: Speaker,
        now_ns: Callable[[], int],
        sink: Callable[[StrategyLine], None],
        *,
        per_second: int = LINES_PER_S,
        most: int | None = None,
        during: Callable[[], str] = lambda: "",
    ) -> None:
        self.speaker = speaker
        self._during = during
        self._now_ns = now_ns
        self._sink = sink
        self._per_second = per_second
        self._most = most
        self._counts: dict[str, _Count] = {}
        self._handler = _LogHandler(self)
        self._before: tuple[Any, Any, int] | None = None

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._before = sys.stdout, sys.stderr, root.level
        sys.stdout = self._stdout = _Stream(self, sys.stdout, "info")
        sys.stderr = self._stderr = _Stream(self, sys.stderr, "warning")
        root.addHandler(self._handler)
        if root.level > logging.INFO:
            # What a strategy logs as information is for people to see; others' is passed over in the handler.
            root.setLevel(logging.INFO)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._before is not None
        stdout, stderr, level = self._before
        if sys.stdout is self._stdout:
            sys.stdout = stdout
        if sys.stderr is self._stderr:
            sys.stderr = stderr
        root = logging.getLogger()
        root.removeHandler(self._handler)
        root.setLevel(level)
        for stream in (self._stdout, self._stderr):
            stream.finish_lines()
        self.finish()

    def add(self, strategy_id: str, level: str, text: str) -> None:
        """One line, however long; more where there are line breaks in it."""
        for line in text.splitlines() or ("",):
            self._add(strategy_id, level, line)

    def finish(self) -> None:
        """Tell what was left out and has not been told."""
        for strategy_id, count in self._counts.items():
            self._tell_left_out(strategy_id, count)

    def _add(self, strategy_id: str, level: str, line: str) -> None:
        now_ns = self._now_ns()
        count = self._counts.get(strategy_id)
        if count is None:
            count = self._counts[strategy_id] = _Count()
        second = now_ns // NS_PER_S
        if second != count.second:
            self._tell_left_out(strategy_id, count)
            count.second, count.said = second, 0
        if count.said >= self._per_second or (self._most is not None and count.total >= self._most):
            count.left_out += 1
            return
        count.said += 1
        count.total += 1
        if len(line) > LONGEST_LINE:
            line = f"{line[:LONGEST_LINE]}... ({len(line) - LONGEST_LINE} more characters)"
        self._sink(StrategyLine(strategy_id, now_ns, level, line, self._during()))

    def _tell_left_out(self, strategy_id: str, count: _Count) -> None:
        if not count.left_out or (self._most is not None and count.total > self._most):
            return
        if self._most is not None and count.total == self._most:
            count.total += 1  # said once; from here on all is left out
            why = f"it has had its {self._most} lines; what comes after them is left out as well"
        else:
            why = f"{self._per_second} a second of event time are told"
        left_out, count.left_out = count.left_out, 0
        said = f"{left_out} more line{'s' * (left_out != 1)} of it left out: {why}"
        self._sink(StrategyLine(strategy_id, self._now_ns(), "warning", said, self._during()))


class _Count:
    """Of one strategy: lines of the current second of event time, of all, and those left out since that was told."""

    __slots__ = ("left_out", "said", "second", "total")

    def __init__(self) -> None:
        self.second = -1
        self.said = 0
        self.total = 0
        self.left_out = 0


class _Stream:
    """Stands for a standard stream, ``beneath``: what a strategy writes is gathered into lines."""

    def __init__(self, output: StrategyOutput, beneath: Any, level: str) -> None:
        self._output = output
        self._beneath = beneath
        self._level = level
        self._begun: dict[str, str] = {}
        """By strategy, what it has written of a line that has not ended."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._beneath, name)

    def write(self, text: str) -> int:
        if getattr(_aside, "is_unheard", False):
            return len(text)
        strategy_id = self._output.speaker()
        if not strategy_id:
            return self._beneath.write(text) if self._beneath is not None else len(text)
        begun = self._begun.pop(strategy_id, "") + text
        *lines, rest = begun.split("\n")
        for line in lines:
            self._output.add(strategy_id, self._level, line)
        if len(rest) > LONGEST_LINE:
            self._output.add(strategy_id, self._level, rest)
        elif rest:
            self._begun[strategy_id] = rest
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if self._beneath is not None and not self._output.speaker():
            self._beneath.flush()

    def finish_lines(self) -> None:
        """What was begun and not ended is a line."""
        begun, self._begun = self._begun, {}
        for strategy_id, text in begun.items():
            self._output.add(strategy_id, self._level, text)


class _LogHandler(logging.Handler):
    """Records of the ``logging`` module; those that are no strategy's end as they would without any handler."""

    def __init__(self, output: StrategyOutput) -> None:
        super().__init__()
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        if getattr(_aside, "is_unheard", False):
            return
        strategy_id = self._output.speaker()
        if strategy_id:
            self._output.add(strategy_id, _level(record.levelno), self.format(record))
            return
        last = logging.lastResort if len(logging.getLogger().handlers) == 1 else None
        if last is not None and record.levelno >= last.level:
            last.handle(record)


def _level(number: int) -> str:
    for level, name in ((logging.ERROR, "error"), (logging.WARNING, "warning"), (logging.INFO, "info")):
        if number >= level:
            return name
    return "debug"
