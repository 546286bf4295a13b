from __future__ import annotations

import json
import math
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.adapters.nats.publisher import subject_token
from sengine.adapters.nats.wire import MAX_LEVELS, BadMessageError, Decoder
from sengine.adapters.nats.wire_encoding import encode_bar, encode_book, encode_fill, encode_trade
from sengine.config.schema import TopicsConfig
from sengine.domain.epoch_numbers import FROM_NS, PLAIN_FROM_NS, TICKS_FROM_NS
from sengine.domain.events import BarEvent, BookEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel
from sengine.domain.order import Fill
from sengine.engine.state.markets import book_fault
from sengine.proto import market_data_pb2 as pb

BOOK = "market_data.BTCUSDT.orderbook"
# Subjects that name no symbol, for messages that do.
BOOKS, TRADES, BARS = "books", "trades", "bars"
OPEN = TopicsConfig(market_data=BOOKS, trades=TRADES, bars=BARS)
NOW_NS = 1_704_153_600_123_456_789
PROTOBUF = {"Content-Type": "application/x-protobuf"}
REASONS = {
    "malformed_json",
    "wrong_type",
    "missing_field",
    "bad_timestamp",
    "bad_symbol",
    "bad_side",
    "too_large",
    "too_many_levels",
    "too_many_symbols",
    "bad_protobuf",
    "unknown_content_type",
    "wrong_subject",
}

numbers = st.floats(allow_nan=False, allow_infinity=False)
symbols = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=64).filter(
    str.isprintable
)
times_ns = st.integers(FROM_NS, TICKS_FROM_NS - 1) | st.integers(PLAIN_FROM_NS, 2**63 - 1)
sequences = st.integers(-1, 2**63 - 1)
levels = st.lists(st.builds(PriceLevel, numbers, numbers), max_size=8).map(tuple)
books = st.builds(BookEvent, symbols, times_ns, st.builds(OrderBook, levels, levels), sequences)
trades = st.builds(TradeEvent, symbols, times_ns, numbers, numbers, st.sampled_from(["buy", "sell"]), sequences)
bars = st.builds(BarEvent, symbols, times_ns, st.builds(OHLCV, numbers, numbers, numbers, numbers, numbers), sequences)
fills = st.builds(
    Fill,
    order_id=symbols,
    strategy_id=st.just(""),
    symbol=symbols,
    side=st.sampled_from(["buy", "sell"]),
    price=numbers,
    quantity=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    commission=numbers,
    timestamp_ns=times_ns,
    fill_id=symbols,
)


def book_message(**changes: object) -> bytes:
    message: dict[str, object] = {
        "symbol": "BTCUSDT",
        "timestamp": NOW_NS,
        "orderbook": {"bids": [[100.5, 1]], "asks": [[101, 2.5]]},
    }
    message.update(changes)
    return json.dumps({key: value for key, value in message.items() if value is not ...}).encode()


def reason_of(payload: bytes, subject: str = BOOK, headers: dict[str, str] | None = None) -> str:
    with pytest.raises(BadMessageError) as caught:
        Decoder().decode_book(subject, payload, headers)
    assert caught.value.detail
    return caught.value.reason


@given(books)
def test_a_book_survives_the_wire_exactly(event: BookEvent) -> None:
    decoded = Decoder(OPEN).decode_book(BOOKS, encode_book(event))
    assert isinstance(decoded, SoundBookEvent) == (book_fault(event.book) is None)
    assert msgspec.structs.astuple(decoded) == msgspec.structs.astuple(event)


def test_a_locked_book_is_a_sound_one() -> None:
    locked = book_message(orderbook={"bids": [[101, 1]], "asks": [[101, 2.5]]})
    assert isinstance(Decoder().decode_book(BOOK, locked), SoundBookEvent)


@given(trades)
def test_a_trade_survives_the_wire_exactly(event: TradeEvent) -> None:
    assert Decoder(OPEN).decode_trade(TRADES, encode_trade(event)) == event


@given(bars)
def test_a_bar_survives_the_wire_exactly(event: BarEvent) -> None:
    assert Decoder(OPEN).decode_bar(BARS, encode_bar(event)) == event


@given(fills)
def test_a_fill_survives_the_wire_exactly(fill: Fill) -> None:
    assert Decoder().decode_fill(encode_fill(fill)) == fill


@given(books, trades, bars)
def test_protobuf_says_the_same_as_json(book: BookEvent, trade: TradeEvent, bar: BarEvent) -> None:
    def optional(sequence: int) -> dict[str, int]:
        return {} if sequence == -1 else {"seq": sequence}

    def levels(side: tuple[PriceLevel, ...]) -> list[pb.PriceLevel]:
        return [pb.PriceLevel(price=level.price, quantity=level.quantity) for level in side]

    decoder = Decoder()
    message = pb.OrderBook(
        symbol=book.symbol,
        timestamp_ns=book.timestamp_ns,
        bids=levels(book.book.bids),
        asks=levels(book.book.asks),
        **optional(book.sequence),
    )
    assert decoder.decode_book(BOOKS, message.SerializeToString(), PROTOBUF) == book
    message = pb.Trade(
        symbol=trade.symbol,
        timestamp_ns=trade.timestamp_ns,
        price=trade.price,
        quantity=trade.quantity,
        side=trade.side,
        **optional(trade.sequence),
    )
    assert decoder.decode_trade(TRADES, message.SerializeToString(), PROTOBUF) == trade
    values = {name: getattr(bar.bar, name) for name in ("open", "high", "low", "close", "volume")}
    message = pb.Bar(symbol=bar.symbol, timestamp_ns=bar.timestamp_ns, **values, **optional(bar.sequence))
    assert decoder.decode_bar(BARS, message.SerializeToString(), PROTOBUF) == bar


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["bids", "asks", "price", "quantity", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
fields = ["symbol", "timestamp", "orderbook", "seq", "price", "quantity", "side", "fill_id", "order_id", "open"]
any_json = st.dictionaries(st.sampled_from(fields), json_values, max_size=7).map(
    lambda value: json.dumps(value).encode()
)
near_misses = st.dictionaries(
    st.sampled_from(["symbol", "timestamp", "orderbook", "seq"]), json_values, max_size=2
).map(lambda changes: book_message(**changes))
any_headers = st.none() | st.dictionaries(
    st.just("Content-Type"), st.sampled_from(["application/x-protobuf", "application/json", "text/plain"]) | st.text()
)


@settings(max_examples=300)
@given(st.binary(max_size=200) | any_json | near_misses, any_headers, st.text(max_size=20))
def test_no_bytes_raise_anything_but_a_bad_message(
    payload: bytes, headers: dict[str, str] | None, subject: str
) -> None:
    decoder = Decoder()
    reasons = set()
    for decode in (decoder.decode_book, decoder.decode_trade, decoder.decode_bar):
        try:
            event = decode(subject, payload, headers)
        except BadMessageError as error:
            reasons.add(error.reason)
        else:
            assert 0 < len(event.symbol) <= 64
    try:
        decoder.decode_fill(payload)
    except BadMessageError as error:
        reasons.add(error.reason)
    assert reasons <= REASONS


def test_levels_are_pairs_objects_or_both() -> None:
    bids = [[100.5, 1], {"price": 100, "quantity": 2, "orders": 3}]
    event = Decoder().decode_book(BOOK, book_message(orderbook={"bids": bids, "asks": [{"price": 101, "quantity": 4}]}))

    assert event.book == OrderBook((PriceLevel(100.5, 1.0), PriceLevel(100.0, 2.0)), (PriceLevel(101.0, 4.0),))


@pytest.mark.parametrize(
    "timestamp",
    [NOW_NS, str(NOW_NS), "2024-01-02T00:00:00.123456789Z", "2024-01-02T01:00:00.123456789+01:00"],
)
def test_timestamps_are_numbers_or_text(timestamp: object) -> None:
    assert Decoder().decode_book(BOOK, book_message(timestamp=timestamp)).timestamp_ns == NOW_NS


def test_the_unit_of_an_epoch_number_is_told_from_its_size() -> None:
    assert (
        Decoder().decode_book(BOOK, book_message(timestamp=1_704_153_600.5)).timestamp_ns == 1_704_153_600_500_000_000
    )


@pytest.mark.parametrize(
    "timestamp", [20240102, "20240102", 202401020930, 20240102093000, 45293.4, 34_200_000, 638_397_846_000_000_000]
)
def test_a_date_as_a_number_is_refused_with_what_it_would_have_become(timestamp: float) -> None:
    with pytest.raises(BadMessageError, match=r"expected a timestamp, got .*(it would be 19|it is no epoch number)"):
        Decoder().decode_book(BOOK, book_message(timestamp=timestamp))


@pytest.mark.parametrize("timestamp_ns", [20240102, 20240102093000, 638_397_846_000_000_000])
def test_nanoseconds_of_protobuf_that_are_none_are_refused(timestamp_ns: int) -> None:
    message = pb.OrderBook(symbol="BTC", timestamp_ns=timestamp_ns).SerializeToString()
    with pytest.raises(BadMessageError, match=r"expected nanoseconds since 1970, got .* which would be 19"):
        Decoder(OPEN).decode_book(BOOKS, message, PROTOBUF)


@pytest.mark.parametrize("time_ns", [10 * 10**9, 5_000 * 10**9, 20_240_102 * 10**9, 638_397_846_000_000_000])
def test_an_early_time_is_published_so_that_it_is_read_as_what_it_was(time_ns: int) -> None:
    event = TradeEvent("A", time_ns, 1.0, 1.0, "buy")
    assert Decoder(OPEN).decode_trade(TRADES, encode_trade(event)).timestamp_ns == time_ns


def test_a_missing_symbol_is_taken_from_the_subject() -> None:
    decoder = Decoder(TopicsConfig(market_data="md.v1.*.books"))

    assert decoder.decode_book("md.v1.ETHUSDT.books", book_message(symbol=...)).symbol == "ETHUSDT"
    assert decoder.decode_book("md.v1.BTCUSDT.books", book_message()).symbol == "BTCUSDT"


def test_the_receive_time_is_part_of_the_event() -> None:
    assert Decoder().decode_book(BOOK, book_message(), None, 17).received_ns == 17


def test_a_deeply_nested_message_is_malformed_and_does_not_exhaust_the_stack() -> None:
    deep = b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    assert reason_of(deep) == "malformed_json"


def test_each_mistake_has_its_reason() -> None:
    assert reason_of(b"") == "malformed_json"
    assert reason_of(b"\xff\xfe\x00") == "malformed_json"
    assert reason_of(book_message()[:-1]) == "malformed_json"
    assert reason_of(b"[]") == "wrong_type"
    assert reason_of(book_message(orderbook={"bids": [["100", 1]], "asks": []})) == "wrong_type"
    assert reason_of(book_message(orderbook={"bids": [[100, 1, 1]], "asks": []})) == "wrong_type"
    assert reason_of(book_message(seq=2**64)) == "wrong_type"
    assert reason_of(book_message(timestamp=...)) == "missing_field"
    assert reason_of(book_message(orderbook={"bids": []})) == "missing_field"
    assert reason_of(book_message(symbol=...), subject="books") == "missing_field"
    assert reason_of(book_message(timestamp="yesterday")) == "bad_timestamp"
    assert reason_of(book_message(timestamp=1e300)) == "bad_timestamp"
    for before_1970 in (-1_723_161_255_088_169_167, 0, -0.5, "1969-07-20T20:17:00Z"):
        assert reason_of(book_message(timestamp=before_1970)) == "bad_timestamp"
    with pytest.raises(BadMessageError, match="expected a time after 1970, got -7"):
        Decoder(OPEN).decode_book(BOOKS, pb.OrderBook(symbol="BTC", timestamp_ns=-7).SerializeToString(), PROTOBUF)
    assert reason_of(book_message(symbol="A" * 65)) == "bad_symbol"
    assert reason_of(book_message(symbol="BTC\x1b[2J")) == "bad_symbol"
    assert reason_of(book_message(padding="x" * 300_000)) == "too_large"
    assert reason_of(book_message(orderbook={"bids": [[1, 1]] * (MAX_LEVELS + 1), "asks": []})) == "too_many_levels"
    assert reason_of(b"\xff\xff\xff", headers=PROTOBUF) == "bad_protobuf"
    assert reason_of(pb.OrderBook(symbol="BTCUSDT").SerializeToString(), headers=PROTOBUF) == "missing_field"
    assert reason_of(book_message(), headers={"Content-Type": "application/avro"}) == "unknown_content_type"


def test_made_up_symbols_are_refused_once_there_are_too_many() -> None:
    decoder = Decoder(max_symbols=2)

    def decoded(symbol: str) -> str:
        return decoder.decode_book(f"market_data.{symbol}.orderbook", book_message(symbol=symbol)).symbol

    for symbol in ("A", "B", "A", "B"):
        decoded(symbol)
    with pytest.raises(BadMessageError, match="too_many_symbols"):
        decoded("C")
    assert decoded("A") == "A"


def test_a_symbol_that_is_reserved_has_its_place_however_many_were_made_up() -> None:
    decoder = Decoder(max_symbols=2, is_reserved={"MINE"}.__contains__)
    for symbol in ("A", "B"):
        decoder.decode_book(f"market_data.{symbol}.orderbook", book_message(symbol=symbol))
    assert decoder.decode_book("market_data.MINE.orderbook", book_message(symbol="MINE")).symbol == "MINE"
    trade = {"timestamp": NOW_NS, "price": 1, "quantity": 1, "side": "buy"}
    assert decoder.decode_trade("market_data.MINE.trades", json.dumps(trade).encode()).symbol == "MINE"


@pytest.mark.parametrize(
    ("token", "symbol", "is_taken"),
    [
        ("BTCUSDT", "BTCUSDT", True),
        ("BTCUSDT", "BTC/USDT", True),
        ("btcusdt", "BTCUSDT", True),
        ("BRK%2EB", "BRK.B", True),
        (subject_token("a b*c"), "a b*c", True),
        ("BTCUSDT", "ETHUSDT", False),
        ("BTCUSDT", "BTCUSDC", False),
        ("+", "-", False),
    ],
)
@pytest.mark.parametrize("goes_first", [True, False])
def test_a_message_on_one_symbols_subject_that_names_another_is_refused(
    token: str, symbol: str, *, is_taken: bool, goes_first: bool
) -> None:
    decoder = Decoder()
    trade = {"symbol": symbol, "timestamp": NOW_NS, "price": 1, "quantity": 1, "side": "buy"}
    bar = {"symbol": symbol, "timestamp": NOW_NS, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
    book = pb.OrderBook(symbol=symbol, timestamp_ns=NOW_NS).SerializeToString()
    if goes_first:  # the subject has named what it names before
        decoder.decode_book(f"market_data.{token}.orderbook", book_message(symbol=unquote(token)))
    for decode in (
        lambda: decoder.decode_book(f"market_data.{token}.orderbook", book_message(symbol=symbol)),
        lambda: decoder.decode_book(f"market_data.{token}.orderbook", book, PROTOBUF),
        lambda: decoder.decode_trade(f"market_data.{token}.trades", json.dumps(trade).encode()),
        lambda: decoder.decode_bar(f"market_data.{token}.bars", json.dumps(bar).encode()),
    ):
        if is_taken:
            assert decode().symbol == symbol
        else:
            with pytest.raises(BadMessageError, match="wrong_subject"):
                decode()


def test_a_trade_of_no_known_side_is_refused() -> None:
    trade = {"symbol": "A", "timestamp": NOW_NS, "price": 1, "quantity": 1, "side": "none"}
    with pytest.raises(BadMessageError, match="bad_side"):
        Decoder(OPEN).decode_trade(TRADES, json.dumps(trade).encode())
    trade["side"] = "SELL"
    assert Decoder(OPEN).decode_trade(TRADES, json.dumps(trade).encode()).side == "sell"


@pytest.mark.parametrize(
    "change", [{"quantity": 0}, {"quantity": -1}, {"side": "BUY"}, {"fill_id": ""}, {"order_id": 7}]
)
def test_a_fill_that_could_harm_the_books_is_refused(change: dict[str, object]) -> None:
    good = json.loads(encode_fill(Fill("o", "", "A", "buy", 1.0, 2.0, 0.0, NOW_NS, "f")))

    with pytest.raises(BadMessageError, match="wrong_type"):
        Decoder().decode_fill(json.dumps({**good, **change}).encode())


def test_a_number_that_json_cannot_hold_is_refused_by_the_reader() -> None:
    event = TradeEvent("A", NOW_NS, math.nan, 1.0, "buy")

    with pytest.raises(BadMessageError, match="wrong_type"):
        Decoder(OPEN).decode_trade(TRADES, encode_trade(event))
