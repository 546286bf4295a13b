"""The short cut hands over exactly what nats-py's own parser would, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from nats.protocol.parser import Parser

from sengine.adapters.nats.parser import ShortcutParser


class RecordingClient:
    """What a parser calls of its client."""

    def __init__(self) -> None:
        self.got: list[tuple[object, ...]] = []

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes | None) -> None:
        self.got.append((bytes(subject), bytes(data), bytes(headers) if headers else None))

    async def _process_ping(self) -> None:
        self.got.append(("ping",))

    async def _process_pong(self) -> None:
        self.got.append(("pong",))


def message(subject: str, sid: int, payload: bytes) -> bytes:
    return b"MSG %b %d %d\r\n%b\r\n" % (subject.encode(), sid, len(payload), payload)


payloads = st.binary(max_size=40) | st.sampled_from([b"", b"MSG a 1 3\r\nabc\r\n", b"PING\r\n", b"\r\n", b"x" * 70_000])
lines = st.one_of(
    st.builds(message, st.sampled_from(["a", "market_data.BTC.orderbook"]), st.integers(1, 3), payloads),
    st.builds(lambda payload: b"MSG a 1 reply %d\r\n%b\r\n" % (len(payload), payload), payloads),
    st.builds(
        lambda payload: b"HMSG a 1 12 %d\r\nNATS/1.0\r\n\r\n%b\r\n" % (12 + len(payload), payload),
        st.binary(max_size=9),
    ),
    st.sampled_from([b"PING\r\n", b"PONG\r\n"]),
)


@given(
    st.lists(lines, max_size=12),
    st.lists(st.integers(1, 60_000), max_size=8),
    st.lists(st.integers(1, 30), max_size=40),
)
async def test_any_cut_of_any_stream_gives_what_nats_py_gives(
    sent: list[bytes], large_cuts: list[int], small_cuts: list[int]
) -> None:
    stream = b"".join(sent)
    plain, short = RecordingClient(), RecordingClient()

    def listener(subject: bytes, payload: bytes, headers: bytes | None) -> None:
        short.got.append((subject, payload, headers))

    parsers = [Parser(plain), ShortcutParser(short, {1: listener, 2: listener})]
    position = 0
    for cut in [*small_cuts, *large_cuts, len(stream)]:
        for parser in parsers:
            await parser.parse(stream[position : position + cut])
        position += cut
    assert short.got == plain.got
    assert len(plain.got) == len(sent)
