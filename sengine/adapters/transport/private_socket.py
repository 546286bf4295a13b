"""A Unix socket path that one process owns: a lock beside it says who, and dies with its owner."""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from sengine.errors import ConfigError, SengineError

# The kernel's sun_path, its closing zero left out.
_LONGEST_PATH = 107 if sys.platform == "linux" else 103


class SocketUse(msgspec.Struct, frozen=True):
    """What a socket is for, in the sentences of its errors: whose it is, who else may hold it, and what to do."""

    whose: str
    holder: str
    set_shorter: str
    set_other: str
    when_taken: str


API: Final = SocketUse(
    "the API's",
    "another engine",
    "set api.listen to a shorter unix:/path",
    "set api.listen or service.data_directory",
    "stop it with `sengine stop`, or give this one its own service.data_directory",
)
LISTEN_OPTION: Final = SocketUse(
    "this command's",
    "another process",
    "give --listen a shorter unix:/path",
    "give --listen another unix:/path",
    "stop it, or give --listen a free address",
)


class PrivateSocket:
    """Claims ``path`` so that nobody else can listen on it or, with ``own_directory``, even look at it.

    Raises ``SengineError`` when somebody else holds it, ``ConfigError`` when the path cannot be used. A socket that a
    dead process left behind is removed.
    """

    def __init__(self, path: Path, use: SocketUse = API, *, own_directory: bool = False) -> None:
        self.path = path
        self._use = use
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise ConfigError([f"{path}: a socket's path may have {_LONGEST_PATH} bytes; {use.set_shorter}"])
        try:
            _prepare_directory(path.parent, own_directory)
            self._lock = self._take_lock()
        except OSError as error:
            raise ConfigError(
                [f"{path}: no place for {use.whose} socket: {error.strerror}; {use.set_other}"]
            ) from error
        try:
            self._remove_stale()
        except BaseException:
            os.close(self._lock)
            raise

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Bind within: the socket is its owner's from the first moment, not only after a chmod."""
        before = os.umask(0o177)
        try:
            yield
        finally:
            os.umask(before)

    def release(self) -> None:
        """Remove the socket and let others have the path."""
        self.path.unlink(missing_ok=True)
        os.close(self._lock)

    def _take_lock(self) -> int:
        """The lock file stays when its owner goes, since removing it would let two processes hold two locks."""
        lock = os.open(f"{self.path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise self._taken(pid) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        return lock

    def _remove_stale(self) -> None:
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise ConfigError(
                [f"{self.path}: is in the way of {self._use.whose} socket and is no socket; move it away"]
            )
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(self.path))
            except (ConnectionRefusedError, FileNotFoundError):
                self.path.unlink(missing_ok=True)
                return
            except BlockingIOError:
                pass  # somebody listens, and is asked by too many
            # It answers without holding the lock: the lock file was deleted under it.
            raise self._taken("unknown")

    def _taken(self, pid: str) -> SengineError:
        use = self._use
        return SengineError(f"{use.holder} (pid {pid}) answers on unix:{self.path}; {use.when_taken}")


def refuse_foreign(directory: Path) -> None:
    """Raises ``ConfigError`` where another account owns it: what is in it would be that account's to exchange."""
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        raise ConfigError(
            [f"service.data_directory: {directory} belongs to user {owner}; name one of your own, or one to be made"]
        )


def _prepare_directory(directory: Path, own: bool) -> None:
    """Make it, for its owner alone; the engine's own one that exists already is closed to others as well."""
    if own and directory.is_dir():
        refuse_foreign(directory)
    if not directory.is_dir():
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=0o700, exist_ok=True)
    elif own and stat.S_IMODE(directory.stat().st_mode) & 0o077:
        directory.chmod(0o700)
