"""Ends an engine that its watchdog says is held up, and starts it again."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import Final

from sengine.adapters.containment.watchdog import is_held_up

SUPERVISED: Final = "--supervised"
_MOST_STARTS: Final = 5
_WITHIN_S: Final = 60.0
_LOOK_EVERY_S: Final = 0.1


def supervise(arguments: Sequence[str], held_up: Path, patience_s: float) -> int:
    """Run ``sengine ARGUMENTS`` until it ends by itself, and return its exit code.

    ``held_up`` is the file that its watchdog writes. One that is held up and does not go on within ``patience_s`` is
    ended and started again. It gives up on an engine that is held up again and again.
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
        held_up.unlink(missing_ok=True)
        starts = [at_s for at_s in starts if monotonic() - at_s < _WITHIN_S] + [monotonic()]
        # The engine inherits that SIGUSR1 waits until it can carry out a kill; for us it waits no longer than that.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
        child = subprocess.Popen(own_command(*arguments, SUPERVISED, DIE_WITH_PARENT), stdin=subprocess.PIPE)
        for each in missed:
            child.send_signal(each)
        missed.clear()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        said = _until_ended_or_held_up(child, held_up, patience_s)
        if not said:
            code = child.returncode
            return code if code >= 0 else 128 - code
        child.kill()
        code = 1
        child.wait()
        where = (main_stack(said) or ["code that cannot be told"])[0]
        if len(starts) >= _MOST_STARTS:
            print(f"sengine: held up {len(starts)} times within {_WITHIN_S:g} s, last in {where}", file=sys.stderr)
            return code
        print(f"sengine: the engine was held up in {where}; it is started again", file=sys.stderr, flush=True)


def _until_ended_or_held_up(child: subprocess.Popen[bytes], held_up: Path, patience_s: float) -> str:
    """What its watchdog wrote when it was held up; empty when it has ended.

    Looks are counted rather than time, and none of those at a process that is stopped: one that goes on has its chance
    to say so.
    """
    looks = 0
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_LOOK_EVERY_S)
            return ""
        said = _content(held_up)
        if not is_held_up(said):
            looks = 0
        elif not _is_stopped(child.pid):
            looks += 1
            if looks * _LOOK_EVERY_S > patience_s:
                return said


def _content(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:
        return ""


def _is_stopped(pid: int) -> bool:
    """Where the system tells."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
    except OSError:
        return False
