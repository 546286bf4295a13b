"""Whether a segment goes on where the one before it ends: its header counts the records of all before it.

A segment that is cut between two records, or zeros from there on, is sound in itself; only the count shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from sengine.adapters.journal.format import Gap, Header, Unsound, decode, frames
from sengine.errors import DamageError


class Stretch(NamedTuple):
    """A segment that was read from its beginning: up to which byte its records reach, and how many there are up to
    there, those of earlier segments with them."""

    path: Path
    segment: int
    end: int
    records: int


def damaged(path: Path, segment: int, offset: int, why: str) -> DamageError:
    return DamageError(
        f"{path}: byte {offset}: damaged: {why}; what is before it can be read with "
        f"`sengine journal export --until {segment}:{offset}`",
        (segment, offset),
    )


def check_follows(before: Stretch, header: Header, content: Callable[[], bytes | memoryview]) -> None:
    """Raises ``DamageError`` when the segment of ``header`` counts other records before it than were read. Its
    ``content`` is asked for where an earlier version wrote it, and that is in doubt."""
    missing = header.first_record - before.records - (header.lost or 0)
    if missing and header.lost is None:
        missing -= _lost_as_told_by_gap(memoryview(content()))
    if missing:
        records = "1 record is" if abs(missing) == 1 else f"{abs(missing):,} records are"
        why = (
            f"{records} {'missing' if missing > 0 else 'too many'} where it ends; segment {header.segment} counts "
            f"{header.first_record:,} records before it"
        )
        raise damaged(before.path, before.segment, before.end, why)


def _lost_as_told_by_gap(data: memoryview) -> int:
    try:
        third = next(islice(frames(data), 2, None), None)
    except Unsound:
        return 0
    record = decode(third[1])[1] if third is not None else None
    return record.records if isinstance(record, Gap) else 0
