"""The file that remembers a pulled kill switch: whatever stands under its name is a pulled switch.

Writing it takes no new file and no room: both are set aside before, since a process without descriptors and a full disk
are reasons to pull the switch.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

from sengine.runtime.descriptors import SET_ASIDE

FILE_NAME: Final = "KILL"
LONGEST_REASON: Final = 500
_HERE: Final = f"{FILE_NAME} in the data directory"
_ROOM: Final = b" " * 2048
_KINDS: Final = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a fifo",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class KillFile:
    """``KILL`` in ``directory``. No call of it waits for another process, whatever stands under that name."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self._new = directory / f".{FILE_NAME}.new"
        self._room = -1
        self._folder = -1

    def reserve(self) -> None:
        """Set aside what a later ``write`` takes, as far as there is any."""
        with suppress(OSError):
            self._sync_folder()
            if self._room < 0:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
                self._room = SET_ASIDE.open(self._new, flags)
                self._put(self._room, _ROOM)

    def close(self) -> None:
        for file in (self._room, self._folder):
            if file >= 0:
                os.close(file)
        self._room = self._folder = -1

    def is_there(self) -> bool:
        """Raises ``OSError`` where nobody can know."""
        try:
            self.path.lstat()
        except FileNotFoundError:
            return False
        return True

    def read(self) -> str | None:
        """Why the switch is pulled, empty where the file does not say; ``None`` where there is no such file.

        Raises ``OSError`` where nobody can know whether there is one.
        """
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return None
        try:
            if stat.S_ISLNK(found.st_mode):
                found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                return f"{_HERE} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}, and counts"
            return self._text()
        except FileNotFoundError:
            return f"{_HERE} is a symbolic link to nowhere, and counts"
        except OSError as error:
            return f"{_HERE} is there and cannot be read: {error.strerror}"

    def write(self, reason: str) -> None:
        """In place for good when this returns, so that the end of the machine does not re-arm. Where something else
        stands in its place, that stays and counts. Raises ``OSError`` where the next start may find nothing."""
        content = (" ".join(reason.split())[:LONGEST_REASON] + "\n").encode("utf-8", "replace")
        try:
            self._write_set_aside(content)
        except OSError:
            try:
                self._write_in_place(content)
            except OSError:
                if not self.is_there():
                    raise
        self._sync_folder()

    def remove(self) -> None:
        """Raises ``OSError`` where it stays."""
        with suppress(FileNotFoundError):
            if stat.S_ISDIR(self.path.lstat().st_mode):
                self.path.rmdir()
            else:
                self.path.unlink()
        self._sync_folder()

    def _text(self) -> str:
        # Not to wait where a fifo has come into its place meanwhile.
        file = SET_ASIDE.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            text = os.read(file, 4 * LONGEST_REASON)
        finally:
            os.close(file)
        return " ".join(text.decode("utf-8", "replace").split())[:LONGEST_REASON]

    def _write_set_aside(self, content: bytes) -> None:
        if self._room >= 0 and not os.fstat(self._room).st_nlink:
            os.close(self._room)
            self._room = -1
        if self._room < 0:
            self.reserve()
        self._put(self._room, content)
        self._new.replace(self.path)
        os.close(self._room)
        self._room = -1

    def _write_in_place(self, content: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = SET_ASIDE.open(self.path, flags)
        try:
            self._put(file, content)
        finally:
            os.close(file)

    def _put(self, file: int, content: bytes) -> None:
        # Not truncated first: that would give the room away.
        os.pwrite(file, content, 0)
        os.ftruncate(file, len(content))
        os.fsync(file)

    def _sync_folder(self) -> None:
        if self._folder < 0:
            self._folder = SET_ASIDE.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        os.fsync(self._folder)
