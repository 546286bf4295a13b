"""Events out to NATS, in the format that the live feed reads."""

from __future__ import annotations

from urllib.parse import quote

from nats.aio.client import Client

from sengine.adapters.nats.connection import until_sent
from sengine.adapters.nats.wire_encoding import encode_bar, encode_book, encode_fill, encode_trade
from sengine.config.schema import TopicsConfig
from sengine.domain.events import BarEvent, BookEvent, MarketEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import Quote
from sengine.domain.order import Fill


class Publisher:
    """Publishes market data and fills through a connection.

    Each symbol and kind is numbered from 1 where the events bring no sequence numbers, so that subscribers see what
    they missed. A symbol with characters that a NATS subject cannot have is percent-encoded in the subject only.
    """

    def __init__(self, connection: Client, topics: TopicsConfig | None = None) -> None:
        topics = topics or TopicsConfig()
        self._publish = connection.publish
        self._connection = connection
        self._fills = topics.fills
        self._kinds = {
            BookEvent: (topics.market_data, encode_book),
            Quote: (topics.market_data, encode_book),
            SoundBookEvent: (topics.market_data, encode_book),
            TradeEvent: (topics.trades, encode_trade),
            BarEvent: (topics.bars, encode_bar),
        }
        self._subjects: dict[tuple[type[MarketEvent], str], str] = {}
        self._sequences: dict[str, int] = {}
        self.published = 0

    async def publish(self, event: MarketEvent) -> None:
        """Hand an event to the connection's buffer; it awaits only while that is full."""
        kind = type(event)
        pattern, encode = self._kinds[kind]
        subject = self._subjects.get((kind, event.symbol))
        if subject is None:
            subject = self._subjects[kind, event.symbol] = pattern.replace("*", subject_token(event.symbol), 1)
        payload = encode(event)  # type: ignore[operator]
        if event.sequence == -1:
            self._sequences[subject] = sequence = self._sequences.get(subject, 0) + 1
            # Cheaper than a copy of the event: the field goes before the closing brace.
            payload = b'%b,"seq":%d}' % (payload[:-1], sequence)
        await self._publish(subject, payload)
        self.published += 1

    async def publish_fill(self, fill: Fill) -> None:
        """Publish a whole fill; JetStream drops a second one of the same ``fill_id``."""
        await self._publish(self._fills, encode_fill(fill), headers={"Nats-Msg-Id": fill.fill_id})

    async def flush(self, timeout_s: int = 10) -> None:
        """Wait until the server has everything."""
        await until_sent(self._connection, timeout_s)


def subject_token(symbol: str) -> str:
    """A symbol as one part of a NATS subject; two symbols never give the same."""
    return quote(symbol, safe="!\"#$&'()+,/:;<=?@[\\]^`{|}~").replace(".", "%2E")
