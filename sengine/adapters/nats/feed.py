"""Market data and fills from NATS into the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from time import perf_counter_ns, time_ns
from typing import Final

from sengine.adapters.nats.connection import OnMessage, OrderedConnection, content_type
from sengine.adapters.nats.durable_fills import last_acknowledged
from sengine.adapters.nats.ending import end
from sengine.adapters.nats.inbox import Arrival, Inbox, Kind
from sengine.adapters.nats.link import NatsLink
from sengine.adapters.nats.stats import FeedStats
from sengine.adapters.nats.wire import BadMessageError, Decoder
from sengine.clock import NS_PER_MS, NS_PER_S, format_timestamp
from sengine.config.schema import NatsConfig
from sengine.domain.events import MarketEvent
from sengine.domain.order import Fill
from sengine.engine.outcome import Outcome
from sengine.engine.state.orders import identity_of
from sengine.runtime.live_engine import LATE_NS, LiveEngine
from sengine.runtime.log_throttle import LogThrottle

# How long a backlog may keep the loop to itself before others get their turn.
_TURN_NS: Final = 2 * NS_PER_MS
_FOLD_EVERY: Final = 4096
_MAX_LAG_NS: Final = 3600 * NS_PER_S
_ANY_TIME_NS: Final = 2**64
FROM_THE_FUTURE: Final = "from_the_future"
_MAX_SUBJECT_BYTES: Final = 256
_MAX_HEADER_BYTES: Final = 4096
ACKNOWLEDGED_LOOKED_AT: Final = 200
FILLS_HELD: Final = 100_000
"""Fills that may wait for ``release``, and that may be expected again."""


class NatsFeed:
    """Subscribes to the topics of the configuration and calls ``live.process`` for what arrives.

    Market data is taken in the order of arrival across all subjects; fills are taken at once, before market data that
    waits. With ``lockstep``, the next tick waits until the market orders of the last one are filled. One that ``holds``
    is subscribed and takes nothing until ``release``: fills are kept, market data is passed over.

    ``url`` is one address or several with commas between them. Raises ``ConfigError`` when it cannot be one.
    """

    def __init__(
        self,
        config: NatsConfig,
        url: str,
        live: LiveEngine,
        stats: FeedStats | None = None,
        *,
        lockstep: bool = False,
        lockstep_timeout_s: float = 5.0,
        holds: bool = False,
        max_ahead_ns: int | None = 5 * NS_PER_S,
    ) -> None:
        self._config = config
        self._live = live
        self.stats = stats or FeedStats()
        self._lockstep = lockstep
        self._lockstep_timeout_s = lockstep_timeout_s
        self._inbox = Inbox(config.pending_limit, conflate=config.overload == "conflate")
        self._decoder = Decoder(config.topics, config.max_message_bytes, is_reserved=self._is_named)
        self._least_lag_ns = -max_ahead_ns if max_ahead_ns is not None else -_ANY_TIME_NS
        self._decode = (self._decoder.decode_book, self._decoder.decode_trade, self._decoder.decode_bar)
        self._max_bytes = config.max_message_bytes
        self._complain = LogThrottle(live.say)
        self._folded_at = 0
        self._turn_is_due = False
        self._arrived = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lockstep_task: asyncio.Task[None] | None = None
        topics = config.topics
        subjects: list[tuple[str, OnMessage]] = [
            (topics.market_data, self._book_arrived),
            (topics.trades, self._trade_arrived),
            (topics.bars, self._bar_arrived),
        ]
        if not config.durable:
            subjects.append((topics.fills, self._fill_arrived))
        self._link = NatsLink(config, url, self.stats, subjects, self.process_fill, live.say, self._complain)
        self._held: list[tuple[bytes, bytes]] = []
        """Fills that wait for ``release``, with their subjects."""
        self._taken: dict[str, Fill] = {}
        """Fills that were taken before they came, oldest first."""
        self._is_holding = holds
        self.on_unread_fill: Callable[[], None] = lambda: None
        """Told of a message on the subject of fills that was not taken: it may have been one."""
        if not holds:
            self._link.release()

    @property
    def connection(self) -> OrderedConnection | None:
        """The connection, for those who publish too; ``None`` before there is one. It is replaced if it ever closes."""
        return self._link.connection

    def tell(self, on_subscribed: Callable[[], None], on_lost: Callable[[], None]) -> None:
        """Call these each time that all is subscribed, and when it is so no longer."""
        self._link.on_subscribed, self._link.on_lost = on_subscribed, on_lost

    async def acknowledged_fills(self) -> Sequence[Fill]:
        """The last fills that were acknowledged to the broker, which were applied then; none where fills are plain."""
        connection, durable = self._link.connection, self._config.durable
        if connection is None or not durable:
            return ()
        fills = []
        for payload in await last_acknowledged(connection, self._config.topics.fills, durable, ACKNOWLEDGED_LOOKED_AT):
            with suppress(BadMessageError):
                fills.append(self._decoder.decode_fill(payload))
        return fills

    def expect_again(self, fill: Fill) -> None:
        """A fill was taken elsewhere, before it came; when the very same comes it is passed over."""
        self._taken[identity_of(fill)] = fill
        if len(self._taken) > FILLS_HELD:
            del self._taken[next(iter(self._taken))]

    def release(self) -> None:
        """Take what comes from now on, and first the fills that waited for that."""
        self._is_holding = False
        held, self._held = self._held, []
        for subject, payload in held:
            self.process_fill(subject, payload)
        self._link.release()

    async def start(self) -> None:
        """Begin to connect, and keep connected, in the background; an absent broker is waited for.

        Raises ``ConfigError`` when the means to log in cannot be right.
        """
        self._loop = asyncio.get_running_loop()
        self.stats.pending_messages = lambda: self._inbox.waiting
        self._link.start()
        if self._lockstep:
            self._lockstep_task = asyncio.create_task(self._process_in_lockstep(), name="nats-feed-lockstep")

    async def connected(self, timeout_s: float | None = None) -> bool:
        """Wait until the feed is subscribed; whether that happened in time."""
        return await self._link.connected(timeout_s)

    def stop_market_data(self) -> None:
        """Take no more market data; what waits is thrown away, and counted as dropped. Fills still come."""
        self._link.listen_no_more(but_to=self._fill_arrived)
        while self._inbox.pop() is not None:
            self.stats.dropped += 1

    async def stop(self) -> None:
        """Take nothing more and disconnect. What waits is thrown away, and counted as dropped."""
        self._link.listen_no_more()
        task, self._lockstep_task = self._lockstep_task, None
        if task is not None:
            await end(task)
        await self._link.stop()
        while self._inbox.pop() is not None:
            self.stats.dropped += 1

    # Arrival: called by the parser for every message.

    def _book_arrived(self, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        self._arrive(Kind.BOOK, subject, payload, headers)

    def _trade_arrived(self, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        self._arrive(Kind.TRADE, subject, payload, headers)

    def _bar_arrived(self, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        self._arrive(Kind.BAR, subject, payload, headers)

    def _arrive(self, kind: Kind, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        if self._is_holding:
            return
        self.stats.messages += 1
        if len(payload) > self._max_bytes or len(subject) > _MAX_SUBJECT_BYTES or headers is not None:
            headers = self._bounded(subject, payload, headers)
            if headers == b"":
                return
        if not self._inbox.append(Arrival(kind, subject, payload, headers, time_ns())):
            self.stats.dropped += 1
            self._complain("dropped", "market data is dropped: the queue is full", limit=self._config.pending_limit)
        elif not self._turn_is_due:
            self._turn_is_due = True
            if self._lockstep:
                self._arrived.set()
            else:
                assert self._loop is not None
                self._loop.call_soon(self._take_turn)

    def _bounded(self, subject: bytes, payload: bytes, headers: bytes | None) -> bytes | None:
        """The content type, ``None`` where there is none; empty when the message is refused for its size."""
        header_bytes = len(headers) if headers is not None else 0
        if len(payload) <= self._max_bytes and len(subject) <= _MAX_SUBJECT_BYTES and header_bytes <= _MAX_HEADER_BYTES:
            return content_type(headers)
        self.stats.oversized += 1
        self._complain(
            "oversized",
            "a message is too large",
            subject=_shown(subject),
            payload_bytes=len(payload),
            header_bytes=header_bytes,
            limit=self._max_bytes,
        )
        return b""

    def _fill_arrived(self, subject: bytes, payload: bytes, _headers: bytes | None) -> None:
        if not self._is_holding:
            self.process_fill(subject, payload)
        elif len(self._held) < FILLS_HELD:
            self._held.append((subject, payload))
        else:
            self.stats.dropped += 1
            self._complain("dropped_fills", "fills are dropped: too many wait; the execution service is asked for them")
            self.on_unread_fill()

    def process_fill(self, subject: bytes, payload: bytes) -> bool:
        """Apply a fill now; whether it was one."""
        self.stats.messages += 1
        try:
            fill = self._decoder.decode_fill(payload)
        except BadMessageError as error:
            self._refuse(error.reason, error.detail, subject)
            self.on_unread_fill()
            return False
        self.stats.decoded += 1
        self.stats.fills += 1
        if self._taken and self._taken.get(identity_of(fill)) == fill:
            del self._taken[identity_of(fill)]
        else:
            self._live.process(fill)
        return True

    # Processing.

    def _take_turn(self) -> None:
        try:
            self._live.process_all(self._events(perf_counter_ns() + _TURN_NS))
        finally:
            self._turn_is_due = self._inbox.waiting > 0
            if self._turn_is_due and self._loop is not None:
                self._loop.call_soon(self._take_turn)
        self._tidy()

    async def _process_in_lockstep(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            self._turn_is_due = False
            end_ns = perf_counter_ns() + _TURN_NS
            while (arrival := self._inbox.pop()) is not None:
                outcome = self._process(arrival)
                if outcome is not None and outcome.orders and not await self._live.settled(self._lockstep_timeout_s):
                    self.stats.lockstep_timeouts += 1
                    self._complain(
                        "lockstep", "lockstep: an order was not filled in time; the market goes on without it"
                    )
                if perf_counter_ns() >= end_ns:
                    await asyncio.sleep(0)
                    end_ns = perf_counter_ns() + _TURN_NS
            self._tidy()

    def _events(self, end_ns: int) -> Iterator[MarketEvent]:
        """What waits, decoded one by one, until nothing does or the turn is over."""
        take, decoded = self._inbox.pop, self._decoded
        while (arrival := take()) is not None:
            event = decoded(arrival)
            if event is not None:
                yield event
            if perf_counter_ns() >= end_ns:
                return

    def _process(self, arrival: Arrival) -> Outcome | None:
        event = self._decoded(arrival)
        return None if event is None else self._live.process(event)

    def _decoded(self, arrival: Arrival) -> MarketEvent | None:
        headers: Mapping[str, str] | None = None
        try:
            if arrival.headers is not None:
                headers = {"Content-Type": arrival.headers.decode("ascii", "replace")}
            received_ns = arrival.received_ns
            self._live.late_ns = late_ns = max(0, time_ns() - received_ns)
            event = self._decode[arrival.kind](arrival.subject.decode(), arrival.payload, headers, received_ns, late_ns)
        except BadMessageError as error:
            symbol = self._decoder.symbol_of(arrival.subject.decode(), arrival.kind)
            self._refuse(error.reason, error.detail, arrival.subject, symbol)
            return None
        except UnicodeDecodeError:
            self._refuse("bad_subject", "subject: expected UTF-8 text", arrival.subject)
            return None
        stats = self.stats
        lag_ns = received_ns - event.timestamp_ns
        if lag_ns < self._least_lag_ns:
            self._refuse_future(event, -lag_ns, arrival.subject)
            return None
        stats.decoded += 1
        lag_ns += late_ns
        if 0 <= lag_ns < _MAX_LAG_NS:
            stats.lag.record(lag_ns)
        return event

    def _tidy(self) -> None:
        stats = self.stats
        if not self._turn_is_due:
            self._live.idle()
        stats.conflated = self._inbox.conflated
        late_ns = self._live.late_ns
        if late_ns > LATE_NS:
            self._complain(
                "late",
                "the engine is late: orders are refused while market data waits too long (late_engine)",
                late_ms=late_ns // NS_PER_MS,
                waiting=self._inbox.waiting,
            )
        if stats.decoded - self._folded_at >= _FOLD_EVERY:
            self._folded_at = stats.decoded
            stats.lag.fold()

    def _refuse_future(self, event: MarketEvent, ahead_ns: int, subject: bytes) -> None:
        """Not let in: everything after it would be older."""
        self.stats.malformed[FROM_THE_FUTURE] += 1
        self._live.refused_data.add(event.symbol, FROM_THE_FUTURE)
        self._complain(
            FROM_THE_FUTURE,
            "market data refused",
            symbol=event.symbol,
            reason=f"dated {format_timestamp(event.timestamp_ns)}, {ahead_ns / NS_PER_S:,.3g} s after it was received; "
            f"at most {-self._least_lag_ns / NS_PER_S:g} s (market_data.max_ahead): is a clock wrong?",
            subject=_shown(subject),
        )

    def _is_named(self, symbol: str) -> bool:
        return any(symbol in runtime.spec.symbols for runtime in self._live.engine.registry)

    def _refuse(self, reason: str, detail: str, subject: bytes, symbol: str = "") -> None:
        self.stats.malformed[reason] += 1
        if symbol:
            self._live.refused_data.add(symbol, reason)
        self._complain(reason, "a message cannot be read", reason=reason, detail=detail, subject=_shown(subject))


def _shown(subject: bytes) -> str:
    return ascii(subject[:60].decode("utf-8", "replace"))[1:-1]
