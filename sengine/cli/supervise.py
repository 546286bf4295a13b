"""Starts an engine again whose watchdog has ended it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Final

SUPERVISED: Final = "--supervised"
_MOST_STARTS: Final = 5
_WITHIN_S: Final = 60.0


def supervise(arguments: Sequence[str], held_up: Path) -> int:
    """Run ``sengine ARGUMENTS`` until it ends for another reason than its watchdog, and return its exit code.

    ``held_up`` is the file that the watchdog writes. It gives up on an engine that is held up again and again.
    """
    from sengine.adapters.containment.watchdog import main_stack
    from sengine.adapters.transport.processes import DIE_WITH_PARENT, own_command

    starts: list[float] = []
    child: subprocess.Popen[bytes] | None = None
    missed: set[int] = set()

    def pass_on(number: int, frame: FrameType | None) -> None:
        if child is not None and child.poll() is None:
            child.send_signal(number)
        elif number == signal.SIGUSR1:
            missed.add(number)  # a kill between two engines is the next one's

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, pass_on)
    while True:
        starts = [at_s for at_s in starts if monotonic() - at_s < _WITHIN_S] + [monotonic()]
        # The engine inherits that SIGUSR1 waits until it can carry out a kill; for us it waits no longer than that.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        child = subprocess.Popen(own_command(*arguments, SUPERVISED, DIE_WITH_PARENT), stdin=subprocess.PIPE)
        for each in missed:
            child.send_signal(each)
        missed.clear()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        code = child.wait()
        stack = main_stack(held_up.read_text("utf-8")) if code == 1 and held_up.is_file() else []
        if not stack:
            return code if code >= 0 else 128 - code
        where = stack[0]
        if len(starts) >= _MOST_STARTS:
            print(f"sengine: held up {len(starts)} times within {_WITHIN_S:g} s, last in {where}", file=sys.stderr)
            return code
        held_up.unlink()
        print(f"sengine: the engine was held up in {where}; it is started again", file=sys.stderr, flush=True)
