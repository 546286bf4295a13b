"""Sees that the loop is held up by something that nobody can interrupt, such as a long call of C code in a strategy.

No Python runs then, in no thread. ``faulthandler`` has a thread of its own that needs none: unless it is wound up again
in time, it writes where each thread is into a file. ``sengine run`` ends and starts again an engine whose file says so
and goes on saying so, where that is asked for (``sengine.cli.supervise``).
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
from pathlib import Path
from time import monotonic
from typing import Final

from sengine.adapters.containment.standstill import STANDSTILLS, Standstills
from sengine.runtime.live_engine import LiveEngine

FILE: Final = "held_up.txt"
"""In the data directory: where the threads were when the loop was last held up; empty or absent when it never was."""
_WINDINGS: Final = 4
_RUNS_AGAIN: Final = "\nthe loop runs again\n"


class Watchdog:
    """Writes ``file`` when the loop stands still for ``after_s``, and says so when it goes on."""

    def __init__(self, live: LiveEngine, file: Path, after_s: float, standstills: Standstills = STANDSTILLS) -> None:
        self._live = live
        self._file = file
        self._after_s = after_s
        self._standstills = standstills
        self._wound_s = 0.0
        self._told = 0

    async def run(self) -> None:
        with self._file.open("w", encoding="utf-8") as out:
            self._told = 0
            self._wound_s = monotonic()
            try:
                while True:
                    self._tell(out.fileno())
                    self._wound_s = monotonic()
                    faulthandler.dump_traceback_later(self._after_s, file=out)
                    await asyncio.sleep(self._after_s / _WINDINGS)
            finally:
                faulthandler.cancel_dump_traceback_later()

    def _tell(self, out: int) -> None:
        """Say what the file got since the last time. A process that did not run itself was not held up by anybody."""
        written = self._file.read_text("utf-8")[self._told :]
        if not written:
            return
        os.write(out, _RUNS_AGAIN.encode())
        self._told += len(written) + len(_RUNS_AGAIN)
        if self._standstills.awake_s_since(self._wound_s) >= self._after_s / 2:
            # Not "stack": the console's renderer has that name for itself, and wants a text there.
            where = "; ".join(main_stack(written))
            self._live.say("error", "the loop was held up; nothing was traded meanwhile", where=where)


def is_held_up(text: str) -> bool:
    """Whether the loop was held up when ``text``, the file's content, was last written, and has not gone on since."""
    return bool(text) and not text.endswith(_RUNS_AGAIN)


def main_stack(text: str) -> list[str]:
    """The lines of the main thread, innermost first, of what faulthandler wrote."""
    threads = text.removesuffix(_RUNS_AGAIN).strip().split("\n\n")
    return [line.strip() for line in threads[-1].splitlines() if line.startswith("  File")][:8]
