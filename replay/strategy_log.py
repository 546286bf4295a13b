"""What strategies said during a run, and what they did wrong: into the file of ``--log``, or the first of it kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from replay.recorders import OutputFile
from sengine.clock import format_timestamp
from sengine.domain.strategy_line import StrategyLine
from sengine.engine.outcome import Outcome
from sengine.errors import SengineError
from sengine.printable import printable

LINES_PER_S: Final = 1_000
MOST_LINES: Final = 100_000
_KEPT: Final = 20


class StrategyLog:
    """``take`` is given each line as it is said, ``observe`` each outcome. Without a ``file`` the ``first`` lines are
    kept and the others counted. A file that cannot be written does not get in the way of the strategy: ``close``
    raises ``SengineError`` for it."""

    def __init__(self, file: OutputFile | None) -> None:
        self.first: list[StrategyLine] = []
        self.more = 0
        """Lines said after the ``first``."""
        self.on_line: Callable[[StrategyLine], None] = lambda line: None
        self._file = file
        self._failure: SengineError | None = None

    def append(self, line: StrategyLine) -> None:
        self.on_line(line)
        if self._file is not None:
            self._write(line)
        elif len(self.first) < _KEPT:
            self.first.append(line)
        else:
            self.more += 1

    def observe(self, outcome: Outcome) -> None:
        """Errors and pauses beside what was said, where there is a file."""
        if self._file is None:
            return
        for fault in outcome.faults:
            place = f"{fault.where}: " if fault.where else ""
            self._write(StrategyLine(fault.strategy_id, fault.timestamp_ns, "error", f"{place}{fault.message}"))

    def close(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _write(self, line: StrategyLine) -> None:
        assert self._file is not None
        if self._failure is None:
            try:
                self._file.write(f"{in_words(line)}\n")
            except SengineError as error:
                self._failure = error


def in_words(line: StrategyLine) -> str:
    """``2024-08-08T12:00:01.000000000Z momentum info: the text``, fit for a terminal."""
    when = format_timestamp(line.now_ns) if line.now_ns else "before the first event"
    return f"{when} {line.strategy_id} {line.level}: {printable(line.text)}"


def said_lines(first: Sequence[StrategyLine], more: int) -> Sequence[str]:
    """What to print after a run that had no file for it."""
    lines = [in_words(line) for line in first]
    return [*lines, f"sengine: strategies said {more} more lines; `--log FILE` writes them all"] if more else lines
