"""The store of records of a real engine: complete whatever kills it and whatever is wrong with the file."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.adapters.store.rebuild import rebuild
from sengine.domain.order import Fill
from sengine.engine.checkpoint.follower import Happened
from sengine.errors import JournalError
from tests.adapters.store_sessions import query, rows
from tests.integration.engine_process import ENVIRONMENT, EngineProcess, book, flipper, publisher, until

NewEngine = Callable[..., EngineProcess]
KILLS = int(os.environ.get("SENGINE_KILLS", "4"))
MAKER = flipper(away=1.0) | {"id": "rest"}


def sengine(engine: EngineProcess, *arguments: str, fails: bool = False) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sengine", *arguments],
        cwd=engine.folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode != 0) == fails, done.stderr
    return done.stderr if fails else done.stdout


def store_of(engine: EngineProcess) -> Path:
    return engine.folder / "data" / "positions.db"


async def started(engine: EngineProcess) -> None:
    engine.start()
    seen = len(engine.said("listening"))
    await until(lambda: len(engine.said("listening")) > seen, timeout_s=90.0, what="a listening engine")
    engine.listeners = {line["what"]: line["address"] for line in engine.said("listening")[seen:]}
    await engine.ready()


def kept_up(engine: EngineProcess, path: Path | None = None) -> bool:
    """Whether the store has every order and fill that the journal has."""
    try:
        records = [entry.record for entry in JournalReader(engine.folder / "data" / "journal")]
        ((orders,),) = query(path or store_of(engine), "SELECT count(*) FROM orders")
        ((fills,),) = query(path or store_of(engine), "SELECT count(DISTINCT fill_id) FROM fills")
    except (sqlite3.Error, JournalError):
        return False  # not made yet; or a segment was compressed while it was read
    sent = sum(len(each.orders) for each in records if isinstance(each, Happened))
    return orders == sent and fills == sum(isinstance(each, Fill) for each in records)


@pytest.mark.parametrize("market_data", [True, False])
async def test_killed_at_any_moment_the_store_catches_up_without_a_row_twice(
    new_engine: NewEngine, broker: EmbeddedBroker, market_data: bool
) -> None:
    chance = random.Random(7)
    engine = new_engine(
        {
            "strategies": [flipper(), MAKER],
            "nats": {"url": broker.url},
            "execution": {"commission_bps": 1.0},
            "journal": {"segment_bytes": 400_000, "market_data": market_data},
            "position_tracker": {"snapshot_every": "50ms"},
        }
    )
    step = 0
    async with publisher(broker.url) as (_, publish):
        # The client can take a cancellation for its own, so the load is told to end.
        async def load(over: asyncio.Event) -> None:
            nonlocal step
            while not over.is_set():
                step += 1
                await publish([book(step, bid=100.0 + chance.randint(-3, 3))])
                await asyncio.sleep(0.001)

        for kill in range(KILLS + 1):
            await started(engine)
            over = asyncio.Event()
            loading = asyncio.create_task(load(over))
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            if kill < KILLS:
                engine.kill()
            over.set()
            await loading
        orders_open = "SELECT count(*) FROM orders WHERE type = 'market' AND status NOT IN ('filled', 'rejected')"
        await until(lambda: kept_up(engine) and query(store_of(engine), orders_open) == [(0,)], what="a store kept up")
        held = {
            row[0]: row[1:] for row in query(store_of(engine), "SELECT strategy_id, quantity, realized_pnl FROM held")
        }
        metrics = engine.metrics()
        assert held.keys() == {"flip", "rest"}
        positions = {each["strategy_id"]: each["quantity"] for each in engine.positions()}
        for strategy_id, (quantity, realized_pnl) in held.items():
            assert positions.get(strategy_id, 0.0) == quantity
            assert metrics[f"strategy_pnl{{strategy_id={strategy_id}}}"] == pytest.approx(realized_pnl, abs=1e-9)
        assert metrics["sengine_store_failing"] == 0
        assert await engine.terminate() == 0
    assert (store_of(engine).stat().st_mode & 0o777) == 0o600
    live = rows(store_of(engine))
    assert len(live["sessions"]) == KILLS + 1
    assert live["sessions"][-1][6] is not None
    assert len({row[4] for row in live["signals"]}) == len(live["signals"])  # sequence numbers
    rebuild(engine.folder / "anew.db", engine.folder / "data" / "journal")
    assert rows(engine.folder / "anew.db") == live
    shown = json.loads(sengine(engine, "history", "positions", "--format", "json", "-c", engine.config_file.name))
    assert {row["strategy_id"]: row["quantity"] for row in shown} == {
        name: figures[0] for name, figures in held.items()
    }


async def test_store_that_cannot_be_written_stops_no_trading_and_catches_up(
    new_engine: NewEngine, broker: EmbeddedBroker
) -> None:
    engine = new_engine({"strategies": [flipper()], "nats": {"url": broker.url}})
    await started(engine)
    async with publisher(broker.url) as (_, publish):
        await publish([book(1)])
        await until(lambda: kept_up(engine) and engine.positions(), what="a first row")
        other = sqlite3.connect(store_of(engine), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await publish([book(2), book(3)])
        await until(lambda: engine.said("is not kept up"), what="a word about it")
        assert engine.metric("sengine_store_failing") == 1
        assert "another process has it locked" in engine.said("is not kept up")[0]["event"]
        await until(lambda: engine.metric("sengine_orders_sent_total") == 3, what="trading that goes on")
        assert engine.get("/ready")["status"] == "ready"
        other.execute("ROLLBACK")
        other.close()
        await until(lambda: engine.said("is kept up again") and kept_up(engine), what="a store that caught up")
        assert engine.metric("sengine_store_failing") == 0
        refused = sengine(engine, "journal", "rebuild", "data", fails=True)
        assert "an engine runs in" in refused


async def test_damaged_foreign_and_old_files_at_a_start(new_engine: NewEngine, broker: EmbeddedBroker) -> None:
    engine = new_engine({"strategies": [flipper()], "nats": {"url": broker.url}})
    await started(engine)
    async with publisher(broker.url) as (_, publish):
        await publish([book(1), book(2)])
        await until(lambda: kept_up(engine) and engine.positions() == [], what="rows")
        engine.kill()
        path = store_of(engine)
        # Damaged: set aside, made anew.
        query(path, "PRAGMA wal_checkpoint(TRUNCATE)")
        content = bytearray(path.read_bytes())
        content[5000:] = b"\xff" * (len(content) - 5000)
        path.write_bytes(content)
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        await started(engine)
        await until(lambda: kept_up(engine), what="a new store")
        assert path.with_name("positions.db.aside-1").exists()
        engine.kill()
        # Another version's: likewise.
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
        await started(engine)
        await until(lambda: kept_up(engine), what="a new store")
        assert engine.said("made by another version of sengine (format 99")
        engine.kill()
        # Somebody else's: left alone, and trading goes on.
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_text("my diary")
        await started(engine)
        await until(lambda: engine.said("found another file"), what="a word about it")
        await publish([book(3)])
        await until(lambda: engine.positions(), what="trading")
        assert path.read_text() == "my diary"
        assert await engine.terminate() == 0
        path.unlink()
        said = sengine(engine, "journal", "rebuild", "data")
        assert " rows" in said
        assert kept_up(engine)


def test_journal_that_was_moved_away_leaves_the_old_records_readable(tmp_path: Path) -> None:
    """See the docs' advice for a damaged journal."""
    from sengine.adapters.store.keeper import StoreKeeper
    from tests.adapters.store_sessions import config_with, play, recording, wait_for
    from tests.engine.conftest import Actor, engine_with, long, quote

    told: list[tuple[str, str]] = []
    for number in (1, 2):
        actor = Actor("a", long())
        with recording(tmp_path / "journal", engine_with(actor), config_with(), f"s{number}-") as take:
            play(take, [], [(quote(number), ())])
        keeper = StoreKeeper(tmp_path / "positions.db", tmp_path / "journal", lambda *words: told.append(words))
        keeper.start()
        wait_for(lambda keeper=keeper: keeper.changes)
        keeper.stop()
        if number == 1:
            (tmp_path / "journal").rename(tmp_path / "journal.broken")
    assert query(tmp_path / "positions.db", "SELECT session FROM sessions") == [("s2",)]
    assert query(tmp_path / "positions.db.aside-1", "SELECT session FROM sessions") == [("s1",)]
    ((level, sentence),) = told
    assert level == "warning"
    assert "the records are not those of the journal" in sentence
