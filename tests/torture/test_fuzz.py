"""What comes from outside, damaged in every way: the documented error or a sound value, soon, and never a crash.

Some inputs each in every run of the tests, FUZZ_INPUTS of them (100,000) by `make torture`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from math import isfinite
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replay.csv_feed import CsvFeed
from replay.rows import RejectedRow
from sengine.adapters.nats.wire import BadMessageError, Decoder
from sengine.adapters.nats.wire_encoding import encode_bar, encode_book, encode_fill, encode_trade
from sengine.config import load_config
from sengine.domain.events import BarEvent, BookEvent, TradeEvent
from sengine.domain.market import OHLCV
from sengine.domain.order import Fill
from sengine.engine.state.orders import fill_fault
from sengine.errors import ConfigError, DataError
from sengine.proto import market_data_pb2 as pb
from sengine.resources import resource_path
from tests.engine.conftest import Actor, engine_with, ladder

INPUTS = int(os.environ.get("FUZZ_INPUTS", "150"))
NOW_NS = 1_723_161_255_088_169_167
PROTOBUF = {"Content-Type": "application/x-protobuf"}
fuzzed = settings(
    max_examples=INPUTS,
    # A hang, also on a machine that does other things.
    deadline=60_000,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
BOOK = BookEvent("BTCUSDT", NOW_NS, ladder([(99.0, 1.5), (98.5, 2.0)], [(101.0, 1.0), (101.5, 3.0)]), 7)
TRADE = TradeEvent("BTCUSDT", NOW_NS, 100.25, 0.5, "buy", 8)
BAR = BarEvent("BTCUSDT", NOW_NS, OHLCV(100.0, 102.0, 99.0, 101.0, 12.5), 9)
FILL = Fill("k-1", "", "BTCUSDT", "sell", 100.5, 0.25, 0.01, NOW_NS, "f-1")


def protobuf_book() -> bytes:
    level = pb.PriceLevel
    message = pb.OrderBook(symbol="BTCUSDT", bids=[level(price=99.0, quantity=1.0)], asks=[level(price=101.0)])
    return message.SerializeToString()


@st.composite
def damaged(draw: st.DrawFn, sound: bytes, pieces: tuple[bytes, ...] = ()) -> bytes:
    """Sound bytes with some of them changed, cut out, doubled or replaced by something that is often wrong."""
    content = bytearray(sound)
    odd = st.sampled_from((b"", b"NaN", b"-1", b"1e400", b"null", b"{}", b'"', b"\x00", b"\xff", b"9" * 30, *pieces))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(content)))
        to = min(len(content), at + draw(st.sampled_from([0, 1, 1, 2, 8, 40])))
        content[at:to] = draw(odd | st.binary(max_size=6) | st.just(bytes(content[at:to]) * 2))
    return bytes(content)


def taken(decode: Callable[[], Any]) -> Any:
    """The event, or ``None`` for a message that was refused as documented."""
    with suppress(BadMessageError):
        return decode()
    return None


@fuzzed
@given(
    st.one_of(
        *[damaged(encode(event)) for encode, event in ((encode_book, BOOK), (encode_trade, TRADE), (encode_bar, BAR))]
    )
    | damaged(protobuf_book())
    | st.binary(max_size=120),
    st.sampled_from([None, None, PROTOBUF]),
)
def test_what_a_damaged_message_becomes_is_what_it_says_and_the_engine_bears_it(
    payload: bytes, headers: dict[str, str] | None
) -> None:
    decoder = Decoder()
    for decode in (decoder.decode_book, decoder.decode_trade, decoder.decode_bar):
        event = taken(lambda decode=decode: decode("market_data.BTCUSDT.x", payload, headers))
        if event is None:
            continue
        assert 0 < event.timestamp_ns < 2**63
        if headers is None:
            # A key that nobody reads may hold anything.
            said = json.loads(payload.decode("utf-8", "replace"))
            assert event.symbol == (said.get("symbol") or "BTCUSDT")
        else:
            with suppress(DecodeError):
                pb.OrderBook.FromString(payload)
        engine = engine_with(Actor("a", symbols=(event.symbol,)))
        outcome = engine.process(event)
        market = engine.markets.get(event.symbol)
        # Nothing that is no price gets as far as the market.
        assert outcome.rejected or market is not None
        assert market is None or (isfinite(market.mid) and market.mid >= 0.0)


@fuzzed
@given(damaged(encode_fill(FILL)) | st.binary(max_size=120))
def test_what_a_damaged_fill_becomes_is_booked_only_where_it_can_be_true(payload: bytes) -> None:
    fill = taken(lambda: Decoder().decode_fill(payload))
    if fill is None:
        return
    assert fill.order_id == json.loads(payload.decode("utf-8", "replace"))["order_id"]
    engine = engine_with(Actor("a"))
    assert engine.process(fill).fills == [], "it is nobody's"
    fault = fill_fault(fill)
    assert fault is not None or (isfinite(fill.price) and fill.price > 0.0 and fill.quantity > 0.0)


QUOTES = b"timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n" + b"".join(
    b"%d,BTCUSDT,%d.5,1.5,%d.5,2\n" % (NOW_NS + number, 100 + number % 3, 101 + number % 3) for number in range(8)
)


@fuzzed
@given(damaged(QUOTES, (b",", b"\n", b"\r\n", b'"', b",,,", b"inf", b"BTCUSDT")) | st.binary(max_size=200))
def test_every_line_of_a_damaged_file_is_an_event_a_rejected_row_or_no_file_at_all(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "f.csv"
    path.write_bytes(content)
    rejected: list[RejectedRow] = []
    try:
        events = list(CsvFeed(path, rejected.append))
    except DataError as error:
        no_file = str(error)
    else:
        no_file = ""
    if no_file:
        assert str(path) in no_file
        return
    assert len(events) + len(rejected) <= content.count(b"\n") + content.count(b"\r") + 1
    engine = engine_with(Actor("a"))
    for event in events:
        assert engine.process(event).rejected or isfinite(engine.markets[event.symbol].mid)
    assert all(row.reason and row.line > 1 for row in rejected)


SENGINE = resource_path("configs", "sengine.yaml").read_bytes()
WORDS = (
    b": ",
    b"\n",
    b"  - ",
    b"type: ",
    b"[",
    b"{",
    b"&a ",
    b"*a",
    b"!!python/object:os.system",
    b"${X}",
    b"0x10",
    b"5s",
)


@fuzzed
@given(damaged(SENGINE, WORDS) | st.binary(max_size=200))
def test_a_damaged_configuration_is_a_configuration_or_a_list_of_mistakes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(content)
    try:
        config = load_config(path, environment={})
    except ConfigError as error:
        mistakes = error.mistakes
    else:
        mistakes = ()
    if mistakes:
        assert all(str(path) in mistake and mistake.isprintable() for mistake in mistakes)
        return
    # What was taken is within what the schema allows.
    assert len({strategy.id for strategy in config.strategies}) == len(config.strategies)
    assert all(isfinite(value) for value in (config.account.initial_capital, config.execution.latency_ms))
