"""The engine's data directory: its owner's alone, and one engine's at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from sengine.adapters.transport.private_socket import refuse_foreign
from sengine.errors import ConfigError, SengineError


class DataDirectory:
    """``with DataDirectory(path) as directory``: the directory exists, is private, and no other engine has it within.

    Raises ``ConfigError`` when it cannot be used or is not ours, ``SengineError`` when another engine uses it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser().absolute()
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            refuse_foreign(self.path)
            # The lock goes with its holder, however that ends; the file stays, as two could hold two files.
            self._lock = os.open(
                self.path / "engine.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            raise ConfigError([f"service.data_directory: {self.path} cannot be used: {error.strerror}"]) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._lock, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._lock)
            raise SengineError(
                f"another engine (pid {pid}) uses {self.path}; stop it with `sengine stop`, or give this one its own "
                "service.data_directory"
            ) from None
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(os.getpid()).encode(), 0)
        self.path.chmod(0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._lock)


def is_in_use(path: str | Path) -> bool:
    """Whether an engine of this user runs in the directory now. Raises ``SengineError`` where that cannot be known."""
    file = Path(path).expanduser() / "engine.lock"
    try:
        lock = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False  # there is none, or it is another user's
    except OSError as error:
        raise SengineError(f"{file}: whether an engine runs here cannot be known: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False
