"""Writes a journal's frames: a thread of its own, and the loop itself where something must be out of its hands now."""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Final, Literal, TypeAlias

import msgspec

from sengine.adapters.journal.format import segment_path
from sengine.errors import SengineError
from sengine.runtime.descriptors import SET_ASIDE

EVERY_S: Final = 0.02
AGAIN_S: Final = 0.5
MOST_PENDING_BYTES: Final = 64 << 20
ROOM_BYTES: Final = 64 << 10
_PAGE: Final = bytes(4096)
Write: TypeAlias = Callable[[int, bytes | memoryview, int], int]


class _NextSegment(msgspec.Struct):
    """In the queue: what follows goes into a new file."""

    number: int
    frames: bytes


class JournalWriter:
    """Appends frames to segment files in ``directory``. ``append``, ``roll``, ``commit``
    and ``make_room`` are the loop's.

    When writing fails, ``failure`` says why; what is pending is kept and tried again, up to ``MOST_PENDING_BYTES``, and
    beyond that frames are ``lost``. ``on_change`` is called, on any thread, with the failure, and with an empty text
    once writing works again. ``on_rolled`` gets the path of each further segment, while the lock is held.
    """

    def __init__(
        self,
        directory: Path,
        first_segment: int,
        frames: bytes,
        *,
        durability: Literal["os", "fsync"] = "os",
        on_change: Callable[[str], None] = lambda failure: None,
        on_rolled: Callable[[Path], None] = lambda path: None,
        write: Write = os.pwrite,
        most_pending_bytes: int = MOST_PENDING_BYTES,
    ) -> None:
        self.failure = ""
        self.lost = 0
        """Frames that were thrown away since the last ``roll``."""
        self._directory = directory
        self._sync = os.fdatasync if hasattr(os, "fdatasync") else os.fsync
        self._is_synced = durability == "fsync"
        self._on_change = on_change
        self._on_rolled = on_rolled
        self._write = write
        self._most_pending = most_pending_bytes
        self._queue: deque[bytes | _NextSegment] = deque([_NextSegment(first_segment, frames)])
        self._queued_bytes = 0
        self._written_bytes = 0
        self._carry = b""
        self._file = -1
        self._path = directory
        self._size = 0
        self._room_until = 0
        self._lock = Lock()
        self._stop = Event()
        self._drain()
        if self.failure:
            raise SengineError(f"{self._path}: the journal cannot be written: {self.failure}")
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def has_caught_up(self) -> bool:
        """Whether all that was taken is written."""
        return not self.failure and self._written_bytes >= self._queued_bytes

    def append(self, frame: bytes) -> None:
        """Take a frame; it reaches the file within a moment."""
        if self._queued_bytes - self._written_bytes > self._most_pending or self.lost:
            self.lost += 1
            return
        self._queued_bytes += len(frame)
        self._queue.append(frame)

    def roll(self, number: int, frames: bytes) -> None:
        """End the segment and begin the next one with ``frames``."""
        self.lost = 0
        self._queue.append(_NextSegment(number, frames))

    def commit(self) -> bool:
        """Hand all that was appended to the operating system, or the disk, now; whether that could be done."""
        with self._lock:
            self._drain()
        return not self.failure and not self.lost

    def make_room(self) -> None:
        """For moments in which nothing waits: put a page of zeros behind what is written, where little room is left.

        A commit that meets a page which the operating system holds already is spared the search for one, which takes
        several times as long as the writing.
        """
        if self._room_until - self._size >= ROOM_BYTES or self.failure or not self._lock.acquire(blocking=False):
            return
        try:
            start = max(self._room_until, self._size)
            room = _PAGE[start % len(_PAGE) :]
            self._room_until = start + self._write(self._file, room, start)
        except OSError:
            pass  # the frames themselves will tell
        finally:
            self._lock.release()

    def close(self) -> None:
        """Write what is left, and end."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            self._drain()
            if self._file != -1:
                self._end_segment()
                self._file = -1

    def _run(self) -> None:
        while not self._stop.wait(AGAIN_S if self.failure else EVERY_S):
            if self._queue or self._carry:
                with self._lock:
                    self._drain()

    def _drain(self) -> None:
        """Write the queue. Holding the lock."""
        queue = self._queue
        try:
            while queue or self._carry:
                batch = [self._carry]
                while queue and isinstance(frame := queue[0], bytes):
                    batch.append(frame)
                    queue.popleft()
                self._carry = b"".join(batch)
                self._put()
                if queue and isinstance(segment := queue[0], _NextSegment):
                    self._open(segment)
                    queue.popleft()
        except OSError as error:
            self._failed(error.strerror or str(error))
        else:
            if self.failure:
                self._failed("")

    def _put(self) -> None:
        """Write what is carried at the file's end. What a failed attempt left there is written over."""
        if self._carry:
            self._size = self._write_all(self._file, self._carry, self._size)
            self._written_bytes += len(self._carry)
            self._carry = b""

    def _write_all(self, file: int, content: bytes, offset: int) -> int:
        """Write ``content`` at ``offset``; where it ends."""
        left: bytes | memoryview = content
        while left:
            count = self._write(file, left, offset)
            if count <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            offset += count
            if count == len(left):
                break
            left = memoryview(left)[count:]
        if self._is_synced:
            self._sync(file)
        return offset

    def _open(self, segment: _NextSegment) -> None:
        """Make the next segment's file, with its first frames in it."""
        path = segment_path(self._directory, segment.number)
        self._path = path
        file = SET_ASIDE.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
        try:
            offset = self._write_all(file, segment.frames, 0)
        except OSError:
            os.close(file)
            raise
        is_first = self._file == -1
        if not is_first:
            self._end_segment()
        self._file, self._size, self._room_until = file, offset, 0
        if not is_first:
            self._on_rolled(path)

    def _end_segment(self) -> None:
        """Close the file, without the room in it."""
        if self._room_until > self._size:
            with suppress(OSError):  # readers know room when they see it
                os.ftruncate(self._file, self._size)
        os.close(self._file)

    def _failed(self, reason: str) -> None:
        if reason != self.failure:
            self.failure = reason
            self._on_change(reason)
