"""A journal that has lost its end where nobody can be asked: the store of records knows more, and a person is told."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sengine.adapters.journal.format import HEAD, Unsound, frames, segments
from sengine.adapters.nats.broker import EmbeddedBroker, Login
from sengine.adapters.store.lead import lead_of
from sengine.service.verification import SessionCheck, verify
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until

NewEngine = Callable[..., EngineProcess]


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "broker", login=Login.random())
    await broker.start()
    yield broker
    await broker.stop()


async def killed_after_trades(new_engine: NewEngine, broker: EmbeddedBroker) -> EngineProcess:
    """An engine with a simulated venue that has traded, was killed, and whose records are complete."""
    engine = new_engine({"strategies": [flipper()], "nats": {"url": broker.url}, "execution": {"target": "simulated"}})
    engine.start()
    await engine.ready()
    async with publisher(broker.url) as (_, publish):
        await publish([book(step) for step in range(1, 30)])
        await until(lambda: engine.ticks() == 29)
    assert engine.positions()
    await until(lambda: len(fills(engine)) == 29, what="the store's fills")
    engine.kill()
    return engine


def fills(engine: EngineProcess) -> list[tuple[str]]:
    with sqlite3.connect(f"file:{engine.folder}/data/positions.db?mode=ro", uri=True) as store:
        return store.execute("SELECT fill_id FROM fills").fetchall()


def journal(engine: EngineProcess) -> Path:
    return engine.folder / "data" / "journal"


def cut(path: Path, part: float) -> None:
    """Leave ``part`` of the records of a segment, each of them whole."""
    ends = [0]
    try:
        for offset, payload in frames(memoryview(path.read_bytes())):
            ends.append(offset + HEAD.size + len(payload))
    except Unsound:
        pass
    with path.open("r+b") as file:
        file.truncate(ends[int(len(ends) * part)])


def last_check(engine: EngineProcess) -> SessionCheck:
    return list(verify(journal(engine)))[-1]


async def sengine(engine: EngineProcess, *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sengine", *arguments,
        cwd=engine.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_a_lost_tail_halts_the_start_and_says_so(new_engine: NewEngine, broker: EmbeddedBroker) -> None:
    engine = await killed_after_trades(new_engine, broker)
    (path,) = segments(journal(engine)).values()
    assert lead_of(engine.folder / "data" / "positions.db", journal(engine)) == ""
    assert not last_check(engine).is_closed
    cut(path, 0.5)
    code, out = await sengine(engine, "verify", "data")
    assert code == 1
    assert "NOT THERE: the records in" in out
    assert f"{path.name}, and the journal ends at byte {path.stat().st_size}" in out

    engine.start()
    await engine.listening()
    await until(lambda: engine.metric("sengine_kill_switch") == 1)
    answer = engine.get("/ready")
    assert answer["status"] != "ready"
    assert "the end of the journal is lost" in str(answer)
    held, sent = engine.positions(), engine.metric("sengine_orders_sent_total")
    async with publisher(broker.url) as (_, publish):
        await publish([book(40), book(41)])
        await until(lambda: len(engine.signals()) == 2, what="signals")
    assert {each["disposition"] for each in engine.signals()} == {"filtered"}
    assert (engine.positions(), engine.metric("sengine_orders_sent_total")) == (held, sent)

    code, _ = await sengine(engine, "reconcile", "--adopt", "-c", engine.config_file.name)
    assert code == 0
    assert engine.get("/ready")["status"] == "ready"
    assert await engine.terminate() == 0
    # What was lost is kept aside, and is no reason to halt again.
    assert list((engine.folder / "data").glob("positions.db.aside-1"))
    assert last_check(engine).lead == ""


async def test_a_lost_segment_is_told_too_and_adopted_where_that_is_configured(
    new_engine: NewEngine, broker: EmbeddedBroker
) -> None:
    engine = await killed_after_trades(new_engine, broker)
    engine.start()
    await engine.ready()
    assert await engine.terminate() == 0
    (_, newest) = segments(journal(engine)).values()
    newest.unlink()
    assert "the journal ends with" in last_check(engine).lead

    engine.configure(
        {
            "strategies": [flipper()],
            "nats": {"url": broker.url},
            "execution": {"target": "simulated"},
            "recovery": {"on_mismatch": "adopt"},
        }
    )
    engine.start()
    await engine.ready()
    assert engine.said("the end of the journal is lost")
    assert engine.metric("sengine_kill_switch") == 0
    assert await engine.terminate() == 0


async def test_a_journal_that_was_moved_away_is_none_that_lost_its_end(
    new_engine: NewEngine, broker: EmbeddedBroker
) -> None:
    engine = await killed_after_trades(new_engine, broker)
    journal(engine).rename(engine.folder / "moved")
    engine.start()
    await engine.ready()
    assert not engine.positions()
    assert await engine.terminate() == 0


async def test_verify_names_the_oldest_files_that_are_not_there(new_engine: NewEngine, broker: EmbeddedBroker) -> None:
    engine = await killed_after_trades(new_engine, broker)
    engine.start()
    await engine.ready()
    assert await engine.terminate() == 0
    (oldest, newest) = segments(journal(engine)).values()
    oldest.unlink()
    (check,) = verify(journal(engine))
    assert check.missing == [f"segment 1 is not there, thrown away or lost; the oldest file is {newest}"]
    assert not check.is_equal
