from __future__ import annotations

import gzip
import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from replay.files import LineBlock, LineFile
from sengine.errors import DataError

PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def lines_of(file: LineFile) -> list[tuple[int, bytes | None]]:
    """Number and text of each line behind the header; None for a line that was too long."""
    lines: list[tuple[int, bytes | None]] = []
    for block in file.blocks():
        if block.too_long:
            assert (block.lines, block.text) == (1, b"")
            lines.append((block.first_line, None))
            continue
        assert block.text.endswith(b"\n")
        texts = block.text[:-1].split(b"\n")
        assert len(texts) == block.lines
        lines += enumerate(texts, block.first_line)
    file.close()
    return lines


def numbered(count: int) -> bytes:
    return b"".join(b"%d,%d\n" % (n, n * 7919 % 1009) for n in range(count))


@pytest.mark.parametrize("pack", PACK)
def test_all_lines_come_with_their_numbers(tmp_path: Path, pack: str) -> None:
    body = numbered(5_000)
    path = tmp_path / "name_says_nothing"
    path.write_bytes(PACK[pack](b"head\n" + body))
    file = LineFile(str(path), block_bytes=1_000)
    assert file.header == b"head"
    assert lines_of(file) == list(enumerate(body[:-1].split(b"\n"), 2))
    assert file.fraction_done() == 1.0


@settings(max_examples=150)
@given(
    st.lists(st.binary(max_size=60).map(lambda row: row.replace(b"\n", b"")), max_size=30),
    st.booleans(),
    st.integers(1, 64),
    st.sampled_from(sorted(PACK)),
)
def test_blocks_of_any_size_hold_every_line_and_only_long_ones_are_dropped(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes], ends: bool, block_bytes: int, pack: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "f"
    if not ends and (not rows or not rows[-1]):
        ends = True
    text = b"\n".join([b"head", *rows]) + (b"\n" if ends else b"")
    path.write_bytes(PACK[pack](text))
    file = LineFile(str(path), block_bytes=block_bytes, max_line_bytes=20)
    expected = [(number, row if len(row) <= 20 else None) for number, row in enumerate(rows, 2)]
    assert lines_of(file) == expected


def test_header_loses_bom_and_line_end(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"\xef\xbb\xbfa,b\r\n1,2\r\n")
    file = LineFile(str(path))
    assert file.header == b"a,b"
    assert lines_of(file) == [(2, b"1,2\r")]


def test_header_alone_gives_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"a,b")
    assert lines_of(LineFile(str(path))) == []


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_truncated_stream_gives_whole_lines_and_then_an_error(tmp_path: Path, pack: str) -> None:
    body = numbered(200_000)
    packed = PACK[pack](b"head\n" + body)
    path = tmp_path / f"f.{pack}"
    path.write_bytes(packed[: len(packed) // 2])
    file = LineFile(str(path))
    blocks: list[LineBlock] = []
    with pytest.raises(DataError, match="ends early") as caught:
        blocks.extend(file.blocks())
    file.close()
    text = b"".join(block.text for block in blocks)
    assert len(text) > len(body) // 10
    assert body.startswith(text)
    assert str(path) in str(caught.value)
    read = text.count(b"\n") + 1
    assert f"{read:,} lines" in str(caught.value)


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_corrupt_stream_is_an_error_after_the_lines_before_it(tmp_path: Path, pack: str) -> None:
    body = numbered(400_000)
    packed = bytearray(PACK[pack](b"head\n" + body))
    middle = len(packed) // 2
    packed[middle : middle + 300] = bytes(300)
    path = tmp_path / "f"
    path.write_bytes(packed)
    file = LineFile(str(path))
    blocks: list[LineBlock] = []
    with pytest.raises(DataError, match="damaged"):
        blocks.extend(file.blocks())
    file.close()
    assert sum(block.lines for block in blocks) > 10_000


def test_wrong_gzip_checksum_is_an_error_after_all_lines(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"head\n1,2\n"))
    packed[-8] ^= 1
    path = tmp_path / "f"
    path.write_bytes(packed)
    file = LineFile(str(path))
    blocks = file.blocks()
    assert next(blocks).text == b"1,2\n"
    with pytest.raises(DataError, match="damaged"):
        next(blocks)
    file.close()


@pytest.mark.parametrize("pack", ["gzip", "zstd"])
def test_joined_streams_and_padding_are_one_file(tmp_path: Path, pack: str) -> None:
    path = tmp_path / "f"
    padding = bytes(100) if pack == "gzip" else b"\x50\x2a\x4d\x18\x04\x00\x00\x00skip"
    path.write_bytes(PACK[pack](b"head\n1\n") + padding + PACK[pack](b"2\n") + padding)
    assert lines_of(LineFile(str(path))) == [(2, b"1"), (3, b"2")]


def test_zstd_file_may_begin_with_a_skippable_frame(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"\x53\x2a\x4d\x18\x04\x00\x00\x00skip" + PACK["zstd"](b"head\n1\n"))
    assert lines_of(LineFile(str(path))) == [(2, b"1")]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"\n\r\n  \n", "is empty"),
        (gzip.compress(b"", mtime=0), "is empty"),
        (gzip.compress(b"head\n", mtime=0)[:12], "ends early"),
        (b"\x1f\x8b", "ends early"),
        (b"\x1f\x8bnot gzip at all", "damaged"),
        (b"\x28\xb5\x2f\xfd", "ends early"),
        (b"PK\x03\x04rest", "holds zip data"),
        (b"x" * 3_000_000, "first line is longer than 1,048,576 bytes"),
    ],
)
def test_useless_file_is_refused_at_open(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "f"
    path.write_bytes(content)
    with pytest.raises(DataError, match=sentence) as caught:
        LineFile(str(path))
    assert str(path) in str(caught.value)


def test_missing_file_and_directory_are_refused_at_open(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        LineFile(str(tmp_path / "none"))
    with pytest.raises(DataError, match="is a directory"):
        LineFile(str(tmp_path))
    with pytest.raises(DataError, match="cannot be opened"):
        LineFile("a\0b")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused_at_open(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"head\n")
    path.chmod(0)
    with pytest.raises(DataError, match="permission"):
        LineFile(str(path))


def test_endless_line_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "f.zst"
    path.write_bytes(PACK["zstd"](b"head\n1\n" + b"x" * 100_000_000 + b"\n2\n"))
    tracemalloc.start()
    file = LineFile(str(path))
    assert lines_of(file) == [(2, b"1"), (3, None), (4, b"2")]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 70_000_000


def test_long_gzip_line_is_unpacked_in_small_pieces(tmp_path: Path) -> None:
    path = tmp_path / "f.gz"
    path.write_bytes(gzip.compress(b"head\n1\n" + b"x" * 50_000_000, compresslevel=1))
    tracemalloc.start()
    assert lines_of(LineFile(str(path))) == [(2, b"1"), (3, None)]
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 25_000_000


def test_fraction_done_grows_with_reading(tmp_path: Path) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(b"head\n" + numbered(50_000))
    file = LineFile(str(path), block_bytes=10_000)
    seen = []
    for _ in file.blocks():
        fraction = file.fraction_done()
        assert fraction is not None
        seen.append(fraction)
    file.close()
    assert seen == sorted(seen)
    assert seen[0] < 0.2
    assert seen[-1] == 1.0


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_read_like_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(b"head\n1\n2\n"),))
    writer.start()
    file = LineFile(str(path))
    assert file.fraction_done() is None
    assert lines_of(file) == [(2, b"1"), (3, b"2")]
    writer.join()
