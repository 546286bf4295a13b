"""The audit trail: who asked the engine for what, when, and what came of it. JSON lines for the owner's eyes only."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from time import time_ns
from typing import Any, Final

import msgspec

from sengine.clock import format_timestamp
from sengine.config.redact import plain
from sengine.errors import DataError
from sengine.printable import LONGEST, printable_json
from sengine.runtime.descriptors import SET_ASIDE

FILE_NAME: Final = "audit.log"
LONGEST_BYTES: Final = 16 << 20


class AuditRecord(msgspec.Struct, frozen=True):
    """One line. ``who`` is a person or what stands for one, ``how`` the way in, ``result`` a sentence."""

    time: str
    who: str
    how: str
    what: str
    details: dict[str, Any]
    result: str


class AuditTrail:
    """Appends to ``audit.log`` in the data directory, one write a line. ``complain`` hears of a line that is lost.

    Beyond ``longest_bytes`` the file becomes ``audit.log.1``, the next one ``audit.log.2``, and so on; none is ever
    removed.
    """

    def __init__(
        self,
        directory: Path,
        complain: Callable[[str], None],
        wall_clock_ns: Callable[[], int] = time_ns,
        longest_bytes: int = LONGEST_BYTES,
    ) -> None:
        self.path = directory / FILE_NAME
        self._complain = complain
        self._wall_clock_ns = wall_clock_ns
        self._longest_bytes = longest_bytes
        self._lock = Lock()
        self._full = max(_full_files(self.path), default=0)
        self._file = self._open()

    def record(self, who: str, how: str, what: str, result: str, **details: Any) -> None:
        """Add a line, on any thread. It never raises: what was asked for is carried out also when the disk is full."""
        bounded = {name: _bounded(value) for name, value in details.items()}
        line = AuditRecord(format_timestamp(self._wall_clock_ns()), _bounded(who), how, what, bounded, _bounded(result))
        try:
            content = printable_json(msgspec.json.encode(line).decode()).encode() + b"\n"
            with self._lock:
                if os.fstat(self._file).st_size >= self._longest_bytes:
                    self._begin_another()
                os.write(self._file, content)
        except (OSError, TypeError, ValueError) as error:
            self._complain(f"not in the audit trail: {what} by {who}: {error}")

    def close(self) -> None:
        os.close(self._file)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        file = SET_ASIDE.open(self.path, flags)
        os.fchmod(file, 0o600)
        return file

    def _begin_another(self) -> None:
        # Counted, not looked for: that would take a descriptor.
        self._full += 1
        self.path.rename(self.path.with_name(f"{FILE_NAME}.{self._full}"))
        full, self._file = self._file, self._open()
        os.close(full)


def _bounded(value: Any) -> Any:
    """Text that can be encoded, and is no longer than a line should be."""
    if not isinstance(value, str):
        return value
    if len(value) > LONGEST:
        value = f"{value[:LONGEST]}... ({len(value) - LONGEST:,} more characters)"
    return value.encode("utf-8", "backslashreplace").decode()


def _full_files(path: Path) -> dict[int, Path]:
    """The files that came before ``path``, by number, oldest first."""
    # Not globbed: a folder that cannot be listed is not one without such files.
    names = [name for name in os.listdir(path.parent) if name.startswith(f"{path.name}.")]
    found = {name.removeprefix(f"{path.name}."): path.with_name(name) for name in names}
    return dict(sorted((int(name), each) for name, each in found.items() if name.isascii() and name.isdigit()))


def details_of(request: Any) -> dict[str, str]:
    """The fields of a request of the control API, parameters without their secrets."""
    return {
        field.name: _without_secrets(value) if field.name == "config_json" else str(value)
        for field, value in request.ListFields()
    }


def _without_secrets(config_json: str) -> str:
    try:
        return msgspec.json.encode(plain(msgspec.json.decode(config_json))).decode()
    except msgspec.MsgspecError as error:
        return f"cannot be read: {error}"


def read_audit(path: Path) -> Iterator[AuditRecord]:
    """The lines of a trail with those of the files before it, oldest first. Raises ``DataError`` for one that is none;
    one cut short at the end of a file is left out."""
    try:
        full = _full_files(path)
    except OSError as error:
        raise _unreadable(path, error) from None
    for each in (*full.values(), path):
        yield from _lines(each)


def _lines(path: Path) -> Iterator[AuditRecord]:
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise _unreadable(path, error) from None
    for number, line in enumerate(lines[:-1], 1):
        try:
            yield msgspec.json.decode(line, type=AuditRecord)
        except msgspec.MsgspecError as error:
            raise DataError(f"{path}:{number}: expected a line of an audit trail: {error}") from None


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: no audit trail can be read here: {error.strerror}")


def owner_name() -> str:
    """The user that this engine runs as, who alone can open its socket."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
