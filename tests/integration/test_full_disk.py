"""A full disk stops trading, says so, and when there is room again a person lets it go on."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from sengine.adapters.nats.broker import EmbeddedBroker
from sengine.runtime.audit import read_audit
from sengine.service.verification import verify
from tests.integration.engine_process import EngineProcess, book, flipper, publisher, until
from tests.integration.test_recovery import Record, agrees, command

NewEngine = Callable[..., EngineProcess]
MEGABYTE: Final = 1 << 20


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own at ``folder``, where this user may mount one."""
    folder.mkdir(mode=0o700)
    options = ["-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(folder)]
    mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill_up(path: Path) -> None:
    """Take all the room that there is."""
    with path.open("wb", buffering=0) as file:
        for size in (MEGABYTE, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


def config(broker: EmbeddedBroker) -> dict[str, Any]:
    """The paper service refuses orders while its disk is full; no pause after that, as the books are 1 ms apart."""
    return {"strategies": [flipper()], "nats": {"url": broker.url}, "execution": {"reject_pause": 0}}


async def test_full_disk_stops_trading_says_so_and_recovers(
    new_engine: NewEngine, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "data"):
        engine = new_engine(config(broker))
        ballast = tmp_path / "data" / "ballast"
        await stops_and_recovers(engine, broker, lambda: fill_up(ballast), ballast.unlink)
        engine.kill()


async def test_files_that_may_not_grow_stop_trading_too(
    new_engine: NewEngine, broker: EmbeddedBroker, tmp_path: Path
) -> None:
    engine = new_engine(config(broker))

    def limit(at_bytes: int) -> None:
        resource.prlimit(engine.pid, resource.RLIMIT_FSIZE, (at_bytes, resource.RLIM_INFINITY))

    def no_more() -> None:
        (journal,) = (tmp_path / "data" / "journal").glob("*.journal")
        limit(journal.stat().st_size)

    await stops_and_recovers(engine, broker, no_more, lambda: limit(resource.RLIM_INFINITY))


async def stops_and_recovers(
    engine: EngineProcess, broker: EmbeddedBroker, no_room: Callable[[], None], room: Callable[[], None]
) -> None:
    data = engine.folder / "data"
    engine.start()
    await engine.ready()
    async with publisher(broker.url) as (_, publish):
        for step in range(1, 41):
            await publish([book(step)])
        await until(lambda: engine.ticks() == 40 and agrees(engine), what="a position")
        no_room()
        step = 40
        while not engine.said("kill switch pulled: journal: "):
            step += 1
            await publish([book(step)])
            assert step < 2000, "the disk is full and trading goes on"
        assert (data / "KILL").read_text().startswith("journal: "), "a restart would not know of it"
        await until(lambda: engine.ticks() == step)
        sent = engine.metric("sengine_gateway_sent_total")
        await publish([book(step + 1)])
        await until(lambda: engine.ticks() == step + 1)
        assert engine.metric("sengine_gateway_sent_total") == sent
        record = Record(engine)
        assert set(record.requests) <= {order.order_id for order in record.orders}, "only what is on record has left"
        assert engine.said("the journal cannot be written: ")
        room()
        await until(lambda: engine.said("the journal is written again; `sengine rearm` lets orders out"))
        await until(lambda: (data / "KILL").exists() and (data / "KILL").read_text().startswith("journal: "))
        assert engine.metric("sengine_gateway_sent_total") == sent, "only a person re-arms"
        command(engine, "rearm")
        await publish([book(step + 2), book(step + 3)])
        await until(lambda: engine.metric("sengine_gateway_sent_total") == sent + 2)
        await until(lambda: agrees(engine))
        positions = engine.positions()
        engine.kill()
        engine.stderr.unlink()
        engine.start()
        await engine.ready()
        assert engine.positions() == positions
    engine.kill()
    assert [check.divergence or check.skipped or None for check in verify(data / "journal")] == [None, None]
    told = {line.how for line in read_audit(data / "audit.log")}
    assert told <= {"risk.kill_on.journal_failure", "control API, private socket"}
