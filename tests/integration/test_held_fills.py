"""A fill that is out of all proportion: held until a person says what it is, over a kill, in the records and again."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable

import orjson

from sengine.service.verification import verify
from tests.adapters.slow_execution import SlowExecution
from tests.integration.engine_process import T0, EngineProcess, book, flipper, publisher, until
from tests.integration.test_faults import held

NewEngine = Callable[..., EngineProcess]


def fill(order_id: str, fill_id: str, price: float) -> bytes:
    return orjson.dumps(
        {"fill_id": fill_id, "order_id": order_id, "symbol": "BTCUSDT", "side": "buy", "price": price,
         "quantity": 0.5, "timestamp": T0}
    )  # fmt: skip


def why(engine: EngineProcess) -> str:
    return "; ".join(engine.get("/ready").get("reasons", []))


async def sengine(engine: EngineProcess, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sengine", *arguments, "-c", engine.config_file.name,
        cwd=engine.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return out.decode()


async def test_a_fill_at_1e300_waits_over_a_restart_and_is_refused_and_corrected(new_engine: NewEngine) -> None:
    service = SlowExecution()
    await service.start()
    try:
        engine = new_engine({"strategies": [flipper()], "execution": {"target": service.address}})
        engine.start()
        await engine.ready()
        async with publisher(engine.listeners["nats broker"]) as (connection, publish):
            await publish([book(1)])
            await until(lambda: len(service.submitted()) == 1)
            (order_id,) = service.submitted()
            await connection.publish("fills", fill(order_id, "f1", 1e300))
            await connection.publish("fills", fill(order_id, "f2", 170.0))
            await connection.flush()
            await until(lambda: "(and 1 more)" in why(engine))
        assert held(engine) == 0.0
        assert engine.metric("sengine_held_fills") == 2

        engine.kill()
        engine.start()
        await engine.listening()
        await until(lambda: "(and 1 more)" in why(engine))
        assert "cannot be booked" in await sengine(engine, "fills", "accept", "f1")
        assert "fill f1 is refused" in await sengine(engine, "fills", "refuse", "f1")
        assert "fill f2 is booked" in await sengine(engine, "fills", "accept", "f2")
        assert held(engine) == 0.5
        async with publisher(engine.listeners["nats broker"]) as (connection, _):
            await connection.publish("fills", fill(order_id, "f1", 101.0))
            await connection.flush()
            await until(lambda: held(engine) == 1.0)
        assert engine.get("/ready")["status"] == "ready"
        assert await engine.terminate() == 0
    finally:
        await service.stop()

    for check in verify(engine.folder / "data" / "journal"):
        assert check.is_equal, (check.divergence, check.skipped)
    with sqlite3.connect(engine.folder / "data" / "positions.db") as store:
        rows = store.execute("SELECT fill_id, price FROM fills ORDER BY segment, offset").fetchall()
    assert rows == [("f2", 170.0), ("f1", 101.0)]
