"""The content of a gzip, zstd or plain file in pieces of bounded size; the kind is told from the first bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import partial
from io import BufferedReader
from typing import Final

import zstandard

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_ZSTD_SKIPPABLE: Final = b"\x2a\x4d\x18"  # after a byte 0x50 to 0x5f; parallel zstd writes such a frame first
_FOREIGN: Final = {b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ\x00": "xz", b"PAR1": "Parquet"}

_GZIP_PIECE_BYTES: Final = 64 << 10
# zstd takes no bound on what one call gives back, and in zstd 1 byte can stand for 32 KB: small pieces bound it.
_ZSTD_PIECE_BYTES: Final = 512


class DamageError(Exception):
    """The compressed stream ends early or is corrupt. The message is half a sentence about it."""


def foreign_format(file: BufferedReader) -> str:
    """The name of a packed format that is known but not read here, else nothing. Consumes nothing."""
    start = file.peek(8)
    return next((name for magic, name in _FOREIGN.items() if start.startswith(magic)), "")


def decompressed(file: BufferedReader, piece_bytes: int, on_pending: Callable[[int], None]) -> Iterator[bytes]:
    """The content from here to the end, in pieces of about ``piece_bytes`` or smaller.

    ``on_pending`` is told before each piece how many of the bytes read from ``file`` are not in it or an earlier one.
    Raises ``DamageError`` after all that stands before the damage.
    """
    start = file.peek(4)
    if start.startswith(_GZIP):
        return _gunzip(file, piece_bytes, on_pending)
    if start.startswith(_ZSTD) or (start[1:4] == _ZSTD_SKIPPABLE and start[0] & 0xF0 == 0x50):
        return _unzstd(file)
    return iter(partial(file.read, piece_bytes), b"")


def _gunzip(file: BufferedReader, piece_bytes: int, on_pending: Callable[[int], None]) -> Iterator[bytes]:
    """All members of a gzip file, at most ``piece_bytes`` at a time."""
    member = zlib.decompressobj(wbits=31)
    fresh = True
    while packed := file.read(_GZIP_PIECE_BYTES):
        while packed:
            if fresh and not (packed := packed.lstrip(b"\0")):
                break  # zero padding behind a member is allowed
            before = member.copy()
            try:
                piece = member.decompress(packed, piece_bytes)
            except zlib.error as error:
                yield from _sound_part(before, packed)
                raise DamageError(f"the gzip data is damaged ({error})") from None
            fresh = member.eof
            packed = member.unused_data if fresh else member.unconsumed_tail
            on_pending(len(packed))
            yield piece
            if fresh:
                member = zlib.decompressobj(wbits=31)
    if not fresh:
        yield member.flush()
        raise DamageError("the gzip data ends early, as after an interrupted download")


def _sound_part(member: zlib._Decompress, packed: bytes) -> Iterator[bytes]:
    """What ``packed`` holds before the byte at which it turns out to be damaged."""
    try:
        for at in range(len(packed)):
            yield member.decompress(packed[at : at + 1])
    except zlib.error:
        return


def _unzstd(file: BufferedReader) -> Iterator[bytes]:
    """All frames of a zstd file."""
    frame = zstandard.ZstdDecompressor().decompressobj()
    fresh = True
    while packed := file.read(_ZSTD_PIECE_BYTES):
        while packed:
            try:
                yield frame.decompress(packed)
            except zstandard.ZstdError as error:
                raise DamageError(f"the zstd data is damaged ({error})") from None
            fresh = frame.eof
            packed = frame.unused_data if fresh else b""
            if fresh:
                frame = zstandard.ZstdDecompressor().decompressobj()
    if not fresh:
        raise DamageError("the zstd data ends early, as after an interrupted download")
