"""Files as they were when they were last looked at: those of some folders, and others by name."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

_Stamp: TypeAlias = tuple[int, int, int]
"""Inode, size in bytes, time of the last change in nanoseconds."""


class SeenFiles:
    """Of the files whose names ``is_ours``, in ``folders`` and below them."""

    def __init__(self, folders: Collection[Path], is_ours: Callable[[str], bool]) -> None:
        self._is_ours = is_ours
        self._stamps: dict[Path, _Stamp] = {}
        self.look_at(self._found(folders))

    def differences(self, folders: Collection[Path]) -> set[Path]:
        """Files that have come, gone or changed since they were last looked at."""
        return self.look_at({*self._stamps, *self._found(folders)})

    def look_at(self, files: Iterable[Path]) -> set[Path]:
        """Take note of what these files are now. Those that have come, gone or changed."""
        changed = set()
        for file in files:
            stamp = _stamp(file)
            if stamp != self._stamps.get(file):
                changed.add(file)
            if stamp is not None:
                self._stamps[file] = stamp
            else:
                self._stamps.pop(file, None)
        return changed

    def _found(self, folders: Iterable[Path]) -> Iterator[Path]:
        for folder in folders:
            for parent, _, names in os.walk(folder):
                for name in filter(self._is_ours, names):
                    yield Path(parent, name)


def _stamp(file: Path) -> _Stamp | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
