"""What becomes of a journal's finished segments: compressed, and thrown away when they are too old or too many."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Final, TypeAlias

import structlog
import zstandard

from sengine.adapters.journal.format import COMPRESSED, SUFFIX, Header, Unsound, decode, frames, segments
from sengine.adapters.journal.reader import content
from sengine.config.schema import JournalConfig
from sengine.errors import JournalError

_LEVEL: Final = 3
_HEAD_BYTES: Final = 1 << 16
Tell: TypeAlias = Callable[[str, str], None]
_log = structlog.get_logger("sengine.journal")


class Retention:
    """Looks after the segments of ``directory``, on a thread of its own. The newest is never touched.

    How old a segment is, the records say, by the wall clock's and by event time; both must find it too old, since
    either may have jumped. What goes is told before, to ``tell`` on that thread: the keys that ask for it, a sentence.
    """

    def __init__(self, directory: Path, config: JournalConfig, tell: Tell = lambda keys, sentence: None) -> None:
        self._directory = directory
        self._config = config
        self._tell = tell
        self._begun: dict[int, Header | None] = {}
        self._thread: Thread | None = None

    def begin(self) -> None:
        """Do what there is to do, in the background; nothing, while it is being done."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="journal retention", daemon=True)
            self._thread.start()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self.tidy()
        except (OSError, JournalError, zstandard.ZstdError) as error:
            # The journal itself is whole; it only takes more room than it might.
            _log.warning("finished journal files could not be tidied up", reason=str(error))

    def tidy(self) -> None:
        """Throw away, then compress. Raises ``OSError`` and ``JournalError``."""
        files = segments(self._directory)
        gone = self._throw_away(files)
        if self._config.compress == "zstd":
            for path in list(files.values())[gone:-1]:
                if path.suffix != ".zst":
                    _compress(path)

    def _throw_away(self, files: dict[int, Path]) -> int:
        """Oldest first, so that what stays is without a hole; how many."""
        old = self._too_old(files)
        sizes = [path.stat().st_size for path in files.values()]
        total, many = sum(sizes), 0
        if self._config.retain_bytes:
            while many < len(files) - 1 and total > self._config.retain_bytes:
                total -= sizes[many]
                many += 1
        gone = list(files.values())[: max(old, many)]
        if gone:
            keys = [key for key, count in (("journal.retain_for", old), ("journal.retain_bytes", many)) if count]
            self._tell(" and ".join(keys), _farewell(gone, sum(sizes[: len(gone)]), keys))
        for path in gone:
            path.unlink()
        return len(gone)

    def _too_old(self, files: dict[int, Path]) -> int:
        """How many segments, from the oldest on, ended longer ago than is kept."""
        if not self._config.retain_for_ns or len(files) < 2:
            return 0
        self._begun = {number: self._begun.get(number) or _begin_of(path) for number, path in files.items()}
        begun = list(self._begun.values())
        wall_ns = _ages([begin.time_ns if begin else None for begin in begun])
        event_ns = _ages([begin.now_ns if begin else None for begin in begun])
        count = 0
        for by_wall, by_event in zip(wall_ns, event_ns, strict=True):
            known = [age_ns for age_ns in (by_wall, by_event) if age_ns is not None]
            if not known or min(known) <= self._config.retain_for_ns:
                break
            count += 1
        return count


def _ages(begun_ns: list[int | None]) -> list[int | None]:
    """How long before the newest known beginning each segment but the last had ended: when any later one began, so
    that one wrong time among many makes none older. ``None`` and 0 are not known."""
    newest = next((time_ns for time_ns in reversed(begun_ns) if time_ns), None)
    ages: list[int | None] = []
    ended_ns: int | None = None
    for time_ns in begun_ns[:0:-1]:
        if time_ns:
            ended_ns = time_ns if ended_ns is None else min(ended_ns, time_ns)
        ages.append(newest - ended_ns if newest is not None and ended_ns is not None else None)
    return ages[::-1]


def _begin_of(path: Path) -> Header | None:
    """A segment's first record; ``None`` where it cannot be read, which makes no segment old."""
    for at_most in (_HEAD_BYTES, -1):
        try:
            _, record = decode(next(frames(memoryview(content(path, at_most))))[1])
        except Unsound:
            continue
        except (JournalError, FileNotFoundError):
            return None
        return record if isinstance(record, Header) else None
    return None


def _farewell(gone: list[Path], size: int, keys: list[str]) -> str:
    files = gone[0].name if len(gone) == 1 else f"{gone[0].name} to {gone[-1].name}"
    reasons = {"journal.retain_for": "older than that", "journal.retain_bytes": "all together are larger"}
    why = " and ".join(f"{key} ({reasons[key]})" for key in keys)
    return f"the journal's oldest files go: {files}, {len(gone)} with {size:,} bytes, by {why}"


def _compress(path: Path) -> None:
    """Replace a segment by its compressed copy, which has its times."""
    finished = path.with_name(path.name.removesuffix(SUFFIX) + COMPRESSED)
    whole = finished.with_name(finished.name + ".new")
    status = path.stat()
    with path.open("rb") as plain, open(whole, "wb", opener=_private) as packed:
        zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).copy_stream(plain, packed)
        packed.flush()
        os.fsync(packed.fileno())
    os.utime(whole, ns=(status.st_atime_ns, status.st_mtime_ns))
    whole.replace(finished)
    path.unlink()


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
