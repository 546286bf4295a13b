from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import nats
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client

import sengine.adapters.paper.order_book
from sengine.adapters.execution.messages import book_crc
from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.nats.wire import Decoder
from sengine.adapters.nats.wire_encoding import encode_book
from sengine.adapters.paper.journal import NewsLine, PaperJournal
from sengine.adapters.paper.order_book import PaperOrderBook
from sengine.adapters.paper.service import PaperExecution
from sengine.adapters.paper.venue import EventTimeVenue
from sengine.config.schema import Config, ExecutionConfig
from sengine.domain.events import BarEvent, BookEvent
from sengine.domain.market import OHLCV, OrderBook, PriceLevel
from sengine.domain.order import Fill, Order, Side
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.time_jumps import JumpRule
from sengine.errors import ConfigError, SengineError
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionStub
from tests.adapters.execution_fixtures import MS, T0, RecordingHub, make_book, make_order
from tests.patience import PATIENCE_S


def request_of(order: Order, crc: int = 0) -> pb.OrderRequest:
    limit = order.limit_price
    return pb.OrderRequest(
        client_order_id=order.order_id,
        symbol=order.symbol,
        side=pb.SIDE_BUY if order.side is Side.BUY else pb.SIDE_SELL,
        type=pb.ORDER_TYPE_MARKET if limit is None else pb.ORDER_TYPE_LIMIT,
        quantity=order.quantity,
        limit_price=limit or 0.0,
        timestamp_ns=order.timestamp_ns,
        book_crc=crc,
    )


# The venue: event time.


def test_order_meets_the_book_that_triggered_it_even_when_later_books_came_first() -> None:
    venue = EventTimeVenue(ExecutionConfig())
    for step in range(10):
        venue.on_book(make_book(T0 + step * MS, 100.0 + step, 101.0 + step))
    (fill,) = venue.submit(make_order(at_ns=T0 + 4 * MS))
    assert isinstance(fill, Fill)
    assert (fill.price, fill.timestamp_ns) == (105.0, T0 + 4 * MS)


def test_order_waits_for_a_book_that_has_not_come_yet() -> None:
    venue = EventTimeVenue(ExecutionConfig(latency_ms=2.0))
    venue.on_book(make_book(T0))
    assert venue.submit(make_order(at_ns=T0)) == []
    assert venue.on_book(make_book(T0 + MS)) == []
    (fill,) = venue.on_book(make_book(T0 + 3 * MS, 110.0, 111.0))
    assert isinstance(fill, Fill)
    assert fill.price == 111.0
    assert venue.open_orders == 0


def test_order_whose_book_is_no_longer_kept_is_counted_and_meets_the_oldest_kept_one() -> None:
    venue = EventTimeVenue(ExecutionConfig(), books_kept=4)
    for step in range(9):
        venue.on_book(make_book(T0 + step * MS, 100.0 + step, 101.0 + step))
    (fill,) = venue.submit(make_order(at_ns=T0))
    assert isinstance(fill, Fill)
    assert fill.timestamp_ns == T0 + 4 * MS
    assert venue.too_late == 1


def test_bad_and_backward_market_data_is_not_traded_on() -> None:
    venue = EventTimeVenue(ExecutionConfig())
    venue.submit(make_order(at_ns=T0))
    assert venue.on_book(make_book(T0, 102.0, 101.0)) == ()
    venue.on_book(make_book(T0 - MS))
    assert venue.on_book(make_book(T0 - 2 * MS)) == ()
    assert venue.rejected == {"crossed_book": 1, "time_backwards": 1}
    assert venue.open_orders == 1


def test_a_book_far_ahead_waits_for_others_and_does_not_make_all_later_ones_old() -> None:
    day_ns = 86_400 * 1_000 * MS
    venue = EventTimeVenue(ExecutionConfig(), jumps=JumpRule(day_ns))
    for at_ns in (T0, T0 + MS, T0 + 3000 * day_ns, T0 + 2 * MS):
        venue.on_book(make_book(at_ns))
    assert venue.rejected == {"time_jump": 1}
    assert venue.newest_ns("BTCUSDT") == T0 + 2 * MS
    venue.submit(make_order(at_ns=T0 + 3 * day_ns))
    monday = [make_book(T0 + 3 * day_ns + step * MS, 100.0 + step, 101.0 + step) for step in range(4)]
    assert [venue.on_book(each) for each in monday[:3]] == [[], [], []]
    (fill,) = venue.on_book(monday[3])
    assert isinstance(fill, Fill)
    assert (fill.price, fill.timestamp_ns) == (101.0, T0 + 3 * day_ns)


def test_symbol_with_only_bars_fills_at_their_close() -> None:
    venue = EventTimeVenue(ExecutionConfig())
    (fill,) = [*venue.submit(make_order()), *venue.on_bar(BarEvent("BTCUSDT", T0, OHLCV(1.0, 3.0, 1.0, 2.0, 9.0)))]
    assert isinstance(fill, Fill)
    assert fill.price == 2.0


def test_a_bar_without_volume_fills_at_its_close_and_a_book_without_quantity_does_not() -> None:
    venue = EventTimeVenue(ExecutionConfig())
    (fill,) = [*venue.submit(make_order()), *venue.on_bar(BarEvent("BTCUSDT", T0, OHLCV(1.0, 3.0, 1.0, 2.0, 0.0)))]
    assert isinstance(fill, Fill)
    assert fill.price == 2.0
    empty = OrderBook((PriceLevel(1.0, 0.0),), (PriceLevel(3.0, 0.0),))
    venue.on_book(BookEvent("BTCUSDT", T0 + MS, empty))
    assert venue.submit(make_order(at_ns=T0 + MS, order_id="second")) == []
    assert venue.open_orders == 1


PRICES = st.integers(1, 30)
LEVELS = st.integers(1, 4)
QUANTITIES = st.integers(0, 4)


@st.composite
def market(draw: st.DrawFn) -> list[BookEvent]:
    """Books of one symbol with rising times."""
    events, now_ns = [], T0
    for _ in range(draw(st.integers(1, 25))):
        now_ns += draw(st.integers(1, 4)) * MS
        bid = draw(PRICES) + 100.0
        bids = tuple(PriceLevel(bid - n, float(draw(QUANTITIES))) for n in range(draw(LEVELS)))
        asks = tuple(PriceLevel(bid + 1 + n, float(draw(QUANTITIES))) for n in range(draw(LEVELS)))
        events.append(BookEvent("BTCUSDT", now_ns, OrderBook(bids, asks)))
    return events


@given(
    books=market(),
    latency_ms=st.sampled_from([0.0, 1.0, 3.0, 7.0]),
    depth=st.sampled_from(["touch", "walk"]),
    data=st.data(),
)
def test_paper_fills_are_replays_fills_whatever_came_first(books, latency_ms, depth, data) -> None:
    costs = {"commission_bps": 2.0, "slippage_bps": 3.0}
    replay = SimulatedVenue(int(latency_ms * MS), depth=depth, **costs)
    paper = EventTimeVenue(ExecutionConfig(latency_ms=latency_ms, depth=depth, **costs))
    expected: list[Fill] = []
    late: list[tuple[int, Order]] = []  # (place of the book before which it reaches the paper service, order)
    for place, event in enumerate(books):
        expected.extend(replay.on_book(event.symbol, event.book, event.timestamp_ns))
        for number in range(data.draw(st.integers(0, 2))):
            limit = data.draw(st.none() | PRICES.map(lambda price: price + 100.0))
            order = make_order(
                f"o-{place}-{number}",
                side=data.draw(st.sampled_from(Side)),
                quantity=float(data.draw(st.integers(1, 6))),
                at_ns=event.timestamp_ns,
                limit=limit,
            )
            expected.extend(replay.submit(order, event.book, event.timestamp_ns))
            late.append((data.draw(st.integers(0, len(books))), order))
    got: list[Fill] = []
    for place in range(len(books) + 1):
        for arrival, order in late:
            if arrival == place:
                got.extend(paper.submit(order))
        if place < len(books):
            got.extend(paper.on_book(books[place]))
    assert sorted(got, key=lambda fill: fill.fill_id) == sorted(expected, key=lambda fill: fill.fill_id)


# The desk: answers.


def desk_with_book(**execution: float) -> tuple[PaperOrderBook, list[Fill]]:
    fills: list[Fill] = []
    desk = PaperOrderBook(EventTimeVenue(ExecutionConfig(**execution)), fills.append)
    desk.on_book(make_book())
    return desk, fills


def test_repeated_id_gets_its_first_answer_and_is_not_executed_again() -> None:
    desk, fills = desk_with_book()
    first = desk.submit(request_of(make_order()))
    desk.on_book(make_book(T0 + MS))
    again = desk.submit(request_of(make_order(quantity=7.0, at_ns=T0 + MS)))
    assert again == first
    assert [fill.quantity for fill in fills] == [1.0]


def test_listener_gets_the_answer_before_the_news() -> None:
    desk, _ = desk_with_book()
    reports: list[pb.OrderReport] = []
    desk.submit(request_of(make_order()), reports.append)
    assert [report.status for report in reports] == [pb.ORDER_STATUS_ACCEPTED, pb.ORDER_STATUS_FILLED]
    desk.submit(request_of(make_order()), reports.append)
    assert [report.status for report in reports[2:]] == [pb.ORDER_STATUS_ACCEPTED, pb.ORDER_STATUS_FILLED]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("client_order_id", "", "client_order_id: expected 1 to 128"),
        ("client_order_id", "x" * 129, "client_order_id: expected 1 to 128"),
        ("symbol", "", "symbol: expected 1 to 64"),
        ("side", 0, "side: expected SIDE_BUY or SIDE_SELL"),
        ("side", 9, "side: expected SIDE_BUY or SIDE_SELL"),
        ("type", 0, "type: expected"),
        ("quantity", 0.0, "quantity: expected a finite number above 0"),
        ("quantity", -1.0, "quantity: expected"),
        ("quantity", float("nan"), "quantity: expected"),
        ("quantity", float("inf"), "quantity: expected"),
        ("limit_price", 5.0, "limit_price: expected none"),
        ("timestamp_ns", -1, "timestamp_ns: expected"),
    ],
)
def test_bad_order_is_rejected_with_the_field_and_the_value(field: str, value: object, words: str) -> None:
    desk, fills = desk_with_book()
    request = request_of(make_order())
    setattr(request, field, value)
    reply = desk.submit(request)
    assert reply.status == pb.ORDER_STATUS_REJECTED
    assert reply.reason.startswith(words)
    assert not fills


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_limit_order_without_a_usable_limit_is_rejected(limit: float) -> None:
    desk, _ = desk_with_book()
    request = request_of(make_order(limit=90.0))
    request.limit_price = limit
    assert desk.submit(request).reason.startswith("limit_price: expected a finite number above 0")


def test_cancel_says_what_is_true_of_the_order() -> None:
    desk, _ = desk_with_book()
    desk.submit(request_of(make_order("rests", limit=90.0)))
    desk.submit(request_of(make_order("filled")))

    def cancelled(order_id: str) -> int:
        return desk.cancel(pb.CancelRequest(client_order_id=order_id)).status

    assert cancelled("rests") == pb.ORDER_STATUS_CANCELLED
    assert cancelled("rests") == pb.ORDER_STATUS_CANCELLED
    assert cancelled("filled") == pb.ORDER_STATUS_FILLED
    assert cancelled("nobody's") == pb.ORDER_STATUS_REJECTED


def test_who_sent_and_cancels_an_order_hears_of_its_end_once() -> None:
    class Session:
        def __init__(self) -> None:
            self.reports: list[pb.OrderReport] = []

        def put(self, report: pb.OrderReport) -> None:
            self.reports.append(report)

    desk, _ = desk_with_book()
    sender, other = Session(), Session()
    for order_id, asks in (("own", sender), ("others", other)):
        desk.submit(request_of(make_order(order_id, limit=90.0)), sender.put)
        desk.cancel(pb.CancelRequest(client_order_id=order_id), asks.put)
    cancelled = [report for report in sender.reports if report.status == pb.ORDER_STATUS_CANCELLED]
    assert [(report.client_order_id, report.cause) for report in cancelled] == [
        ("own", pb.REPORT_CAUSE_CANCEL),
        ("others", pb.REPORT_CAUSE_MARKET),
    ]
    assert [report.client_order_id for report in other.reports] == ["others"]


def test_cancel_with_latency_is_reported_when_it_arrives() -> None:
    desk, fills = desk_with_book(latency_ms=2.0)
    reports: list[pb.OrderReport] = []
    desk.submit(request_of(make_order(limit=90.0)), reports.append)
    desk.cancel(pb.CancelRequest(client_order_id="o-1", timestamp_ns=T0), reports.append)
    desk.on_book(make_book(T0 + 3 * MS, 80.0, 81.0))
    assert [report.status for report in reports] == [
        pb.ORDER_STATUS_ACCEPTED,
        pb.ORDER_STATUS_ACCEPTED,
        pb.ORDER_STATUS_CANCELLED,
    ]
    assert not fills


def test_memory_of_ended_orders_is_bounded() -> None:
    fills: list[Fill] = []
    desk = PaperOrderBook(EventTimeVenue(ExecutionConfig()), fills.append, orders_kept=3)
    desk.on_book(make_book())
    for number in range(10):
        desk.submit(request_of(make_order(f"o-{number}")))
    assert len(desk._records) == 3
    assert len(fills) == 10


def test_too_many_open_orders_are_rejected() -> None:
    desk = PaperOrderBook(EventTimeVenue(ExecutionConfig()), list, max_open_orders=1)
    desk.submit(request_of(make_order("a")))
    assert desk.submit(request_of(make_order("b"))).reason == "1 orders are open already"


def test_restored_desk_knows_its_orders_and_goes_on_with_the_open_ones(tmp_path: Path) -> None:
    execution = ExecutionConfig(depth="walk")
    path = tmp_path / "orders.journal"
    fills: list[Fill] = []
    desk = PaperOrderBook(EventTimeVenue(execution), fills.append, PaperJournal(path))
    desk.on_book(make_book())  # five units at the touch
    desk.submit(request_of(make_order("part", quantity=7.0)))
    desk.submit(request_of(make_order("whole", quantity=1.0)))
    desk.submit(request_of(make_order("gone", limit=50.0)))
    desk.cancel(pb.CancelRequest(client_order_id="gone"))

    with path.open("ab") as file:
        file.write(b'{"type":"fill","fi')  # killed while writing
    journal = PaperJournal(path)
    after: list[Fill] = []
    restored = PaperOrderBook(EventTimeVenue(execution), after.append, journal)
    unpublished = restored.restore(journal.read())
    assert [fill.fill_id for fill in unpublished] == ["part-1", "whole-1"]
    assert restored.submit(request_of(make_order("whole"))).status == pb.ORDER_STATUS_ACCEPTED
    restored.on_book(make_book(T0 + MS))
    assert [(fill.fill_id, fill.quantity) for fill in after] == [("part-2", 2.0)]
    assert restored.cancel(pb.CancelRequest(client_order_id="gone")).status == pb.ORDER_STATUS_CANCELLED
    assert PaperJournal(path).read()[-1].fill.fill_id == "part-2"


def test_restored_limit_order_rests_and_fills_at_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "orders.journal"
    desk = PaperOrderBook(EventTimeVenue(ExecutionConfig()), list, PaperJournal(path))
    desk.on_book(make_book())
    desk.submit(request_of(make_order("rests", limit=95.0)))
    fills: list[Fill] = []
    journal = PaperJournal(path)
    restored = PaperOrderBook(EventTimeVenue(ExecutionConfig()), fills.append, journal)
    restored.restore(journal.read())

    # The market went through the limit meanwhile: an order that only arrived now would get the touch, 91.
    restored.on_book(make_book(T0 + MS, 90.0, 91.0))

    assert [(fill.order_id, fill.price) for fill in fills] == [("rests", 95.0)]


@pytest.mark.parametrize("known", [0, 1, 2, 3, 4])
def test_of_books_with_one_timestamp_an_order_meets_the_one_it_was_decided_on(known: int) -> None:
    fills: list[Fill] = []
    desk = PaperOrderBook(EventTimeVenue(ExecutionConfig()), fills.append)
    books = [make_book(T0, 100.0 - step, 101.0 - step) for step in range(3)] + [make_book(T0 + MS, 80.0, 81.0)]
    for book in books[:known]:
        desk.on_book(book)
    desk.submit(request_of(make_order("third"), book_crc(books[2].book)))
    for book in books[known:]:
        desk.on_book(book)

    assert [fill.price for fill in fills] == [99.0]


def test_an_order_whose_book_never_comes_meets_the_next_one_later() -> None:
    fills: list[Fill] = []
    desk = PaperOrderBook(EventTimeVenue(ExecutionConfig()), fills.append)
    desk.on_book(make_book(T0))
    desk.submit(request_of(make_order("lost"), 12345))
    desk.on_book(make_book(T0 + MS, 90.0, 91.0))

    assert [fill.price for fill in fills] == [91.0]


def test_journal_stays_short_and_keeps_what_is_open_or_unpublished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sengine.adapters.paper.order_book, "JOURNAL_ORDERS_KEPT", 3)
    path = tmp_path / "orders.journal"
    journal = PaperJournal(path, compact_from_bytes=4_000)
    fills: list[Fill] = []
    desk = PaperOrderBook(EventTimeVenue(ExecutionConfig()), fills.append, journal)
    desk.on_book(make_book())
    desk.submit(request_of(make_order("rests", limit=90.0)))
    sizes = []
    for number in range(200):
        desk.submit(request_of(make_order(f"o-{number}")))
        if number:  # the very first fill never reaches the broker
            journal.append(NewsLine(published=fills[-1].fill_id))
        sizes.append(path.stat().st_size)
    assert max(sizes) < 20_000 < sizes[5] / 6 * 200
    journal.close()

    after: list[Fill] = []
    journal = PaperJournal(path)
    restored = PaperOrderBook(EventTimeVenue(ExecutionConfig()), after.append, journal)
    assert [fill.order_id for fill in restored.restore(journal.read())] == ["o-0"]
    assert restored.submit(request_of(make_order("o-199"))).status == pb.ORDER_STATUS_ACCEPTED
    assert restored.repeated == 1
    restored.on_book(make_book(T0 + MS, 88.0, 89.0))
    assert [fill.order_id for fill in after] == ["rests"]
    journal.close()


def test_journal_that_is_something_else_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("hello\n")
    with pytest.raises(ConfigError, match=r"notes\.txt:1: expected a journal's line"):
        PaperJournal(path).read()


# The service: real gRPC, real NATS.


@pytest.fixture
async def client(broker: EmbeddedBroker) -> AsyncIterator[Client]:
    connection = await nats.connect(broker.url, reconnect_time_wait=0.05, max_reconnect_attempts=-1)
    yield connection
    await connection.close()


@pytest.fixture
async def service(broker: EmbeddedBroker) -> AsyncIterator[PaperExecution]:
    paper = PaperExecution(Config(), broker.url)
    await paper.start()
    yield paper
    await paper.stop()


async def listen_for_fills(client: Client, hub: RecordingHub) -> None:
    decoder = Decoder()

    async def take(message: object) -> None:
        assert message.headers["Nats-Msg-Id"]
        hub.process(decoder.decode_fill(message.data))

    await client.subscribe("fills", cb=take)
    await client.flush()


async def publish_book(client: Client, event: BookEvent) -> None:
    await client.publish(f"market_data.{event.symbol}.orderbook", encode_book(event))


async def test_order_over_grpc_fills_over_nats(service: PaperExecution, client: Client) -> None:
    hub = RecordingHub()
    await listen_for_fills(client, hub)
    await publish_book(client, make_book())
    async with grpc.aio.insecure_channel(service.address) as channel:
        stub = OrderExecutionStub(channel)
        reply = await stub.SubmitOrder(request_of(make_order()))
        assert reply.status == pb.ORDER_STATUS_ACCEPTED
        await hub.until(lambda: len(hub.fills) == 1)
        assert (await stub.SubmitOrder(request_of(make_order()))) == reply
        reply = await stub.CancelOrder(pb.CancelRequest(client_order_id="o-1"))
        assert reply.status == pb.ORDER_STATUS_FILLED
    (fill,) = hub.fills
    assert (fill.fill_id, fill.order_id, fill.price, fill.timestamp_ns) == ("o-1-1", "o-1", 101.0, T0)


async def test_bad_market_data_does_not_stop_the_service(service: PaperExecution, client: Client) -> None:
    hub = RecordingHub()
    await listen_for_fills(client, hub)
    for payload in (b"", b"\xff\x00", b"{}", b'{"timestamp": 1}', b"[" * 5000):
        await client.publish("market_data.BTCUSDT.orderbook", payload)
    await publish_book(client, make_book())
    async with grpc.aio.insecure_channel(service.address) as channel:
        await OrderExecutionStub(channel).SubmitOrder(request_of(make_order()), timeout=PATIENCE_S)
        await hub.until(lambda: len(hub.fills) == 1)
    assert sum(service.malformed.values()) == 5


async def test_reflection_lists_the_services_and_health_answers(service: PaperExecution) -> None:
    async with grpc.aio.insecure_channel(service.address) as channel:
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(
            iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        )
        answer = await call.read()
        names = {item.name for item in answer.list_services_response.service}
        health = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service="sengine.execution.v1.OrderExecution")
        )
    assert {"sengine.execution.v1.OrderExecution", "grpc.health.v1.Health"} <= names
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_fills_go_through_jetstream_where_a_stream_captures_them(broker: EmbeddedBroker, client: Client) -> None:
    await client.jetstream().add_stream(name="FILLS", subjects=["fills"])
    paper = PaperExecution(Config(), broker.url)
    await paper.start()
    hub = RecordingHub()
    try:
        await publish_book(client, make_book())
        async with grpc.aio.insecure_channel(paper.address) as channel:
            await OrderExecutionStub(channel).SubmitOrder(request_of(make_order()))
            await hub.until(lambda: paper.fills.published == 1)
    finally:
        await paper.stop()
    assert (await client.jetstream().stream_info("FILLS")).state.messages == 1


async def test_fill_made_while_the_broker_is_away_is_published_when_it_is_back(
    service: PaperExecution, broker: EmbeddedBroker, client: Client
) -> None:
    hub = RecordingHub()
    await listen_for_fills(client, hub)
    await publish_book(client, make_book())
    await hub.until(lambda: service.venue.newest_ns("BTCUSDT") == T0)
    await broker.stop()
    await hub.until(lambda: not service.is_connected)
    async with grpc.aio.insecure_channel(service.address) as channel:
        await OrderExecutionStub(channel).SubmitOrder(request_of(make_order()))
    assert service.fills.waiting == 1
    async with asyncio.timeout(PATIENCE_S):
        while not hub.fills:
            await broker.start()
            await hub.until(lambda: service.fills.waiting == 0)
            # The subscriber may come back later than the publisher: core NATS keeps nothing for it.
            await hub.until(lambda: client.is_connected)
            if not hub.fills:
                service.fills.publish(Fill("o-1", "", "BTCUSDT", "buy", 101.0, 1.0, 0.0, T0, "o-1-1"))
                await hub.until(lambda: service.fills.waiting == 0)
    assert hub.fills[0].fill_id == "o-1-1"


async def test_unix_socket_is_its_owners_alone_and_taken_once(broker: EmbeddedBroker, tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/paper.sock"
    paper = PaperExecution(Config(), broker.url, listen)
    assert await paper.start() == listen
    try:
        assert (tmp_path / "paper.sock").stat().st_mode & 0o077 == 0
        with pytest.raises(SengineError):
            await PaperExecution(Config(), broker.url, listen).start()
        async with grpc.aio.insecure_channel(listen) as channel:
            reply = await OrderExecutionStub(channel).SubmitOrder(request_of(make_order()))
        assert reply.status == pb.ORDER_STATUS_ACCEPTED
    finally:
        await paper.stop()


@pytest.mark.parametrize("listen", ["", "localhost", "127.0.0.1:", "127.0.0.1:99999", ":80", "127.0.0.1:²"])
async def test_bad_listen_address_is_a_sentence(listen: str) -> None:
    with pytest.raises(ConfigError, match="--listen"):
        await PaperExecution(Config(), "nats://127.0.0.1:1", listen).start()
