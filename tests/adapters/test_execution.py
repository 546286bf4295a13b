from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from time import sleep

import nats
import pytest

from sengine.adapters.containment.standstill import since_boot_ns
from sengine.adapters.execution.gateway import ExecutionGateway
from sengine.adapters.execution.stats import GatewayStats
from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.nats.wire import Decoder
from sengine.adapters.nats.wire_encoding import encode_book
from sengine.adapters.paper.service import PaperExecution
from sengine.config.schema import Config, ExecutionConfig
from sengine.domain.order import ProposedOrder, Side
from sengine.proto import execution_pb2 as pb
from tests.adapters.execution_fixtures import MS, T0, RecordingHub, make_book, make_order
from tests.adapters.slow_execution import SlowExecution
from tests.patience import PATIENCE_S


@pytest.fixture
def hub() -> RecordingHub:
    return RecordingHub()


@pytest.fixture
async def slow() -> AsyncIterator[SlowExecution]:
    server = SlowExecution()
    await server.start()
    yield server
    await server.stop()


class Gateways:
    """Makes gateways and stops them all."""

    def __init__(self, hub: RecordingHub) -> None:
        self._hub = hub
        self._made: list[ExecutionGateway] = []

    async def make(self, target: str, *, connected: bool = True, **execution: float) -> ExecutionGateway:
        gateway = ExecutionGateway(target, ExecutionConfig(**execution), self._hub, GatewayStats())
        self._made.append(gateway)
        await gateway.start()
        if connected:
            await self._hub.until(lambda: gateway.stats.state == "connected")
        return gateway

    async def stop(self) -> None:
        for gateway in self._made:
            await gateway.stop(0.05)


@pytest.fixture
async def gateways(hub: RecordingHub) -> AsyncIterator[Gateways]:
    made = Gateways(hub)
    yield made
    await made.stop()


NOBODY = "127.0.0.1:1"


async def test_only_approved_orders_are_taken(gateways: Gateways) -> None:
    gateway = await gateways.make(NOBODY, connected=False)
    proposal = ProposedOrder("BTCUSDT", Side.BUY, 1.0, T0, ())
    with pytest.raises(TypeError, match="expected an Order"):
        gateway.send(proposal)
    assert gateway.stats.queue_depth == 0


async def test_order_is_acknowledged_and_measured(gateways: Gateways, hub: RecordingHub, slow: SlowExecution) -> None:
    gateway = await gateways.make(slow.address)
    order = make_order(quantity=0.25, limit=99.5, side=Side.SELL)
    gateway.send(order)
    await hub.until(lambda: hub.statuses("o-1") == ["accepted"])
    stats = gateway.stats
    assert (stats.sent, stats.accepted, stats.queue_depth) == (1, 1, 0)
    assert stats.ack.percentile_ns(0.5) > 0
    assert stats.tick_to_order.percentile_ns(0.5) > 0
    (command,) = slow.commands
    assert command.submit == pb.OrderRequest(
        client_order_id="o-1",
        symbol="BTCUSDT",
        side=pb.SIDE_SELL,
        type=pb.ORDER_TYPE_LIMIT,
        quantity=0.25,
        limit_price=99.5,
        timestamp_ns=T0,
    )


async def test_rejection_reaches_the_engine(gateways: Gateways, hub: RecordingHub, slow: SlowExecution) -> None:
    slow.status = pb.ORDER_STATUS_REJECTED
    gateway = await gateways.make(slow.address)
    gateway.send(make_order())
    await hub.until(lambda: hub.statuses("o-1") == ["rejected"])
    assert gateway.stats.rejected == 1


async def test_cancellation_goes_out_and_comes_back(gateways: Gateways, hub: RecordingHub, slow: SlowExecution) -> None:
    gateway = await gateways.make(slow.address)
    gateway.send(make_order(limit=50.0))
    await hub.until(lambda: hub.statuses("o-1") == ["accepted"])
    gateway.cancel("o-1")
    gateway.cancel("o-1")
    await hub.until(lambda: hub.statuses("o-1") == ["accepted", "cancelled"])
    assert gateway.stats.cancels == 1


async def test_cancellation_of_what_never_left_ends_it_here(gateways: Gateways, hub: RecordingHub) -> None:
    gateway = await gateways.make(NOBODY, connected=False)
    gateway.send(make_order())
    gateway.cancel("o-1")
    await hub.until(lambda: hub.statuses("o-1") == ["cancelled"])
    assert hub.updates[0].reason == "cancelled before it was sent"


async def test_full_queue_rejects_at_once(gateways: Gateways, hub: RecordingHub) -> None:
    gateway = await gateways.make(NOBODY, connected=False, queue_limit=3)
    for number in range(5):
        gateway.send(make_order(f"o-{number}"))
    await hub.until(lambda: len(hub.updates) == 2)
    assert [update.order_id for update in hub.updates] == ["o-3", "o-4"]
    assert {str(update.status) for update in hub.updates} == {"rejected"}
    assert "3 orders wait to be sent already" in hub.updates[0].reason
    assert (gateway.stats.dropped, gateway.stats.rejected, gateway.stats.queue_depth) == (2, 2, 3)


async def test_order_that_cannot_be_sent_for_too_long_is_rejected(gateways: Gateways, hub: RecordingHub) -> None:
    gateway = await gateways.make(NOBODY, connected=False, retry_for_ms=60.0)
    gateway.send(make_order())
    await hub.until(lambda: hub.statuses("o-1") == ["rejected"])
    assert "certainly did not leave" in hub.updates[0].reason


async def test_slow_answer_is_unknown_once_and_resolved_when_it_comes(
    gateways: Gateways, hub: RecordingHub, slow: SlowExecution
) -> None:
    slow.delay_s = 2.0
    gateway = await gateways.make(slow.address, deadline_ms=200.0)
    gateway.send(make_order())
    await hub.until(lambda: hub.statuses("o-1") == ["unknown"])
    assert "no answer from" in hub.updates[0].reason
    await hub.until(lambda: hub.statuses("o-1") == ["unknown", "accepted"])
    assert (gateway.stats.unknown, gateway.stats.late, gateway.stats.retried) == (1, 1, 0)
    assert slow.submitted() == ["o-1"]


async def test_unanswered_order_is_sent_again_after_a_broken_connection(
    gateways: Gateways, hub: RecordingHub, slow: SlowExecution
) -> None:
    slow.hangs_up_on = "o-1"
    gateway = await gateways.make(slow.address)
    gateway.send(make_order("o-0"))
    await hub.until(lambda: hub.statuses("o-0") == ["accepted"])
    gateway.send(make_order("o-1"))
    await hub.until(lambda: hub.statuses("o-1") == ["accepted"])
    assert slow.submitted() == ["o-0", "o-1", "o-1"]
    assert (gateway.stats.retried, gateway.stats.sent, gateway.stats.reconnects) == (1, 2, 1)
    assert [event for level, event, _ in hub.lines if level == "warning"] == [
        "connection to the execution service lost"
    ]


async def test_unanswered_order_that_is_too_old_is_unknown_and_not_sent_again(
    gateways: Gateways, hub: RecordingHub, slow: SlowExecution
) -> None:
    slow.hangs_up_on = "o-1"
    gateway = await gateways.make(slow.address, retry_for_ms=0.0, deadline_ms=60_000.0)
    gateway.send(make_order())
    await hub.until(lambda: hub.statuses("o-1") == ["unknown"])
    assert gateway.stats.retried == 0
    assert slow.submitted() == ["o-1"]


async def test_service_that_comes_late_gets_what_waits(gateways: Gateways, hub: RecordingHub) -> None:
    server = SlowExecution()
    address = await server.start()
    await server.stop()
    gateway = await gateways.make(address, connected=False, retry_for_ms=20_000.0)
    gateway.send(make_order())
    assert gateway.stats.state != "connected"
    await server.start(address)
    try:
        await hub.until(lambda: hub.statuses("o-1") == ["accepted"])
    finally:
        await server.stop()


async def test_stopping_flushes_the_queue(gateways: Gateways, hub: RecordingHub, slow: SlowExecution) -> None:
    gateway = await gateways.make(slow.address)
    for number in range(50):
        gateway.send(make_order(f"o-{number}"))
    await gateway.stop()
    assert len(slow.submitted()) == 50
    assert all(hub.statuses(f"o-{number}") == ["accepted"] for number in range(50))
    gateway.send(make_order("after"))
    await hub.until(lambda: hub.statuses("after") == ["rejected"])


async def test_stopping_says_what_is_not_known(gateways: Gateways, hub: RecordingHub, slow: SlowExecution) -> None:
    slow.delay_s = 30.0
    gateway = await gateways.make(slow.address)
    gateway.send(make_order("written"))
    await hub.until(lambda: slow.submitted() == ["written"])
    await gateway.stop(0.05)
    assert hub.statuses("written") == ["unknown"]


# Against the paper service, over a real broker.


@pytest.fixture
async def client(broker: EmbeddedBroker, hub: RecordingHub) -> AsyncIterator[nats.NATS]:
    """A connection whose fills go to the hub."""
    connection = await nats.connect(broker.url)
    decoder = Decoder()

    async def take(message: object) -> None:
        hub.process(decoder.decode_fill(message.data))

    await connection.subscribe("fills", cb=take)
    yield connection
    await connection.close()


async def test_order_fills_at_its_book_although_later_books_arrived_first(
    gateways: Gateways, hub: RecordingHub, broker: EmbeddedBroker, client: nats.NATS
) -> None:
    paper = PaperExecution(Config(), broker.url)
    gateway = await gateways.make(await paper.start())
    try:
        for step in range(20):
            event = make_book(T0 + step * MS, 100.0 + step, 101.0 + step)
            await client.publish("market_data.BTCUSDT.orderbook", encode_book(event))
        await hub.until(lambda: paper.venue.newest_ns("BTCUSDT") == T0 + 19 * MS)
        gateway.send(make_order(at_ns=T0 + 3 * MS))
        await hub.until(lambda: len(hub.fills) == 1 and hub.statuses("o-1") == ["accepted"])
        assert (hub.fills[0].price, hub.fills[0].timestamp_ns) == (104.0, T0 + 3 * MS)
        assert gateway.stats.malformed == 0
    finally:
        await gateway.stop()
        await paper.stop()


async def start_paper(broker: EmbeddedBroker, listen: str, folder: Path) -> asyncio.subprocess.Process:
    (folder / "address").unlink(missing_ok=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "sengine", "paper", "--nats", broker.url, "--listen", listen),
        *("--journal", str(folder / "journal"), "--address-file", str(folder / "address")),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(PATIENCE_S):
        while not (folder / "address").exists():
            assert process.returncode is None
            await asyncio.sleep(0.01)
    return process


async def test_service_killed_and_back_neither_duplicates_nor_forgets_an_order(
    gateways: Gateways, hub: RecordingHub, broker: EmbeddedBroker, client: nats.NATS, tmp_path: Path
) -> None:
    listen = f"unix:{tmp_path}/paper.sock"
    process = await start_paper(broker, listen, tmp_path)
    gateway = await gateways.make(listen, retry_for_ms=30_000.0, deadline_ms=30_000.0)
    gateway.send(make_order("resting", limit=50.0))
    ids = [f"o-{number}" for number in range(300)]

    async def next_book(step: int, ask: float = 101.0) -> None:
        await client.publish("market_data.BTCUSDT.orderbook", encode_book(make_book(T0 + step * MS, ask - 1, ask)))

    try:
        for number, order_id in enumerate(ids):
            await next_book(number)
            gateway.send(make_order(order_id, at_ns=T0 + number * MS))
            if number == 150:
                # In the middle of it: some answered, some on their way, some not sent.
                await hub.until(lambda: gateway.stats.accepted > 75)
                os.kill(process.pid, signal.SIGKILL)
                await process.wait()
                restart = asyncio.create_task(start_paper(broker, listen, tmp_path))
            await asyncio.sleep(0)
        process = await restart
        await hub.until(lambda: all(hub.statuses(order_id) == ["accepted"] for order_id in ids))
        # Orders stamped before the restart find no book of their time any more and meet the next one.
        await next_book(1000)
        await hub.until(lambda: {fill.order_id for fill in hub.fills} >= set(ids))
        await next_book(1001, ask=40.0)
        await hub.until(lambda: any(fill.order_id == "resting" for fill in hub.fills))
    finally:
        await gateway.stop()
        process.terminate()
        assert await asyncio.wait_for(process.wait(), PATIENCE_S) == 0
    # A fill may be published twice, but under one id; by id each order is filled exactly once.
    quantities: dict[str, dict[str, float]] = {}
    for fill in hub.fills:
        quantities.setdefault(fill.order_id, {})[fill.fill_id] = fill.quantity
    assert all(sum(parts.values()) == 1.0 for parts in quantities.values())
    assert len(quantities) == len(ids) + 1
    assert gateway.stats.unknown == 0


async def test_an_answer_that_came_while_the_loop_was_held_up_is_read_before_the_order_is_called_unknown(
    gateways: Gateways, hub: RecordingHub, slow: SlowExecution
) -> None:
    slow.delay_s = 0.05
    gateway = await gateways.make(slow.address, deadline_ms=1000.0)
    gateway.send(make_order())
    await hub.until(slow.submitted)
    sleep(2.0)
    await hub.until(lambda: hub.statuses("o-1"))
    assert hub.statuses("o-1") == ["accepted"]
    assert gateway.stats.unknown == 0


async def test_an_order_that_waits_to_be_sent_gets_older_while_the_machine_sleeps(
    gateways: Gateways, hub: RecordingHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = await gateways.make(NOBODY, connected=False, retry_for_ms=600_000.0)
    gateway.send(make_order())
    now_ns = since_boot_ns()
    monkeypatch.setattr("sengine.adapters.execution.gateway.since_boot_ns", lambda: now_ns + 3_600_000 * MS)
    await hub.until(lambda: hub.statuses("o-1") == ["rejected"])
    assert "certainly did not leave" in hub.updates[0].reason
