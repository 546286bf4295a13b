"""Records that are whole and do not decode: earlier versions wrote what strategies hung on their signals as it was.

All but that is in the record, and is read. Of any other known record that does not decode nothing is known but its
kind, and that is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sengine.domain.signal import Disposition, SignalResult, StampedSignal
from sengine.engine.checkpoint.checkpoint import Checkpoint
from sengine.engine.checkpoint.follower import Happened

_MOST_TOLD: Final = 5


class Unreadable(msgspec.Struct, frozen=True):
    """Stands for a record that does not decode; ``decides`` where an order or a position may hang on it."""

    kind: str
    why: str
    decides: bool


class _BareSignal(StampedSignal, frozen=True, gc=False, omit_defaults=True):
    metadata: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


class _BareResult(SignalResult, frozen=True, gc=False, omit_defaults=True):
    signal: _BareSignal
    disposition: Disposition
    check: str = ""
    code: str = ""
    reason: str = ""


class HappenedWithoutMetadata(Happened, frozen=True, omit_defaults=True):
    """What an event led to, without what strategies hung on their signals."""

    signals: Sequence[_BareResult] = []


class CheckpointWithoutMetadata(Checkpoint, frozen=True, kw_only=True):
    """A checkpoint, without what strategies hung on their votes."""

    votes: Sequence[_BareSignal]


NOT_WHOLE: Final = (HappenedWithoutMetadata, CheckpointWithoutMetadata, Unreadable)
_DECODE_HAPPENED: Final = msgspec.msgpack.Decoder(HappenedWithoutMetadata).decode
_DECODE_CHECKPOINT: Final = msgspec.msgpack.Decoder(CheckpointWithoutMetadata).decode


def happened_of(body: memoryview | bytes) -> Happened:
    """The record but for its metadata. Raises ``msgspec.DecodeError`` where that is not what it fails for."""
    bare = _DECODE_HAPPENED(body)
    results = [
        SignalResult(_signal(each.signal), each.disposition, each.check, each.code, each.reason)
        for each in bare.signals
    ]
    return msgspec.structs.replace(bare, signals=results)


def checkpoint_of(body: memoryview | bytes) -> Checkpoint:
    """As ``happened_of``."""
    bare = _DECODE_CHECKPOINT(body)
    return msgspec.structs.replace(bare, votes=[_signal(vote) for vote in bare.votes])


def as_whole(record: Any) -> Any:
    """A record that was read in part, of the class that it stands for."""
    for kind in (Happened, Checkpoint):
        if isinstance(record, kind):
            return kind(**{name: getattr(record, name) for name in kind.__struct_fields__})
    return record


def _signal(bare: _BareSignal) -> StampedSignal:
    values = {name: getattr(bare, name) for name in StampedSignal.__struct_fields__}
    return StampedSignal(**values | {"metadata": None})


class LeftOut:
    """What of a journal could not be read, for a person: how many records of each sort, and where the first lies."""

    def __init__(self) -> None:
        self._places: dict[str, dict[tuple[int, int], None]] = {}

    def note(self, record: object, path: Path, segment: int, offset: int) -> None:
        """Any record; those that are whole say nothing."""
        if isinstance(record, HappenedWithoutMetadata | CheckpointWithoutMetadata):
            why = (
                "what strategies hung on their signals (metadata) was written by an earlier version in a way that "
                "cannot be read and is left out; it decides nothing"
            )
        elif isinstance(record, Unreadable):
            why = f"a record of the kind {record.kind} cannot be read ({record.why}) and its effect is missing"
        else:
            return
        self._places.setdefault(f"{path.name}: byte {{}}: {why}", {})[segment, offset] = None

    def told(self) -> list[str]:
        """A sentence for each sort. Told once."""
        sorts, self._places = self._places, {}
        sentences = []
        for sentence, places in list(sorts.items())[:_MOST_TOLD]:
            first, more = min(places)[1], len(places) - 1
            sentences.append(sentence.format(first) + (f"; so it is of {more:,} more in that file" if more else ""))
        if len(sorts) > _MOST_TOLD:
            sentences.append(f"the same holds for records in {len(sorts) - _MOST_TOLD:,} more places")
        return sentences
