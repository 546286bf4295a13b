"""Sees that the loop is held up by something that nobody can interrupt, such as a long call of C code in a strategy.

No Python runs then, in no thread. ``faulthandler`` has a thread of its own that needs none: unless it is wound up again
in time, it writes where each thread is into a file, and ends the process where that is asked for.
"""

from __future__ import annotations

import asyncio
import faulthandler
from pathlib import Path
from typing import Final

from sengine.runtime.live_engine import LiveEngine

FILE: Final = "held_up.txt"
"""In the data directory: where the threads were when the loop was last held up; empty or absent when it never was."""
_WINDINGS: Final = 4


class Watchdog:
    """Writes ``file`` when the loop stands still for ``after_s``; ``ends_process``: and ends the process, with 1."""

    def __init__(self, live: LiveEngine, file: Path, after_s: float, *, ends_process: bool) -> None:
        self._live = live
        self._file = file
        self._after_s = after_s
        self._ends_process = ends_process
        self._told = 0

    async def run(self) -> None:
        with self._file.open("w", encoding="utf-8") as out:
            self._told = 0
            try:
                while True:
                    self._tell()
                    faulthandler.dump_traceback_later(self._after_s, exit=self._ends_process, file=out)
                    await asyncio.sleep(self._after_s / _WINDINGS)
            finally:
                faulthandler.cancel_dump_traceback_later()

    def _tell(self) -> None:
        """Say what the file got since the last time."""
        written = self._file.read_text("utf-8")[self._told :]
        if written:
            self._told += len(written)
            # Not "stack": the console's renderer has that name for itself, and wants a text there.
            where = "; ".join(main_stack(written))
            self._live.say("error", "the loop was held up; nothing was traded meanwhile", where=where)


def main_stack(text: str) -> list[str]:
    """The lines of the main thread, innermost first, of what faulthandler wrote."""
    threads = text.strip().split("\n\n")
    return [line.strip() for line in threads[-1].splitlines() if line.startswith("  File")][:8]
