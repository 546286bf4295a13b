from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from time import sleep, time_ns
from typing import Any

import msgspec
import nats
import pytest
from msgspec.structs import replace
from nats.js.api import AckPolicy, ConsumerConfig

from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.nats.feed import NatsFeed
from sengine.adapters.nats.publisher import Publisher
from sengine.adapters.nats.wire import PROTOBUF
from sengine.adapters.nats.wire_encoding import encode_book
from sengine.config.schema import NatsConfig, NatsFillsConfig
from sengine.domain.events import BarEvent, BookEvent, SoundBookEvent, TradeEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel
from sengine.domain.order import Contribution, Fill, Order, Side
from sengine.engine.core import Engine
from sengine.engine.outcome import NOTHING, Outcome
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.errors import ConfigError
from sengine.proto import market_data_pb2 as pb
from sengine.runtime.refused_data import RefusedData
from tests.engine.conftest import Actor
from tests.outcomes import outcome_of
from tests.patience import PATIENCE_S

BOOK = "market_data.BTCUSDT.orderbook"


class RecordingEngine:
    """Keeps what it is given; each market event costs ``work_s`` and gives the outcome that was set."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.said: list[tuple[str, str, dict[str, Any]]] = []
        self.outcome = NOTHING
        self.unfilled = 0
        self.filled = asyncio.Event()
        self.work: Any = None
        self.engine = Engine(VoteBook("majority_vote", 1), RiskPipeline([]), Portfolio(1.0))
        self.refused_data = RefusedData(self.engine)
        self.late_ns = 0

    def idle(self) -> None:
        pass

    def process_all(self, events: Any) -> None:
        for event in events:
            self.process(event)

    def process(self, event: Any) -> Outcome:
        if isinstance(event, SoundBookEvent):
            event = BookEvent(*msgspec.structs.astuple(event))
        self.events.append(event)
        if self.work is not None:
            self.work()
        if isinstance(event, Fill):
            self.unfilled -= 1
            self.filled.set()
            return NOTHING
        self.unfilled += len(self.outcome.orders)
        return self.outcome

    async def settled(self, timeout_s: float) -> bool:
        while self.unfilled > 0:
            self.filled.clear()
            try:
                await asyncio.wait_for(self.filled.wait(), timeout_s)
            except TimeoutError:
                self.unfilled = 0
                return False
        return True

    def say(self, level: str, event: str, **fields: Any) -> None:
        self.said.append((level, event, fields))

    def sequences(self) -> list[int]:
        return [event.sequence for event in self.events]


@pytest.fixture
def live() -> RecordingEngine:
    return RecordingEngine()


@pytest.fixture
async def start_feed(live: RecordingEngine) -> AsyncIterator[Any]:
    feeds: list[NatsFeed] = []

    async def start(url: str, config: NatsConfig | None = None, **options: Any) -> NatsFeed:
        feed = NatsFeed(replace(config or NatsConfig(), url=url), url, live, **options)  # type: ignore[arg-type]
        feeds.append(feed)
        await feed.start()
        return feed

    yield start
    for feed in feeds:
        await feed.stop()


@pytest.fixture
async def feed(broker: EmbeddedBroker, start_feed) -> NatsFeed:
    feed = await start_feed(broker.url)
    assert await feed.connected(PATIENCE_S)
    return feed


def book_of(symbol: str = "BTCUSDT", timestamp_ns: int = 0, sequence: int = -1) -> BookEvent:
    book = OrderBook((PriceLevel(100.0, 1.0),), (PriceLevel(101.0, 2.0),))
    return BookEvent(symbol, timestamp_ns or time_ns(), book, sequence)


def fill_of(fill_id: str) -> Fill:
    return Fill("order", "", "BTCUSDT", "buy", 100.0, 1.0, 0.0, time_ns(), fill_id)


def order() -> Order:
    return Order("BTCUSDT", Side.BUY, 1.0, 1, (Contribution("s", 1.0, 1),), order_id="order")


async def test_books_trades_bars_and_fills_arrive_as_they_were_published(feed, live, connection, until) -> None:
    publisher = Publisher(connection)
    sent = [
        book_of(sequence=1),
        TradeEvent("BTCUSDT", time_ns(), 100.5, 0.25, "sell", 1),
        BarEvent("BTCUSDT", time_ns(), OHLCV(1.0, 2.0, 0.5, 1.5, 10.0), 1),
    ]
    for event in sent:
        await publisher.publish(event)
    await publisher.publish_fill(fill_of("f1"))
    await until(lambda: len(live.events) == 4)

    market_data = [event for event in live.events if not isinstance(event, Fill)]
    assert [msgspec.structs.replace(event, received_ns=0, late_ns=0) for event in market_data] == sent
    assert [event.fill_id for event in live.events if isinstance(event, Fill)] == ["f1"]
    assert all(0 <= time_ns() - event.received_ns < 10**10 for event in market_data)
    assert (feed.stats.messages, feed.stats.decoded, feed.stats.fills) == (4, 4, 1)
    feed.stats.lag.fold()
    assert feed.stats.lag.count == 3


async def test_kinds_and_symbols_keep_the_order_in_which_they_were_published(feed, live, connection, until) -> None:
    publisher = Publisher(connection)
    for number in range(3000):
        if number % 3:
            await publisher.publish(book_of(f"S{number % 5}", sequence=number))
        else:
            await publisher.publish(TradeEvent(f"S{number % 5}", time_ns(), 1.0, 1.0, "buy", number))
    await until(lambda: len(live.events) == 3000)

    assert live.sequences() == list(range(3000))


async def test_protobuf_is_told_from_the_header(feed, live, connection, until) -> None:
    level = pb.PriceLevel(price=100, quantity=1)
    book = pb.OrderBook(timestamp_ns=time_ns(), bids=[level], asks=[pb.PriceLevel(price=101, quantity=1)])
    for name, value in (("Content-Type", PROTOBUF), ("content-type", f"{PROTOBUF}; proto=x"), ("Content-Type", "a/b")):
        await connection.publish(BOOK, book.SerializeToString(), headers={"X-Other": "1", name: value})
    await connection.publish(BOOK, encode_book(book_of()), headers={"Content-Type": "application/json"})
    await until(lambda: feed.stats.messages == 4)
    await until(lambda: len(live.events) == 3)

    assert {event.symbol for event in live.events} == {"BTCUSDT"}
    assert feed.stats.malformed == {"unknown_content_type": 1}


async def test_a_flood_of_rubbish_is_counted_sampled_into_the_log_and_stops_nothing(
    feed, live, connection, broker, until
) -> None:
    oversized = b'{"x":"' + b"y" * 300_000 + b'"}'
    chance = random.Random(1)
    for number in range(1000):
        await connection.publish(BOOK, chance.randbytes(40) if number % 2 else b'{"timestamp": 1')
        if number % 100 == 0:
            await connection.publish(BOOK, oversized)
            await connection.publish(BOOK, b"{}", headers={"X-Long": "h" * 10_000})
            await connection.publish("fills", b'{"order_id": "x"}')
    await connection.flush()
    # What no client library would send: subjects and headers that are not text.
    raw = socket.create_connection(("127.0.0.1", broker.port))
    header = b"NATS/1.0\r\nContent-Type: \xff\xfe\r\n\r\n"
    raw.sendall(
        b'CONNECT {"verbose":false,"headers":true}\r\nPUB market_data.\xff\xfe.orderbook 2\r\n{}\r\n'
        + b"HPUB %b %d %d\r\n%b{}\r\n" % (BOOK.encode(), len(header), len(header) + 2, header)
        + b"HPUB %b 12 14\r\nNATS/1.0\r\n\r\n{}\r\n" % BOOK.encode()
        + b"PING\r\n"
    )
    await until(lambda: feed.stats.messages == 1033)
    raw.close()
    await connection.publish(BOOK, encode_book(book_of()))
    await until(lambda: len(live.events) == 1)

    stats = feed.stats
    assert stats.oversized == 20
    assert sum(stats.malformed.values()) == 1013
    assert stats.malformed["malformed_json"] + stats.malformed["wrong_type"] >= 1000
    assert stats.malformed["bad_subject"] == 1
    assert stats.malformed["unknown_content_type"] == 1
    assert stats.state == "connected"
    assert stats.reconnects == 0
    warnings = [said for said in live.said if said[0] == "warning"]
    assert 3 <= len(warnings) <= 8


async def test_a_hundred_thousand_messages_at_once_all_arrive(feed, live, connection, until) -> None:
    payloads = [encode_book(book_of(timestamp_ns=10**18 + number, sequence=number)) for number in range(100_000)]
    for payload in payloads:
        await connection.publish(BOOK, payload)
    await connection.flush(30)
    await until(lambda: len(live.events) == 100_000)

    assert live.sequences() == list(range(100_000))
    assert feed.stats.dropped == feed.stats.conflated == 0


async def test_the_loop_stays_responsive_while_a_backlog_is_worked_off(feed, live, connection, until) -> None:
    waits_ns: list[int] = []

    async def watch() -> None:
        while True:
            began_ns = time_ns()
            await asyncio.sleep(0)
            waits_ns.append(time_ns() - began_ns)

    def work() -> None:
        end_ns = time_ns() + 50_000
        while time_ns() < end_ns:
            pass

    live.work = work
    watcher = asyncio.create_task(watch())
    for number in range(4000):
        await connection.publish(BOOK, encode_book(book_of(sequence=number)))
    await until(lambda: len(live.events) == 4000)
    watcher.cancel()

    # 200 ms of work, never more than a turn of it at once; the rest of the bound is for a busy machine.
    assert len(waits_ns) > 50
    assert sorted(waits_ns)[-len(waits_ns) // 100 or -1] < 100_000_000


async def test_conflate_keeps_the_newest_book_of_each_symbol_and_every_trade(
    broker, start_feed, live, connection, until
) -> None:
    feed = await start_feed(broker.url, NatsConfig(overload="conflate"))
    assert await feed.connected(PATIENCE_S)

    def work() -> None:
        end_ns = time_ns() + 100_000
        while time_ns() < end_ns:
            pass

    live.work = work
    publisher = Publisher(connection)
    for number in range(5000):
        await publisher.publish(book_of(f"S{number % 4}", sequence=number))
        if number % 50 == 0:
            await publisher.publish(TradeEvent("S1", time_ns(), 1.0, 1.0, "buy", number))
    await publisher.flush()
    await until(lambda: feed.stats.decoded + feed.stats.conflated == 5100)
    await until(lambda: feed.stats.pending == 0)

    books = [event for event in live.events if isinstance(event, BookEvent)]
    trades = [event for event in live.events if isinstance(event, TradeEvent)]
    assert feed.stats.conflated > 1000
    assert len(books) + feed.stats.conflated == 5000
    assert len(trades) == 100
    assert live.sequences() == sorted(live.sequences())
    assert {event.symbol: event.sequence for event in books} == {"S0": 4996, "S1": 4997, "S2": 4998, "S3": 4999}


async def test_what_does_not_fit_in_the_queue_is_dropped_and_counted(
    broker, start_feed, live, connection, until
) -> None:
    feed = await start_feed(broker.url, NatsConfig(pending_limit=10))
    assert await feed.connected(PATIENCE_S)
    # One write, so that all of it is there at once.
    for number in range(500):
        await connection.publish(BOOK, encode_book(book_of(sequence=number)))
    await connection.flush()
    await until(lambda: feed.stats.decoded + feed.stats.dropped == 500)

    assert feed.stats.dropped > 0
    assert len(live.events) == feed.stats.decoded >= 10
    assert any("dropped" in said[1] for said in live.said)


async def test_an_absent_broker_is_waited_for(tmp_path: Path, start_feed, live, until) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    feed = await start_feed(f"nats://127.0.0.1:{port}")
    await until(lambda: any("NATS" in said[1] for said in live.said))
    assert feed.stats.state == "reconnecting"
    assert not await feed.connected(0.01)

    broker = EmbeddedBroker(tmp_path, port)
    await broker.start()
    try:
        assert await feed.connected(10)
        connection = await nats.connect(broker.url)
        await connection.publish(BOOK, encode_book(book_of()))
        await until(lambda: len(live.events) == 1)
        await connection.close()
        assert feed.stats.state == "connected"
        assert feed.stats.reconnects == 0
    finally:
        await feed.stop()
        await broker.stop()
    assert feed.stats.state == "disconnected"


async def test_a_broker_killed_and_restarted_is_found_again(broker, feed, live, until) -> None:
    os.kill(broker.pid, signal.SIGKILL)
    await broker.wait()
    await until(lambda: feed.stats.state == "reconnecting")

    await broker.start()

    assert await feed.connected(10)
    assert feed.stats.reconnects == 1
    connection = await nats.connect(broker.url)
    publisher = Publisher(connection)
    await publisher.publish(book_of())
    await publisher.publish_fill(fill_of("f"))
    await until(lambda: len(live.events) == 2)
    await connection.close()
    assert [said[1] for said in live.said if said[0] == "info"] == ["connected to NATS"] * 2
    assert any("lost" in said[1] for said in live.said)


async def test_stopping_while_the_broker_is_away_ends_at_once(broker, feed, until) -> None:
    await broker.stop()
    await until(lambda: feed.stats.state == "reconnecting")

    await asyncio.wait_for(feed.stop(), PATIENCE_S)

    assert feed.stats.state == "disconnected"


async def test_after_market_data_is_stopped_only_fills_come(broker, start_feed, live, connection, until) -> None:
    feed = await start_feed(broker.url)
    assert await feed.connected(PATIENCE_S)
    publisher = Publisher(connection)
    feed.stop_market_data()
    await publisher.publish(book_of())
    await publisher.publish_fill(fill_of("late"))
    await publisher.flush()

    await until(lambda: live.events)

    assert [type(event) for event in live.events] == [Fill]


async def test_in_lockstep_the_next_tick_waits_for_the_fill(broker, start_feed, live, connection, until) -> None:
    feed = await start_feed(broker.url, lockstep=True)
    assert await feed.connected(PATIENCE_S)
    live.outcome = outcome_of(orders=[order()])
    publisher = Publisher(connection)
    for _ in range(3):
        await publisher.publish(book_of())
    await publisher.flush()
    for number in range(3):
        await until(lambda number=number: len(live.events) == 2 * number + 1)
        await until(lambda number=number: feed.stats.pending == 2 - number)
        await publisher.publish_fill(fill_of(f"f{number}"))
        await until(lambda number=number: len(live.events) >= 2 * number + 2)

    assert [type(event) for event in live.events] == [BookEvent, Fill] * 3
    assert feed.stats.lockstep_timeouts == 0


async def test_lockstep_goes_on_when_a_fill_never_comes(broker, start_feed, live, connection, until) -> None:
    feed = await start_feed(broker.url, lockstep=True, lockstep_timeout_s=0.05)
    assert await feed.connected(PATIENCE_S)
    live.outcome = outcome_of(orders=[order()])
    publisher = Publisher(connection)
    for _ in range(2):
        await publisher.publish(book_of())
    await until(lambda: feed.stats.lockstep_timeouts == 2)

    assert len(live.events) == 2


async def test_durable_fills_survive_an_engine_that_was_away(broker, start_feed, live, connection, until) -> None:
    config = NatsConfig(fills=NatsFillsConfig(durable="engine"))
    feed = await start_feed(broker.url, config)
    assert await feed.connected(PATIENCE_S)
    jetstream = connection.jetstream()
    publisher = Publisher(connection)

    async def unacknowledged() -> int:
        info = await jetstream.consumer_info("SENGINE_FILLS", "engine")
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    async def settled() -> None:
        while await unacknowledged():
            await asyncio.sleep(0.01)

    await publisher.publish_fill(fill_of("f1"))
    await until(lambda: len(live.events) == 1)
    await asyncio.wait_for(settled(), PATIENCE_S)
    await feed.stop()

    for fill_id in ("f2", "f2", "f3"):
        await publisher.publish_fill(fill_of(fill_id))
    await connection.publish("fills", b"rubbish")
    await publisher.flush()
    assert len(live.events) == 1
    again = await start_feed(broker.url, config)
    await until(lambda: len(live.events) == 3)
    await asyncio.wait_for(settled(), PATIENCE_S)

    assert [event.fill_id for event in live.events] == ["f1", "f2", "f3"]
    assert again.stats.malformed == {"malformed_json": 1}


async def test_what_an_engine_left_unacknowledged_comes_before_the_fills_after_it(
    broker, start_feed, live, connection, until
) -> None:
    """Also with a consumer that an earlier version made, which gave out a thousand at once."""
    jetstream = connection.jetstream()
    await jetstream.add_stream(name="SENGINE_FILLS", subjects=["fills"])
    await jetstream.add_consumer(
        "SENGINE_FILLS",
        ConsumerConfig(durable_name="engine", filter_subject="fills", ack_policy=AckPolicy.EXPLICIT, ack_wait=0.5,
                       max_ack_pending=1000),
    )  # fmt: skip
    feed = await start_feed(broker.url, NatsConfig(fills=NatsFillsConfig(durable="engine")))
    assert await feed.connected(PATIENCE_S)
    await feed.stop()
    publisher = Publisher(connection)
    await publisher.publish_fill(fill_of("f1"))
    killed = await jetstream.pull_subscribe_bind(durable="engine", stream="SENGINE_FILLS")
    assert await killed.fetch(1, timeout=PATIENCE_S)
    await publisher.publish_fill(fill_of("f2"))
    await publisher.flush()

    await start_feed(broker.url, NatsConfig(fills=NatsFillsConfig(durable="engine")))

    await until(lambda: len(live.events) == 2)
    assert [event.fill_id for event in live.events] == ["f1", "f2"]


async def test_durable_fills_go_on_after_the_broker_was_killed(broker, start_feed, live, until) -> None:
    feed = await start_feed(broker.url, NatsConfig(fills=NatsFillsConfig(durable="engine")))
    assert await feed.connected(PATIENCE_S)
    connection = await nats.connect(broker.url)
    await Publisher(connection).publish_fill(fill_of("before"))
    await until(lambda: len(live.events) == 1)
    await connection.close()
    os.kill(broker.pid, signal.SIGKILL)
    await broker.wait()
    await broker.start()
    assert await feed.connected(10)

    connection = await nats.connect(broker.url)
    await Publisher(connection).publish_fill(fill_of("after"))
    await until(lambda: [event.fill_id for event in live.events][-1] == "after")
    await connection.close()


async def test_a_wrong_address_or_login_is_refused_before_anything_starts(live, tmp_path: Path) -> None:
    for url in ("http://127.0.0.1", "127.0.0.1:4222", "nats://", "nats://127.0.0.1:x"):
        with pytest.raises(ConfigError, match=r"nats\.url"):
            NatsFeed(NatsConfig(), url, live)
    with pytest.raises(ConfigError, match=r"nats\.credentials_file.*none\.creds"):
        await NatsFeed(NatsConfig(credentials_file=str(tmp_path / "none.creds")), "nats://127.0.0.1", live).start()


async def test_what_is_dated_after_its_arrival_is_refused_and_told_with_the_numbers(
    feed, live, connection, until
) -> None:
    publisher = Publisher(connection)
    ahead_ns = 3600 * 10**9
    for event in (
        book_of(timestamp_ns=time_ns() + ahead_ns),
        TradeEvent("BTCUSDT", time_ns() + ahead_ns, 1.0, 1.0, "buy"),
        BarEvent("BTCUSDT", time_ns() + ahead_ns, OHLCV(1.0, 1.0, 1.0, 1.0, 1.0)),
        book_of(timestamp_ns=time_ns() + 10**9),
    ):
        await publisher.publish(event)
    await until(lambda: feed.stats.messages == 4 and live.events)
    assert [type(event) for event in live.events] == [BookEvent]
    assert feed.stats.malformed == {"from_the_future": 3}
    assert feed.stats.decoded == 1
    ((_, message, fields),) = [each for each in live.said if each[0] == "warning"]
    assert message == "market data refused"
    assert fields["symbol"] == "BTCUSDT"
    assert "market_data.max_ahead" in fields["reason"]
    assert "5 s" in fields["reason"]


async def test_the_future_is_taken_where_it_is_allowed(start_feed, broker, live, connection, until) -> None:
    feed = await start_feed(broker.url, max_ahead_ns=None)
    assert await feed.connected(PATIENCE_S)
    await Publisher(connection).publish(book_of(timestamp_ns=time_ns() + 10**18))
    await until(lambda: live.events)
    assert not feed.stats.malformed


async def test_a_symbol_whose_data_is_all_refused_is_known_by_its_subject(feed, live, connection, until) -> None:
    live.engine.registry.load(Actor(symbols=("BTCUSDT",)).spec)
    for _ in range(5):
        await connection.publish(BOOK, b"{}")
    await until(lambda: feed.stats.messages == 5 and sum(feed.stats.malformed.values()) == 5)
    (sentence,) = live.refused_data.sentences()
    assert sentence == "all market data of BTCUSDT is refused: 5 in a row, the last as missing field"


async def test_what_waited_says_for_how_long_and_the_lag_counts_it(start_feed, broker, live, connection, until) -> None:
    feed = await start_feed(broker.url)
    assert await feed.connected(PATIENCE_S)
    waits_s = [0.15]
    live.work = lambda: sleep(waits_s.pop()) if waits_s else None
    publisher = Publisher(connection)
    for number in range(3):
        await publisher.publish(book_of(sequence=number))
    await publisher.flush()
    await until(lambda: len(live.events) == 3)
    assert live.events[-1].late_ns >= 0.1 * 10**9
    assert live.late_ns == live.events[-1].late_ns
    feed.stats.lag.fold()
    assert feed.stats.lag.max_ns >= 0.1 * 10**9
