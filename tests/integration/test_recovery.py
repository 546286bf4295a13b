"""An engine that is killed at any moment comes back knowing what it had, and what became of it meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.paper.journal import OrderLine
from sengine.proto import execution_pb2 as pb
from sengine.service.verification import verify
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until
from tests.integration.killable_parts import Parts
from tests.integration.process_host import ProcessHost
from tests.integration.service_record import Record
from tests.patience import PATIENCE_S

NewEngine = Callable[..., EngineProcess]
KILLS = 5
"""In a row, of one engine."""
ROUNDS = max(1, int(os.environ.get("KILLS", "10")) // KILLS)
SEED = int(os.environ.get("SEED", "20240808"))
MAKER = flipper(away=1.0) | {"id": "rest"}


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
        assert "with what differs from the execution service's record" in command(engine, "reconcile", "--adopt")
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
