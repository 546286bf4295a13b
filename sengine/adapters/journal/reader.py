"""Reads a journal: its records in order, each with its place.

A torn end is where a killed process or a full disk left the last segment; it is noted, and nothing after it is missing.
Anything else that is unsound is damage, and is told with file and offset; no record is guessed. So is a segment that
holds fewer records than the next one counts before it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec
import zstandard

from sengine.adapters.journal.continuity import Stretch, check_follows, damaged
from sengine.adapters.journal.format import FORMAT, HEAD, Header, Unsound, decode, frames, has_record_after, segments
from sengine.adapters.journal.old_records import NOT_WHOLE, LeftOut, as_whole
from sengine.errors import DamageError, JournalError, SengineError

_HEAD_BYTES: Final = 1 << 16
_Read = TypeVar("_Read")


class Entry(NamedTuple):
    """A record and where it lies: ``offset`` counts the (uncompressed) bytes of its segment."""

    segment: int
    offset: int
    tag: str
    record: Any


class TornEnd(msgspec.Struct, frozen=True):
    """Where the last segment breaks off."""

    path: Path
    segment: int
    offset: int
    size: int
    why: str

    def __str__(self) -> str:
        return f"{self.path}: torn at byte {self.offset}: {self.why}; {self.size - self.offset} bytes are left out"


class JournalReader:
    """The journal in ``directory``. ``torn`` is set once iteration has come to a torn end,
    and ``left_out`` tells of records that were read in part, or not at all.

    Raises ``JournalError`` where there is no journal, where a record in the middle is damaged, where records or a
    segment are missing in between, and for a format that this version does not know.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.paths = segments(directory)
        self.torn: TornEnd | None = None
        self.left_out = LeftOut()
        self._newest = max(self.paths, default=0)
        if not self.paths:
            what = "there is no journal here" if directory.exists() else "no such folder"
            raise JournalError(
                f"{directory}: {what}; expected a journal (files such as 0000000001.journal), or the data directory "
                "that it is in"
            )

    def headers(self) -> dict[int, Header]:
        """The header of each segment; one whose end is torn within its header is left out."""
        found = {}
        self._leave_out_gone()
        for number in self.paths:
            entry = next(self._read(number, _HEAD_BYTES), None)
            if entry is not None:
                found[number] = _header(entry, self.paths[number])
        return found

    def size(self, number: int) -> int:
        """How many bytes a segment's file has."""
        return self._of_file(number, lambda path: path.stat().st_size)

    def leave_out_unbegun_end(self) -> TornEnd | None:
        """Read as if the newest segment were not there, where it breaks off before its checkpoint is whole: nothing
        can be restored from it. How it does, to be cut off as a whole; ``None`` where it does not. No ``paths`` may be
        left then."""
        beginning = list(islice(self._read(self._newest), 2))
        if len(beginning) == 2:
            return None
        torn, self.torn = self.torn, None
        path = self.paths.pop(self._newest)
        if torn is not None and not torn.offset:
            return torn
        return TornEnd(path, self._newest, 0, path.stat().st_size, "its checkpoint is not whole")

    def __iter__(self) -> Iterator[Entry]:
        self._leave_out_gone()
        return self.since(next(iter(self.paths)))

    def since(self, segment: int, offset: int = 0) -> Iterator[Entry]:
        """Records from one place on, in order, over all later segments. Raises ``JournalError`` where there is no such
        segment, or no record begins at ``offset``."""
        expected, before = segment, None
        numbers = [each for each in self.paths if each >= segment]
        if not numbers:
            raise JournalError(f"{self.directory}: there is no segment {segment}; the newest is {max(self.paths)}")
        for number in numbers:
            if number != expected:
                raise JournalError(
                    f"{self.directory}: segment {expected} is missing; records before and after it are not one story"
                )
            expected = number + 1
            before = yield from self._read(number, start=offset if number == segment else 0, before=before)

    def of_segment(self, segment: int) -> Iterator[Entry]:
        return self._read(segment)

    def _read(
        self, number: int, at_most: int = -1, start: int = 0, before: Stretch | None = None
    ) -> Generator[Entry, None, Stretch | None]:
        """The records of a segment, which is to go on where the one ``before`` ends; how far it goes itself."""
        data = memoryview(self._of_file(number, lambda path: content(path, at_most)))
        path = self.paths[number]
        if at_most != -1 and start == 0 and len(data) == at_most:
            data = self._whole_first(number, data)
        if start:
            _check_place(path, data, start)
        first_record, count, end = None, 0, start
        try:
            for offset, payload in frames(data, start):
                try:
                    tag, record = decode(payload)
                except JournalError as error:
                    raise JournalError(f"{path}: byte {offset}: {error}") from error
                if offset == 0:
                    header = _header(Entry(number, 0, tag, record), path)
                    if before is not None:
                        check_follows(before, header, lambda: data)
                    first_record = header.first_record
                if type(record) in NOT_WHOLE:
                    self.left_out.note(record, path, number, offset)
                    record = as_whole(record)
                count, end = count + 1, offset + HEAD.size + len(payload)
                yield Entry(number, offset, tag, record)
        except Unsound as unsound:
            if number != self._newest or has_record_after(data, unsound.offset):
                raise damaged(path, number, unsound.offset, str(unsound)) from None
            size = len(bytes(data).rstrip(b"\0"))
            self.torn = TornEnd(path, number, unsound.offset, max(size, unsound.offset), str(unsound))
        return Stretch(path, number, end, first_record + count) if first_record is not None else None

    def _leave_out_gone(self) -> None:
        """The oldest segments, where a running engine threw them away since they were listed."""
        there = segments(self.directory)
        while len(self.paths) > 1 and (oldest := min(self.paths)) not in there:
            del self.paths[oldest]

    def _of_file(self, number: int, read: Callable[[Path], _Read]) -> _Read:
        """What ``read`` makes of a segment's file. A running engine may have compressed it since it was listed, and
        another time it may be gone."""
        try:
            return read(self.paths[number])
        except FileNotFoundError:
            path = segments(self.directory).get(number)
            if path is None:
                raise JournalError(
                    f"{self.paths[number]}: is gone since the journal was listed; where a running engine threw it "
                    "away, as journal.retain_bytes and journal.retain_for say, read the journal again"
                ) from None
            self.paths[number] = path
        try:
            return read(path)
        except OSError as error:
            raise _unreadable(path, error) from error

    def _whole_first(self, number: int, data: memoryview) -> memoryview:
        """Enough of a segment to hold its first record, however long that is."""
        try:
            next(frames(data), None)
        except Unsound:
            return memoryview(self._of_file(number, content))
        first = next(frames(data))
        return data[: first[0] + 8 + len(first[1])]


def _check_place(path: Path, data: memoryview, start: int) -> None:
    """Raises ``JournalError`` when no record begins at ``start``, nor do the records end there."""
    last, end, following = 0, 0, ""
    try:
        for offset, payload in frames(data):
            if offset >= start:
                following = f" and {offset}"
                break
            last, end = offset, offset + HEAD.size + len(payload)
    except Unsound as unsound:
        end = unsound.offset
        if end < start and _is_sound_at(data, start):
            return  # behind damage, which may be why one asks
    if end != start:
        ones = "ones begin" if following else "one before it begins"
        raise JournalError(f"{path}: no record begins at byte {start}; the nearest {ones} at {last}{following}")


def _is_sound_at(data: memoryview, start: int) -> bool:
    try:
        return next(frames(data, start), None) is not None
    except Unsound:
        return False


def _header(entry: Entry, path: Path) -> Header:
    if not isinstance(entry.record, Header):
        raise JournalError(f"{path}: expected a journal's header, found a record of the kind {entry.tag!r}")
    if entry.record.format != FORMAT:
        raise JournalError(
            f"{path}: a journal of format {entry.record.format}, written by sengine {entry.record.program}; this one "
            f"reads format {FORMAT}"
        )
    return entry.record


def content(path: Path, at_most: int = -1) -> bytes:
    """A segment's bytes, uncompressed. Raises ``FileNotFoundError`` and, for any other failure, ``JournalError``."""
    try:
        with path.open("rb") as file:
            if path.suffix != ".zst":
                return file.read(at_most)
            with zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True) as plain:
                return plain.read(at_most)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unreadable(path, error) from error
    except zstandard.ZstdError as error:
        place = int(path.name.split(".", 1)[0]), 0
        raise DamageError(f"{path}: cannot be uncompressed: {error}; the file is damaged", place) from error


def _unreadable(path: Path, error: OSError) -> JournalError:
    return JournalError(f"{path}: cannot be read: {error.strerror}")


Note = Callable[[str], None]


def cut_torn_end(torn: TornEnd) -> None:
    """Cut the file where it is torn, for a writer to go on. Raises ``SengineError`` when that cannot be done."""
    try:
        if torn.offset:
            with torn.path.open("r+b") as file:
                file.truncate(torn.offset)
        else:
            torn.path.unlink()
    except OSError as error:
        raise SengineError(f"{torn.path}: its torn end cannot be cut: {error.strerror}") from error
