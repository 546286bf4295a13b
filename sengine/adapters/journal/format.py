"""What a journal is made of: records in frames, in segment files.

A frame is the record's length and CRC32, four bytes each, little endian, and the record: a MessagePack array of a
short tag and the record's own struct as a map. A segment begins with a ``Header`` and a ``Checkpoint``, so that it can
be read without those before it; then come events, each followed by what it led to, where it led to anything. The end of
a segment that is being written, or whose writer was killed, may be zeros: room that was made for the next frames.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from struct import Struct
from typing import Any, Final, TypeAlias, get_args
from zlib import crc32

import msgspec

from sengine.adapters.journal import old_records
from sengine.domain.events import (
    BarEvent,
    BookEvent,
    Event,
    KillSwitch,
    PauseStrategy,
    Rearm,
    ReloadParameters,
    ResumeStrategy,
    Shutdown,
    SoundBookEvent,
    TradeEvent,
    UnloadStrategy,
)
from sengine.domain.market import Quote
from sengine.domain.order import Fill, OrderUpdate
from sengine.engine.checkpoint.checkpoint import Checkpoint
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.state.saved import SavedAccount
from sengine.engine.strategies.swap import Warmed
from sengine.errors import JournalError

FORMAT: Final = 1
HEAD: Final = Struct("<II")
LONGEST_RECORD: Final = 1 << 30
SUFFIX: Final = ".journal"
COMPRESSED: Final = ".journal.zst"


class StrategyRecord(msgspec.Struct, frozen=True):
    """A strategy as it was loaded: its item of the configuration, and the hash under which its file's text is kept."""

    strategy_id: str
    config: dict[str, Any]
    path: str
    version: str
    source_hash: str
    max_signal_age_ns: int | None = None
    """Of a strategy in a process of its own, as in its spec."""


class Header(msgspec.Struct, frozen=True):
    """The first record of a segment. ``session`` is the prefix of its orders' ids; ``first_record`` counts all records
    before it, with those that were ``lost`` since the segment before began (``None``: an earlier version wrote it, and
    a ``Gap`` tells). ``follows_from`` is the segment from which a start showed its strategies the past, 0 where it did
    not."""

    format: int
    session: str
    segment: int
    first_record: int
    time_ns: int
    program: str
    config: dict[str, Any]
    strategies: list[StrategyRecord]
    starts_session: bool
    follows_from: int = 0
    lost: int | None = None
    now_ns: int = 0
    """Event time where the segment begins; 0 where there was none yet, or an earlier version wrote it."""


class StrategyLoaded(msgspec.Struct, frozen=True):
    """Stands for ``LoadStrategy``, whose spec holds code."""

    strategy: StrategyRecord
    time_ns: int = 0


class StrategySwapped(msgspec.Struct, frozen=True):
    """Stands for ``SwapStrategy``, whose spec and instances are code."""

    strategy: StrategyRecord
    warmed: dict[str, Warmed]
    rollback_ticks: int
    time_ns: int = 0


class Gap(msgspec.Struct, frozen=True):
    """Records that could not be written, and why."""

    records: int
    reason: str


class Closed(msgspec.Struct, frozen=True):
    """The session ended on purpose; nothing of it is missing."""

    time_ns: int


class Sample(msgspec.Struct, frozen=True):
    """P&L at a moment: of all together, and by strategy. ``time_ns`` is the wall clock's, ``now_ns`` event time."""

    time_ns: int
    now_ns: int
    total: SavedAccount
    strategies: dict[str, SavedAccount]


TAGS: Final[dict[type, str]] = {
    # The engine's events; those without a short tag here have their class's name.
    **{kind: kind.__name__ for member in get_args(Event) for kind in (get_args(member) or (member,))},
    Quote: "Q",
    SoundBookEvent: "B",
    BookEvent: "b",
    TradeEvent: "t",
    BarEvent: "r",
    Fill: "f",
    OrderUpdate: "u",
    PauseStrategy: "p",
    ResumeStrategy: "s",
    UnloadStrategy: "x",
    ReloadParameters: "m",
    KillSwitch: "k",
    Rearm: "a",
    Shutdown: "q",
    ChangeLimits: "L",
    # The journal's own.
    Header: "H",
    Checkpoint: "C",
    Happened: "o",
    StrategyLoaded: "l",
    StrategySwapped: "w",
    Gap: "G",
    Closed: "E",
    Sample: "S",
}
MARKET_TAGS: Final = frozenset(TAGS[kind] for kind in (Quote, SoundBookEvent, BookEvent, TradeEvent, BarEvent))
PREFIX: Final = {kind: b"\x92" + msgspec.msgpack.encode(tag) for kind, tag in TAGS.items()}
"""What a record of each type begins with: an array of two, and the tag."""
_Decode: TypeAlias = Callable[[memoryview | bytes], Any]
_DECODE: Final[dict[bytes, _Decode]] = {prefix: msgspec.msgpack.Decoder(kind).decode for kind, prefix in PREFIX.items()}
_ONE_LETTER: Final = 0xA1
_SHORT: Final = {prefix[2]: (TAGS[kind], _DECODE[prefix]) for kind, prefix in PREFIX.items() if len(prefix) == 3}
_TAG_OF: Final = {prefix: TAGS[kind] for kind, prefix in PREFIX.items()}
_KIND_OF: Final = {tag: kind for kind, tag in TAGS.items()}
UNREADABLE: Final = "?"
"""The tag of a record that stands for one that does not decode."""
_DECIDING_NOTHING: Final = (Quote, SoundBookEvent, BookEvent, TradeEvent, BarEvent, Gap, Closed, Sample)


class Unsound(Exception):  # noqa: N818 - it is told on, never seen by a person
    """A frame at ``offset`` that is no whole, true record."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset


def frame(payload: bytes) -> bytes:
    """A record as it stands in the file."""
    return HEAD.pack(len(payload), crc32(payload)) + payload


def frames(data: memoryview, start: int = 0) -> Iterator[tuple[int, memoryview]]:
    """Offset and payload of each record. Raises ``Unsound`` at the first that is not whole or not as it was written."""
    unpack, size, end = HEAD.unpack_from, HEAD.size, len(data)
    if not end:
        raise Unsound(0, "it is empty")
    while start < end:
        if end - start < size:
            if start and is_room(data[start:]):
                return
            raise Unsound(start, "it ends within a record's head")
        length, checksum = unpack(data, start)
        body = start + size
        if not 2 <= length <= LONGEST_RECORD:
            if start and is_room(data[start:]):
                return
            raise Unsound(start, f"a record's length cannot be {length}")
        if length > end - body:
            raise Unsound(start, f"{end - body} of a record's {length} bytes are there")
        payload = data[body : body + length]
        if crc32(payload) != checksum:
            raise Unsound(start, "its checksum is not that of its content")
        yield start, payload
        start = body + length


def is_room(rest: memoryview | bytes) -> bool:
    """Whether a segment's rest is room for frames to come: nothing but zeros. No frame begins with four of them."""
    return not bytes(rest).strip(b"\0")


def has_record_after(data: memoryview, offset: int) -> bool:
    """Whether a whole record lies anywhere behind ``offset``: then what is unsound there is no torn end."""
    raw, size = bytes(data[offset + 1 :]), HEAD.size
    at = raw.find(b"\x92", size)
    while at != -1:
        length, checksum = HEAD.unpack_from(raw, at - size)
        is_plausible = 2 <= length <= len(raw) - at and _prefix(raw[at : at + 34]) in _DECODE
        if is_plausible and crc32(raw[at : at + length]) == checksum:
            return True
        at = raw.find(b"\x92", at + 1)
    return False


def decode(payload: memoryview | bytes) -> tuple[str, Any]:
    """Tag and record; one that earlier versions wrote in a way that cannot be read is as whole as can be, or
    ``Unreadable``. Raises ``JournalError`` for a record that this version does not know, or cannot do without."""
    short = _SHORT.get(payload[2]) if payload[1] == _ONE_LETTER and len(payload) > 2 else None
    if short is not None:
        # Nearly every record, and recovery reads them by the million.
        try:
            return short[0], short[1](payload[3:])
        except (msgspec.DecodeError, ValueError) as error:
            return _as_far_as_it_goes(short[0], payload[3:], error)
    prefix = _prefix(payload)
    decoder = _DECODE.get(prefix)
    if decoder is None:
        raise JournalError(f"a record of the unknown kind {bytes(payload[:20])!r}; a newer sengine wrote it")
    try:
        return _TAG_OF[prefix], decoder(payload[len(prefix) :])
    except (msgspec.DecodeError, ValueError) as error:
        return _as_far_as_it_goes(_TAG_OF[prefix], payload[len(prefix) :], error)


def _as_far_as_it_goes(tag: str, body: memoryview | bytes, error: Exception) -> tuple[str, Any]:
    """Tag and record of one that does not decode, its checksum being right: it was written so."""
    kind = _KIND_OF[tag]
    with suppress(msgspec.DecodeError, ValueError):
        if kind is Happened:
            return tag, old_records.happened_of(body)
        if kind is Checkpoint:
            return tag, old_records.checkpoint_of(body)
    if kind in (Header, Checkpoint):
        raise JournalError(f"a record of the kind {kind.__name__} cannot be read: {error}") from error
    return UNREADABLE, old_records.Unreadable(kind.__name__, str(error)[:200], kind not in _DECIDING_NOTHING)


def _prefix(payload: memoryview | bytes) -> bytes:
    # 0xa0 + n begins a text of n < 32 bytes.
    return bytes(payload[: 2 + (payload[1] & 0x1F)])


def segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:010d}{SUFFIX}"


def journal_folder(path: Path) -> Path:
    """The journal that a path means: itself, or ``journal`` in it, as in an engine's data directory."""
    inner = path / "journal"
    return inner if inner.is_dir() else path


def segments(directory: Path) -> dict[int, Path]:
    """The segment files by number, in order. A segment of which a compressed copy is finished counts once.

    Raises ``JournalError`` for a folder that is there and cannot be listed: that is not one without a journal.
    """
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise JournalError(f"{directory}: the journal's folder cannot be listed: {error.strerror}") from None
    found: dict[int, Path] = {}
    for name in names:
        number, _, suffix = name.partition(".")
        if number.isascii() and number.isdigit() and f".{suffix}" in (SUFFIX, COMPRESSED):
            found.setdefault(int(number), directory / name)
    return dict(sorted(found.items()))
