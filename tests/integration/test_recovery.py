"""An engine that is killed at any moment comes back knowing what it had, and what became of it meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sengine.adapters.broker import EmbeddedBroker
from sengine.adapters.journal_reader import JournalReader
from sengine.adapters.paper_journal import FillLine, Line, NewsLine, OrderLine
from sengine.domain.order import Fill, OrderUpdate
from sengine.domain.position import Position
from sengine.engine.following import Happened
from sengine.proto import execution_pb2 as pb
from sengine.verification import verify
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until
from tests.integration.process_host import ProcessHost
from tests.patience import PATIENCE_S

NewEngine = Callable[..., EngineProcess]
KILLS = 5
"""In a row, of one engine."""
ROUNDS = max(1, int(os.environ.get("KILLS", "5")) // KILLS)
SEED = int(os.environ.get("SEED", "20240808"))
MAKER = flipper(away=1.0) | {"id": "rest"}


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A broker that outlives the engine."""
    broker = EmbeddedBroker(tmp_path / "broker")
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture(scope="module")
def host() -> Iterator[ProcessHost]:
    host = ProcessHost()
    yield host
    host.close()


class Record:
    """What the execution service and the engine's journal have on record."""

    def __init__(self, engine: EngineProcess) -> None:
        data = engine.folder / "data"
        decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
        self.requests: dict[str, pb.OrderRequest] = {}
        self.cancelled: set[str] = set()
        self.fills: list[Fill] = []
        for text in (data / "paper.journal").read_bytes().splitlines(keepends=True):
            if not text.endswith(b"\n"):
                break
            line = decoder.decode(text)
            if isinstance(line, OrderLine):
                request = pb.OrderRequest.FromString(line.request)
                assert request.client_order_id not in self.requests
                self.requests[request.client_order_id] = request
                if pb.OrderReply.FromString(line.reply).status == pb.ORDER_STATUS_REJECTED:
                    self.cancelled.add(request.client_order_id)
            elif isinstance(line, FillLine):
                self.fills.append(line.fill)
            elif isinstance(line, NewsLine) and line.reply:
                self.cancelled.add(pb.OrderReply.FromString(line.reply).client_order_id)
        records = [entry.record for entry in JournalReader(data / "journal")]
        self.orders = [order for each in records if isinstance(each, Happened) for order in each.orders]
        ends = ("rejected", "cancelled")
        self.ended = {each.order_id for each in records if isinstance(each, OrderUpdate) and each.status in ends}

    def books(self) -> dict[str, Position]:
        """The strategies' positions by the service's fills, shared out by the orders that were sent."""
        owner = {order.order_id: order.contributions[0].strategy_id for order in self.orders}
        books: dict[str, Position] = {}
        for fill in self.fills:
            strategy_id = owner[fill.order_id]
            position = books.setdefault(strategy_id, Position(strategy_id, fill.symbol))
            position.apply(fill.signed_quantity, fill.price, fill.commission)
        return books

    def check_orders(self) -> None:
        """Each order once, and none forgotten."""
        ids = [order.order_id for order in self.orders]
        assert len(ids) == len(set(ids))
        causes = Counter(part.signal_sequence for order in self.orders for part in order.contributions)
        assert set(causes.values()) == {1}
        assert set(self.requests) <= set(ids)
        filled: Counter[str] = Counter()
        for fill in self.fills:
            filled[fill.order_id] += fill.quantity
        fills = [fill.fill_id for fill in self.fills]
        assert len(fills) == len(set(fills))
        for order in self.orders:
            if order.order_id not in self.requests:
                assert order.order_id in self.ended
            else:
                assert filled[order.order_id] <= order.quantity


def agrees(engine: EngineProcess) -> bool:
    """Whether nothing is in flight but resting orders, and the engine holds what the service's record makes."""
    record = Record(engine)
    resting = {order_id for order_id, request in record.requests.items() if request.type == pb.ORDER_TYPE_LIMIT}
    open_at_service = set(record.requests) - record.cancelled - {fill.order_id for fill in record.fills}
    if open_at_service - resting or engine.metric("sengine_orders_open") != len(open_at_service):
        return False
    held = {each["strategy_id"]: each["quantity"] for each in engine.positions()}
    books = record.books()
    metrics = engine.metrics()
    profits = {name: metrics.get(f"strategy_pnl{{strategy_id={name}}}") for name in books}
    return held == {name: each.quantity for name, each in books.items() if each.quantity} and profits == pytest.approx(
        {name: each.realized_pnl for name, each in books.items()}, abs=1e-6
    )


class Parts:
    """An engine and a paper service, each in a process that can be killed alone; the broker outlives them."""

    def __init__(self, engine: EngineProcess, host: ProcessHost, broker_url: str) -> None:
        self.engine = engine
        self.engine_pid = self.paper_pid = 0
        self._host = host
        self._data = engine.folder / "data"
        self._data.mkdir(mode=0o700)
        engine.stderr.touch()
        self._paper = [
            "paper", "--listen", f"unix:{self._data / 'paper.sock'}", "--nats", broker_url, "-c", "sengine.yaml",
            "--journal", str(self._data / "paper.journal"), "--address-file", str(self._data / "paper.address"),
        ]  # fmt: skip

    async def start(self, *names: str) -> None:
        """Start those that are not there."""
        engine, address = self.engine, self._data / "paper.address"
        if "paper" in names:
            address.unlink(missing_ok=True)
            self.paper_pid = self._host.start(*self._paper, folder=engine.folder, log=engine.folder / "paper.log")
        if "engine" in names:
            seen = len(engine.said("listening"))
            command = ["run", "--no-tui", "-c", engine.config_file.name]
            self.engine_pid = self._host.start(*command, folder=engine.folder, log=engine.stderr)
            await until(
                lambda: "http" in [line["what"] for line in engine.said("listening")[seen:]], what="a listening engine"
            )
            engine.listeners = {line["what"]: line["address"] for line in engine.said("listening")[seen:]}
            await until(lambda: engine.get("/ready")["status"] == "ready", what="a ready engine")
        await until(address.exists, what="a paper service")

    def kill(self, *names: str) -> None:
        for name in names:
            pid = self.engine_pid if name == "engine" else self.paper_pid
            if pid:
                self._host.kill(pid)


ROUNDS_OF = [(("engine",), seed) for seed in range(ROUNDS)]
ROUNDS_OF += [(victims, seed) for victims in (("paper",), ("engine", "paper")) for seed in range(max(1, ROUNDS // 4))]


@pytest.mark.parametrize(
    ("victims", "number"), ROUNDS_OF, ids=lambda each: "+".join(each) if type(each) is tuple else ""
)
async def test_killed_at_any_moment_it_comes_back_with_the_truth(
    request: pytest.FixtureRequest,
    new_engine: NewEngine,
    broker: EmbeddedBroker,
    host: ProcessHost,
    victims: Sequence[str],
    number: int,
    tmp_path: Path,
) -> None:
    seed = SEED + number
    chance = random.Random(f"{victims} {seed}")
    engine = new_engine(
        {
            "strategies": [flipper(), MAKER],
            "nats": {"url": broker.url},
            "execution": {
                "commission_bps": 1.0,
                "target": f"unix:{tmp_path / 'data' / 'paper.sock'}",
                # Longer than the service is ever away here: each order gets there, once.
                "retry_for_ms": 20_000,
            },
            "journal": {"segment_bytes": 200_000},
        }
    )
    parts = Parts(engine, host, broker.url)
    request.addfinalizer(lambda: parts.kill("engine", "paper"))
    await parts.start("paper", "engine")
    step = 0
    async with publisher(broker.url) as (_, publish):

        async def load(enough: asyncio.Event) -> None:
            nonlocal step
            while not enough.is_set():
                step += 1
                await publish([book(step, bid=100.0 + chance.randint(-3, 3))])
                await asyncio.sleep(0.001)

        for kill in range(KILLS + 1):
            step += 1
            await publish([book(step)])
            await until(lambda: agrees(engine), what=f"agreement after {kill} kills of {victims} (seed {seed})")
            if kill < KILLS:
                enough = asyncio.Event()
                loading = asyncio.create_task(load(enough))
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                parts.kill(*chance.sample(victims, len(victims)))
                # Cut off in the middle of a flush, the client would not be of use any more.
                enough.set()
                await loading
                await parts.start(*victims)
    record = Record(engine)
    record.check_orders()
    assert len(record.orders) > 5 * KILLS
    assert len(engine.said("recovered from the journal")) == (KILLS if "engine" in victims else 0)
    assert not [line for line in engine.log() if "reconciliation" in str(line)]
    parts.kill("engine")
    checks = list(verify(engine.folder / "data" / "journal"))
    assert [check.skipped or check.divergence for check in checks] == [None] * (KILLS + 1 if "engine" in victims else 1)


async def test_kill_switch_pauses_and_positions_outlive_the_process(
    new_engine: NewEngine, broker: EmbeddedBroker
) -> None:
    engine = new_engine({"strategies": [flipper(), MAKER], "nats": {"url": broker.url}})
    engine.start()
    await engine.ready()
    async with publisher(broker.url) as (_, publish):
        await publish([book(1)])
        await until(lambda: agrees(engine) and engine.positions())
        command(engine, "pause", "rest")
        command(engine, "kill", "--reason", "lunch")
        await until(lambda: engine.metric("sengine_orders_open") == 0)
        positions = engine.positions()
        engine.kill()
        engine.stderr.unlink()
        engine.start()
        await engine.ready()
        await publish([book(2)])
        await until(lambda: engine.ticks() == 2)
    assert engine.positions() == positions
    (told,) = engine.said("recovered from the journal")
    assert told["kill_reason"] == "lunch"
    states = {each["strategy_id"]: each["state"] for each in engine.get("/api/strategies")["strategies"]}
    assert states == {"flip": "ACTIVE", "rest": "PAUSED"}


def command(engine: EngineProcess, *arguments: str) -> str:
    import subprocess
    import sys

    from tests.integration.engine_process import ENVIRONMENT

    done = subprocess.run(
        [sys.executable, "-m", "sengine", *arguments, "-c", engine.config_file.name],
        cwd=engine.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_mismatch_waits_for_a_person(new_engine: NewEngine, broker: EmbeddedBroker) -> None:
    engine = new_engine({"strategies": [flipper()], "nats": {"url": broker.url}})
    engine.start()
    await engine.ready()
    async with publisher(broker.url) as (_, publish):
        await publish([book(1)])
        await until(lambda: agrees(engine) and engine.positions())
        engine.kill()
        request = pb.OrderRequest(
            client_order_id="nobodys", symbol="BTCUSDT", side=pb.SIDE_BUY, type=pb.ORDER_TYPE_LIMIT, quantity=7.0,
            limit_price=1.0, timestamp_ns=1,
        )  # fmt: skip
        reply = pb.OrderReply(client_order_id="nobodys", status=pb.ORDER_STATUS_ACCEPTED, timestamp_ns=1)
        line = OrderLine(request.SerializeToString(), reply.SerializeToString())
        with (engine.folder / "data" / "paper.journal").open("ab") as file:
            file.write(msgspec.json.encode(line) + b"\n")
        engine.stderr.unlink()
        engine.start()
        await engine.listening()
        told = "the execution service has an open order nobodys, which is not on record here: buy 7 BTCUSDT"
        await until(lambda: told in engine.get("/ready").get("reasons", ()))
        assert told in command(engine, "reconcile")
        await publish([book(2)])
        await until(lambda: engine.ticks() == 2)
        assert engine.metric("sengine_orders_sent_total") == 1
        command(engine, "reconcile", "--adopt")
        await engine.ready()
        await publish([book(3)])
        await until(lambda: engine.metric("sengine_orders_sent_total") == 2)


async def test_simulated_execution_goes_on_with_what_rested_in_it(
    new_engine: NewEngine, broker: EmbeddedBroker
) -> None:
    engine = new_engine(
        {"strategies": [flipper(), MAKER], "nats": {"url": broker.url}, "execution": {"target": "simulated"}}
    )

    def state() -> tuple[Any, ...]:
        return engine.positions(), engine.metric("sengine_orders_open"), engine.metric("sengine_orders_sent_total")

    engine.start()
    await engine.ready()
    async with publisher(broker.url) as (_, publish):
        await publish([book(step, bid=100.0 + step % 2) for step in range(1, 30)])
        await until(lambda: engine.ticks() == 29)
        before = state()
        assert before[0]
        assert before[1]
        engine.kill()
        engine.stderr.unlink()
        engine.start()
        await engine.ready()
        assert state() == before
        await publish([book(30, bid=150.0), book(31)])
        await until(lambda: engine.ticks() == 31)
        assert state()[2] > before[2]
    assert await engine.terminate() == 0
    assert all(check.is_equal for check in verify(engine.folder / "data" / "journal"))
