"""The strategy protocol's messages and the values of the domain, both ways."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import nan
from typing import Any, Final, TypeVar

import msgspec

from sengine.domain.events import ReportedError
from sengine.domain.market import OHLCV, DataKind, MarketData, OrderBook, PriceLevel, Trade
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews
from sengine.domain.signal import Signal
from sengine.engine.state.markets import RECENT_TRADES
from sengine.engine.strategies.plain_values import PARAMETERS, NotPlainError, own_text, plain_dict, shown
from sengine.engine.strategies.stamping import MOST_SIGNALS, InvalidSignalError, number_of, own_metadata
from sengine.proto import strategy_pb2 as pb

LARGEST_MESSAGE: Final = 4 * 1024 * 1024
_LONGEST_TEXT: Final = 4000
_Message = TypeVar("_Message", pb.Tick, pb.Fill, pb.OrderNews)


class TickEncoder:
    """Makes ``Tick`` messages of one connection: of recent trades, each carries only those that are new."""

    def __init__(self) -> None:
        self._sent: dict[str, Sequence[Trade]] = {}

    def encode(self, number: int, data: MarketData, *, is_warm_up: bool = False) -> pb.Tick:
        book, symbol = data.orderbook, data.symbol
        tick = pb.Tick(
            number=number,
            symbol=symbol,
            timestamp_ns=data.timestamp_ns,
            bids=[pb.Level(price=level.price, quantity=level.quantity) for level in book.bids],
            asks=[pb.Level(price=level.price, quantity=level.quantity) for level in book.asks],
            kind=data.kind,
            is_warm_up=is_warm_up,
        )
        trades, bar = data.recent_trades, data.ohlcv
        # The engine keeps one tuple until the next trade.
        if trades is not self._sent.get(symbol):
            tick.new_trades.extend(
                pb.Trade(price=each.price, quantity=each.quantity, timestamp_ns=each.timestamp_ns, side=each.side)
                for each in _since(self._sent.get(symbol, ()), trades)
            )
            self._sent[symbol] = trades
        if bar is not None:
            tick.bar.CopyFrom(pb.Bar(open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume))
        return tick


def _since(before: Sequence[Trade], now: Sequence[Trade]) -> Sequence[Trade]:
    """What came after the last trade of ``before``; all of ``now`` where that one is gone."""
    if before:
        last = before[-1]
        for place in range(len(now) - 1, -1, -1):
            if now[place] is last:
                return now[place + 1 :]
    return now


class TickDecoder:
    """Makes ``MarketData`` of ``Tick`` messages, and keeps the recent trades that they add up to."""

    def __init__(self) -> None:
        self._trades: dict[str, deque[Trade]] = {}
        self._recent: dict[str, tuple[Trade, ...]] = {}

    def decode(self, tick: pb.Tick) -> MarketData:
        """Raises ``ValueError`` for a kind of event that there is not."""
        symbol = tick.symbol
        if tick.new_trades:
            ring = self._trades.setdefault(symbol, deque(maxlen=RECENT_TRADES))
            ring.extend(Trade(each.price, each.quantity, each.timestamp_ns, each.side) for each in tick.new_trades)
            self._recent[symbol] = tuple(ring)
        bar = None
        if tick.HasField("bar"):
            bar = OHLCV(tick.bar.open, tick.bar.high, tick.bar.low, tick.bar.close, tick.bar.volume)
        return MarketData(
            symbol,
            tick.timestamp_ns,
            OrderBook(
                tuple([PriceLevel(level.price, level.quantity) for level in tick.bids]),
                tuple([PriceLevel(level.price, level.quantity) for level in tick.asks]),
            ),
            self._recent.get(symbol, ()),
            bar,
            DataKind(tick.kind) if tick.kind else DataKind.BOOK,
        )


def with_in_flight(message: _Message, in_flight: float, heard_through: int) -> _Message:
    """The message, which tells what is in flight as well."""
    message.in_flight, message.heard_through = in_flight, heard_through
    return message


def fill_message(fill: Fill) -> pb.Fill:
    return pb.Fill(
        order_id=fill.order_id,
        symbol=fill.symbol,
        side=fill.side,
        price=fill.price,
        quantity=fill.quantity,
        commission=fill.commission,
        timestamp_ns=fill.timestamp_ns,
        fill_id=fill.fill_id,
    )


def fill_of(message: pb.Fill, strategy_id: str) -> Fill:
    return Fill(
        message.order_id,
        strategy_id,
        message.symbol,
        message.side,
        message.price,
        message.quantity,
        message.commission,
        message.timestamp_ns,
        message.fill_id,
    )


def news_message(news: OrderNews) -> pb.OrderNews:
    message = pb.OrderNews(
        status=news.status,
        symbol=news.symbol,
        quantity=news.quantity,
        timestamp_ns=news.timestamp_ns,
        direction=news.direction,
        side=news.side,
        filled=news.filled,
        order_id=news.order_id,
        check=news.check,
        code=news.code,
        reason=news.reason,
        signal_sequence=news.signal_sequence,
        metadata_json=json_of(news.metadata) if news.metadata is not None else "",
    )
    if news.limit_price is not None:
        message.limit_price = news.limit_price
    return message


def news_of(message: pb.OrderNews, strategy_id: str) -> OrderNews:
    """Raises ``ValueError`` for metadata that is no JSON object."""
    return OrderNews(
        status=message.status,
        strategy_id=strategy_id,
        symbol=message.symbol,
        quantity=message.quantity,
        timestamp_ns=message.timestamp_ns,
        direction=message.direction,
        side=message.side,
        filled=message.filled,
        limit_price=message.limit_price if message.HasField("limit_price") else None,
        order_id=message.order_id,
        check=message.check,
        code=message.code,
        reason=message.reason,
        signal_sequence=message.signal_sequence,
        metadata=object_of(message.metadata_json) if message.metadata_json else None,
    )


def signal_message(signal: Signal) -> pb.Signal:
    """Whatever the strategy put into it, as plain values and as far as the message can hold that; the engine judges
    the values. Raises ``InvalidSignalError`` with a sentence for what it cannot hold."""
    symbol, size = signal.symbol, signal.size
    message = pb.Signal(
        symbol="" if symbol is None else _text("symbol", symbol),
        direction=_text("direction", signal.direction),
        confidence=number_of("confidence", signal.confidence),
        size=0.0 if size is None else number_of("size", size),
    )
    if signal.limit_price is not None:
        message.limit_price = number_of("limit_price", signal.limit_price)
    if signal.metadata is not None:
        message.metadata_json = json_of(own_metadata(signal.metadata))
    return message


def signal_of(message: pb.Signal) -> Signal:
    """Metadata that is no JSON object, or none of plain values, is left out; the rest is for the engine to judge."""
    metadata = None
    if message.metadata_json:
        try:
            metadata = object_of(message.metadata_json)
        except ValueError:
            metadata = {"unreadable": message.metadata_json[:200]}
    return Signal(
        symbol=message.symbol,
        direction=message.direction,
        confidence=message.confidence if message.HasField("confidence") else nan,
        size=message.size,
        metadata=metadata,
        limit_price=message.limit_price if message.HasField("limit_price") else None,
    )


def error_of(message: pb.Error) -> ReportedError:
    """Only the kinds of the protocol pass, since each is a label of a metric."""
    kind = message.kind if message.kind in ("exception", "bad_return", "invalid_signal") else "exception"
    return ReportedError(
        kind,
        message.message[:_LONGEST_TEXT] or "an error without a message",
        message.where[:_LONGEST_TEXT],
        message.traceback[: 4 * _LONGEST_TEXT],
    )


def answer_of(answer: pb.Answer) -> tuple[tuple[Signal, ...], tuple[ReportedError, ...]]:
    """Signals and errors of one answer; of an answer with too many, only that error."""
    count = len(answer.signals) + len(answer.errors)
    if count > MOST_SIGNALS:
        said = f"expected at most {MOST_SIGNALS} signals in answer to a tick, got {count}"
        return (), (ReportedError("bad_return", said),)
    return tuple(map(signal_of, answer.signals)), tuple(map(error_of, answer.errors))


def object_of(json: str) -> dict[str, Any]:
    """A JSON object of plain values, empty for an empty text. Raises ``ValueError`` for anything else, and for numbers
    beyond 64 bits."""
    if not json:
        return {}
    try:
        return plain_dict(msgspec.json.decode(json, type=dict[str, Any]), "it", PARAMETERS)
    except (msgspec.MsgspecError, NotPlainError) as error:
        raise ValueError(f"expected a JSON object, got {json[:100]!r}: {error}") from None


def json_of(values: Mapping[str, Any]) -> str:
    """Of plain values."""
    return msgspec.json.encode(values).decode()


def errors_message(errors: Iterable[ReportedError]) -> list[pb.Error]:
    return [
        pb.Error(kind=each.kind, message=each.message, where=each.where, traceback=each.traceback) for each in errors
    ]


def _text(name: str, value: object) -> str:
    if not issubclass(type(value), str):
        raise InvalidSignalError(f"{name} must be a text, got {shown(value)}")
    return own_text(value)  # type: ignore[arg-type]
