"""File descriptors: as many as the system gives, a few set aside for what must not fail for want of one, and a look at
how many are left."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Final

_MOST: Final = 65_536
_FEW: Final = 512
"""Full houses of the web server's ports, the control API and all else that the engine opens stay below."""
_SET_ASIDE: Final = 8
_LOOK_EVERY_S: Final = 2.0
_NONE_LEFT: Final = (errno.EMFILE, errno.ENFILE)


def raise_limit() -> int:
    """Let this process, and its children, open as many files as it may; how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST if hard == resource.RLIM_INFINITY else min(hard, _MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            return wanted
    return soft if soft != resource.RLIM_INFINITY else _MOST


class SetAside:
    """Descriptors that lead nowhere, given up one by one where a file cannot be opened without. Any thread may ask."""

    def __init__(self) -> None:
        self._files: list[int] = []
        self._lock = Lock()

    def fill(self) -> bool:
        """Whether all are there afterwards."""
        with self._lock, suppress(OSError):
            while len(self._files) < _SET_ASIDE:
                self._files.append(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        return len(self._files) >= _SET_ASIDE

    def give_up(self, leave: int = 0) -> None:
        with self._lock:
            while len(self._files) > leave:
                os.close(self._files.pop())

    def open(self, path: str | os.PathLike[str], flags: int, mode: int = 0o600) -> int:
        """As ``os.open``, with a descriptor of these where there is no other."""
        while True:
            try:
                return os.open(path, flags, mode)
            except OSError as error:
                if error.errno not in _NONE_LEFT:
                    raise
                with self._lock:
                    if not self._files:
                        raise
                    os.close(self._files.pop())


SET_ASIDE: Final = SetAside()
"""Of this process: for the journal, the audit trail, the kill switch's file, and connections that are lost."""


class DescriptorWatch:
    """Keeps ``SET_ASIDE`` full and tells when few descriptors are left. While ``is_cut_off`` says that the engine has
    to connect to somebody, half of them are there for the connection."""

    def __init__(self, say: Callable[..., None], is_cut_off: Callable[[], bool]) -> None:
        self._say = say
        self._is_cut_off = is_cut_off
        self._has_told = False

    async def run(self) -> None:
        limit = raise_limit()
        if limit < _FEW:
            self._say(
                "warning",
                f"this process may open {limit} files; expected {_FEW} or more: set LimitNOFILE= or `ulimit -n`",
            )
        while True:
            self.look(limit)
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self, limit: int) -> None:
        is_full = SET_ASIDE.fill()
        if self._is_cut_off():
            SET_ASIDE.give_up(leave=_SET_ASIDE // 2)
        taken = _taken()
        few = not is_full or taken is None or taken > limit * 9 // 10
        if few and not self._has_told:
            self._say(
                "error",
                "hardly a file descriptor is left: strategies or connections hold them",
                limit=limit,
                taken=taken or limit,
            )
        elif self._has_told and not few:
            self._say("info", "file descriptors are free again")
        self._has_told = few


def _taken() -> int | None:
    """How many are open; ``None`` where there is not even one left to look."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return None
