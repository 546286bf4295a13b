"""What becomes of a journal's finished segments: compressed, and thrown away when they are too old or too many."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import time_ns
from typing import Final

import structlog
import zstandard

from sengine.adapters.journal.format import COMPRESSED, SUFFIX, segments
from sengine.config.schema import JournalConfig
from sengine.errors import JournalError

_LEVEL: Final = 3
_log = structlog.get_logger("sengine.journal")


class Retention:
    """Looks after the segments of ``directory``, on a thread of its own. The newest is never touched."""

    def __init__(self, directory: Path, config: JournalConfig, wall_clock_ns: Callable[[], int] = time_ns) -> None:
        self._directory = directory
        self._config = config
        self._wall_clock_ns = wall_clock_ns
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
        """Throw away, then compress. Raises ``OSError``."""
        files = segments(self._directory)
        finished = list(files.values())[:-1]
        kept = self._throw_away(finished, sum(path.stat().st_size for path in files.values()))
        if self._config.compress == "zstd":
            for path in kept:
                if path.suffix != ".zst":
                    _compress(path)

    def _throw_away(self, finished: list[Path], total_bytes: int) -> list[Path]:
        """Oldest first, so that what stays is without a hole."""
        config = self._config
        oldest_ns = self._wall_clock_ns() - config.retain_for_ns if config.retain_for_ns else 0
        for place, path in enumerate(finished):
            status = path.stat()
            is_too_much = config.retain_bytes and total_bytes > config.retain_bytes
            if not is_too_much and status.st_mtime_ns >= oldest_ns:
                return finished[place:]
            path.unlink()
            total_bytes -= status.st_size
        return []


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
