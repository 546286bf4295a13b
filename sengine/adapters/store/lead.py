"""Whether the store knows more than the journal that it was made from: then the journal has lost its end.

A store follows its journal and is never ahead of it, but for a disk that kept the one and not the other, a file that
was cut or removed, and a journal from a backup.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from zlib import crc32

from sengine.adapters.journal.format import HEAD, Unsound, frames, segments
from sengine.adapters.journal.reader import content
from sengine.errors import JournalError


def lead_of(store: Path, directory: Path) -> str:
    """What the store at ``store`` has and the journal in ``directory`` has not, a sentence; empty for nothing. Without
    any journal there is nothing to be ahead of: it was moved away."""
    place, there = _place_of(store), segments(directory)
    if place is None or not there:
        return ""
    segment, offset, checksum = place
    newest = max(there)
    if segment > newest:
        return f"the records in {store} reach to segment {segment}, and the journal ends with {there[newest]}"
    if segment not in there:
        return ""  # thrown away, or missing in between, which whoever reads the journal is told
    try:
        data = memoryview(content(there[segment]))
    except (FileNotFoundError, JournalError):
        return ""
    if _is_at(data, offset, checksum):
        return ""
    end = _end_of(data)
    if offset < end:
        return ""  # another journal, which the store is made anew from
    return f"the records in {store} reach to byte {offset} of {there[segment]}, and the journal ends at byte {end}"


def _place_of(store: Path) -> tuple[int, int, int] | None:
    """Segment, offset and checksum of the last record that a store was made from."""
    if not store.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{store.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            row = connection.execute("SELECT segment, offset, checksum FROM place").fetchone()
    except sqlite3.Error:
        return None
    return None if row is None else (int(row[0]), int(row[1]), int(row[2]))


def _is_at(data: memoryview, offset: int, checksum: int) -> bool:
    """Whether a whole record of that checksum lies there."""
    if offset + HEAD.size > len(data):
        return False
    length, there = HEAD.unpack_from(data, offset)
    payload = data[offset + HEAD.size : offset + HEAD.size + length]
    return there == checksum and len(payload) == length and crc32(payload) == checksum


def _end_of(data: memoryview) -> int:
    """Where the last whole record ends."""
    end = 0
    try:
        for offset, payload in frames(data):
            end = offset + HEAD.size + len(payload)
    except Unsound as unsound:
        return max(end, unsound.offset)
    return end
