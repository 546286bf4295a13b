"""Bytes on NATS to events. Decoding is typed and validating; whatever the bytes are, it gives an event or
raises ``BadMessageError`` with a stable reason code.

JSON: ``{"symbol", "timestamp", "orderbook": {"bids": [...], "asks": [...]}, "seq"}`` with levels as ``[price,
quantity]`` or ``{"price", "quantity"}``; trades and bars have their fields at the top. ``symbol`` may be left out where
the subject names it, ``seq`` always. Protobuf (``market_data.proto``) when the ``Content-Type`` header says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, NoReturn
from urllib.parse import unquote

import msgspec
from google.protobuf.message import DecodeError as ProtobufError
from msgspec import Meta

from sengine.clock import format_timestamp
from sengine.config.schema import TopicsConfig
from sengine.domain.epoch_numbers import PLAIN_FROM_NS, is_doubtful_ns, market_time_ns
from sengine.domain.events import BarEvent, BookEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel
from sengine.domain.order import Fill
from sengine.engine.state.markets import book_fault
from sengine.proto import market_data_pb2 as pb

MAX_SYMBOL_CHARS: Final = 64
MAX_LEVELS: Final = 1000
MAX_SYMBOLS: Final = 10_000
PROTOBUF: Final = "application/x-protobuf"

_JSON: Final = ("", "application/json", "text/json")
_PROTOBUF: Final = (PROTOBUF, "application/protobuf")
_MAX_INT64: Final = 2**63 - 1
_SUBJECTS_A_SYMBOL: Final = 8
_JSON_FAULTS: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
_SIDES: Final = {"buy": "buy", "sell": "sell", "BUY": "buy", "SELL": "sell", "Buy": "buy", "Sell": "sell"}

Level = tuple[float, float] | PriceLevel
Sequence64 = Annotated[int, Meta(ge=-_MAX_INT64, le=_MAX_INT64)]
Id = Annotated[str, Meta(min_length=1, max_length=128)]


class BadMessageError(ValueError):
    """A message cannot be an event. ``reason`` is one of a fixed set of codes, ``detail`` is for a person."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(f"{reason}: {detail}")


class _Sides(msgspec.Struct, gc=False):
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class _BookMessage(msgspec.Struct, gc=False):
    timestamp: int | float | str
    orderbook: _Sides
    symbol: str = ""
    seq: Sequence64 = -1


class _TradeMessage(msgspec.Struct, gc=False):
    timestamp: int | float | str
    price: float
    quantity: float
    side: str
    symbol: str = ""
    seq: Sequence64 = -1


class _BarMessage(msgspec.Struct, gc=False):
    timestamp: int | float | str
    open: float
    high: float
    low: float
    close: float
    volume: float
    symbol: str = ""
    seq: Sequence64 = -1


class _FillMessage(msgspec.Struct, gc=False):
    fill_id: Id
    order_id: Id
    symbol: Id
    side: Literal["buy", "sell"]
    price: float
    quantity: Annotated[float, Meta(gt=0)]
    timestamp: int | float | str
    commission: float = 0.0


class Decoder:
    """Decodes the messages of one connection.

    It remembers the symbols it has seen, at most ``max_symbols``: made-up ones beyond that are refused (``too_many_
    symbols``), so that they cannot fill the memory. One that ``is_reserved`` always has its place. ``topics`` say which
    part of a subject is the symbol; a message that names another is refused (``wrong_subject``).
    """

    def __init__(
        self,
        topics: TopicsConfig | None = None,
        max_bytes: int = 262_144,
        max_symbols: int = MAX_SYMBOLS,
        is_reserved: Callable[[str], bool] = lambda symbol: False,
    ) -> None:
        topics = topics or TopicsConfig()
        self._max_bytes = max_bytes
        self._max_symbols = max_symbols
        self._is_reserved = is_reserved
        self._symbols: dict[str, str] = {}
        self._named: dict[str, str] = {}
        """The symbol of each subject seen whose message named it."""
        self._book_place = _symbol_place(topics.market_data)
        self._trade_place = _symbol_place(topics.trades)
        self._bar_place = _symbol_place(topics.bars)
        self._book = msgspec.json.Decoder(_BookMessage).decode
        self._trade = msgspec.json.Decoder(_TradeMessage).decode
        self._bar = msgspec.json.Decoder(_BarMessage).decode
        self._fill = msgspec.json.Decoder(_FillMessage).decode

    def decode_book(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str] | None = None,
        received_ns: int = 0,
        late_ns: int = 0,
    ) -> BookEvent:
        """An order book. Raises ``BadMessageError``."""
        if len(payload) > self._max_bytes:
            self._refuse_size(payload)
        if headers and _is_protobuf(headers):
            return self._protobuf_book(subject, payload, received_ns, late_ns)
        try:
            message = self._book(payload)
        except _JSON_FAULTS as error:
            _refuse_json(error)
        sides, time_ns = message.orderbook, message.timestamp
        book = OrderBook(_levels(sides.bids), _levels(sides.asks))
        kind = SoundBookEvent if book_fault(book) is None else BookEvent
        symbol = self._named.get(subject)
        if symbol is None or symbol != message.symbol:
            symbol = self._symbol_on(subject, message.symbol, self._book_place)
        return kind(
            symbol,
            time_ns if type(time_ns) is int and PLAIN_FROM_NS <= time_ns <= _MAX_INT64 else _moment_ns(time_ns),
            book,
            message.seq,
            received_ns,
            late_ns,
        )

    def decode_trade(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str] | None = None,
        received_ns: int = 0,
        late_ns: int = 0,
    ) -> TradeEvent:
        """A trade. Raises ``BadMessageError``."""
        if len(payload) > self._max_bytes:
            self._refuse_size(payload)
        message: Any
        if headers and _is_protobuf(headers):
            message = _parsed(pb.Trade(), payload)
            time_ns, sequence = _protobuf_time_ns(message), _protobuf_sequence(message)
        else:
            try:
                message = self._trade(payload)
            except _JSON_FAULTS as error:
                _refuse_json(error)
            time_ns, sequence = _moment_ns(message.timestamp), message.seq
        side = _SIDES.get(message.side)
        if side is None:
            raise BadMessageError("bad_side", f"side: expected buy or sell, got {_shown(message.side)}")
        symbol = self._symbol(message.symbol, subject, self._trade_place)
        return TradeEvent(symbol, time_ns, message.price, message.quantity, side, sequence, received_ns, late_ns)

    def decode_bar(
        self,
        subject: str,
        payload: bytes,
        headers: Mapping[str, str] | None = None,
        received_ns: int = 0,
        late_ns: int = 0,
    ) -> BarEvent:
        """A finished bar. Raises ``BadMessageError``."""
        if len(payload) > self._max_bytes:
            self._refuse_size(payload)
        message: Any
        if headers and _is_protobuf(headers):
            message = _parsed(pb.Bar(), payload)
            time_ns, sequence = _protobuf_time_ns(message), _protobuf_sequence(message)
        else:
            try:
                message = self._bar(payload)
            except _JSON_FAULTS as error:
                _refuse_json(error)
            time_ns, sequence = _moment_ns(message.timestamp), message.seq
        symbol = self._symbol(message.symbol, subject, self._bar_place)
        bar = OHLCV(message.open, message.high, message.low, message.close, message.volume)
        return BarEvent(symbol, time_ns, bar, sequence, received_ns, late_ns)

    def decode_fill(self, payload: bytes) -> Fill:
        """A whole fill of one of the engine's orders, JSON only. Raises ``BadMessageError``."""
        if len(payload) > self._max_bytes:
            self._refuse_size(payload)
        try:
            message = self._fill(payload)
        except _JSON_FAULTS as error:
            _refuse_json(error)
        return Fill(
            order_id=message.order_id,
            strategy_id="",
            symbol=message.symbol,
            side=message.side,
            price=message.price,
            quantity=message.quantity,
            commission=message.commission,
            timestamp_ns=_time_ns(message.timestamp),
            fill_id=message.fill_id,
        )

    def _protobuf_book(self, subject: str, payload: bytes, received_ns: int, late_ns: int) -> BookEvent:
        message = _parsed(pb.OrderBook(), payload)
        if len(message.bids) > MAX_LEVELS or len(message.asks) > MAX_LEVELS:
            _refuse_levels(max(len(message.bids), len(message.asks)))
        return BookEvent(
            self._symbol(message.symbol, subject, self._book_place),
            _protobuf_time_ns(message),
            OrderBook(
                tuple([PriceLevel(level.price, level.quantity) for level in message.bids]),
                tuple([PriceLevel(level.price, level.quantity) for level in message.asks]),
            ),
            _protobuf_sequence(message),
            received_ns,
            late_ns,
        )

    def _symbol(self, symbol: str, subject: str, place: int) -> str:
        named = self._named.get(subject)
        return named if named is not None and named == symbol else self._symbol_on(subject, symbol, place)

    def symbol_of(self, subject: str, kind: int) -> str:
        """What a subject names, for a message of the kind (0 book, 1 trade, 2 bar); empty where it names nothing."""
        return unquote(_part(subject, (self._book_place, self._trade_place, self._bar_place)[kind]))

    def _symbol_on(self, subject: str, symbol: str, place: int) -> str:
        """The symbol of a message whose subject did not name it yet; one that the message leaves out is the
        subject's."""
        part = _part(subject, place)
        if not symbol:
            if not part:
                raise BadMessageError("missing_field", "symbol: neither the message nor its subject names one")
            symbol = part
        _check_symbol(symbol)
        if part and not _is_same(part, symbol):
            raise BadMessageError(
                "wrong_subject", f"symbol: expected {_shown(part)}, which the subject names, got {_shown(symbol)}"
            )
        symbol = self._symbols.get(symbol) or self._new_symbol(symbol)
        if part:
            if len(self._named) >= _SUBJECTS_A_SYMBOL * self._max_symbols:
                self._named.clear()
            self._named[subject] = symbol
        return symbol

    def _new_symbol(self, symbol: str) -> str:
        """Find a symbol that was not seen before its place."""
        if len(self._symbols) >= self._max_symbols and not self._is_reserved(symbol):
            raise BadMessageError(
                "too_many_symbols", f"symbol: {_shown(symbol)} would be one more than {self._max_symbols} symbols"
            )
        self._symbols[symbol] = symbol
        return symbol

    def _refuse_size(self, payload: bytes) -> NoReturn:
        raise BadMessageError("too_large", f"expected at most {self._max_bytes} bytes, got {len(payload)}")


def _symbol_place(pattern: str) -> int:
    """Which dot-separated part of a subject is the symbol; -1 where none is."""
    parts = pattern.split(".")
    return parts.index("*") if "*" in parts else -1


def _check_symbol(symbol: str) -> None:
    if not 0 < len(symbol) <= MAX_SYMBOL_CHARS or not symbol.isprintable() or symbol.isspace():
        raise BadMessageError(
            "bad_symbol", f"symbol: expected 1 to {MAX_SYMBOL_CHARS} printable characters, got {_shown(symbol)}"
        )


def _part(subject: str, place: int) -> str:
    """The part of a subject that is the symbol; empty where none is."""
    parts = subject.split(".", place + 1) if place >= 0 else ()
    return parts[place] if len(parts) > place >= 0 else ""


def _is_same(part: str, symbol: str) -> bool:
    """Whether a part of a subject is this symbol: as it is, with what subjects cannot hold encoded (``BRK%2EB``), or
    with the same letters and digits (``btcusdt`` for ``BTC/USDT``)."""
    if part == symbol or unquote(part) == symbol:
        return True
    plain, other = ("".join(filter(str.isalnum, each)).casefold() for each in (unquote(part), symbol))
    return plain == other != ""


def _levels(levels: tuple[Level, ...]) -> tuple[PriceLevel, ...]:
    if len(levels) > MAX_LEVELS:
        _refuse_levels(len(levels))
    try:
        return tuple([PriceLevel(price, quantity) for price, quantity in levels])  # type: ignore[misc]
    except TypeError:  # not pairs, or not all of them
        return tuple([level if isinstance(level, PriceLevel) else PriceLevel(*level) for level in levels])


def _time_ns(timestamp: int | float | str) -> int:
    if type(timestamp) is int and PLAIN_FROM_NS <= timestamp <= _MAX_INT64:
        return timestamp
    try:
        return market_time_ns(timestamp)
    except (ValueError, ArithmeticError) as error:
        raise BadMessageError("bad_timestamp", f"timestamp: {error}"[:300]) from None


def _moment_ns(timestamp: int | float | str) -> int:
    """Of market data, which is of now: a sign too many would else be a time before 1970."""
    time_ns = _time_ns(timestamp)
    if time_ns <= 0:
        _refuse_time(timestamp)
    return time_ns


def _is_protobuf(headers: Mapping[str, str]) -> bool:
    """What the Content-Type header says. Raises ``BadMessageError`` when it is neither JSON nor Protobuf."""
    declared = headers.get("Content-Type") or headers.get("content-type") or ""
    kind = declared.partition(";")[0].strip().lower()
    if kind in _PROTOBUF:
        return True
    if kind not in _JSON:
        raise BadMessageError(
            "unknown_content_type", f"Content-Type: expected application/json or {PROTOBUF}, got {_shown(declared)}"
        )
    return False


def _parsed(message: Any, payload: bytes) -> Any:
    try:
        message.ParseFromString(payload)
    except ProtobufError as error:
        raise BadMessageError("bad_protobuf", str(error)[:200]) from None
    return message


def _protobuf_time_ns(message: Any) -> int:
    if not message.timestamp_ns:
        raise BadMessageError("missing_field", "timestamp_ns: expected nanoseconds since 1970, got nothing")
    time_ns = int(message.timestamp_ns)
    if time_ns < 0:
        _refuse_time(time_ns)
    if is_doubtful_ns(time_ns):
        raise BadMessageError(
            "bad_timestamp",
            f"timestamp_ns: expected nanoseconds since 1970, got {time_ns}, which would be {format_timestamp(time_ns)}",
        )
    return time_ns


def _protobuf_sequence(message: Any) -> int:
    return int(message.seq) if message.HasField("seq") else -1


def _refuse_json(error: Exception) -> NoReturn:
    detail = str(error)[:200]
    if not isinstance(error, msgspec.ValidationError):
        raise BadMessageError("malformed_json", detail) from None
    raise BadMessageError("missing_field" if "missing required field" in detail else "wrong_type", detail) from None


def _refuse_time(timestamp: int | float | str) -> NoReturn:
    raise BadMessageError("bad_timestamp", f"timestamp: expected a time after 1970, got {str(timestamp)[:60]}")


def _refuse_levels(count: int) -> NoReturn:
    raise BadMessageError("too_many_levels", f"expected at most {MAX_LEVELS} levels a side, got {count}")


def _shown(text: str) -> str:
    return ascii(text[:60])
