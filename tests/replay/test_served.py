"""``sengine replay`` behind the control API, as a process of its own: what the screens drive."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from replay.sample import write_sample
from sengine.adapters.control.client import ControlClient
from sengine.adapters.control.errors import RefusedError, UnreachableError
from sengine.adapters.control.views import SnapshotView
from tests.adapters.served_engine import live_engine, served
from tests.engine.conftest import Actor
from tests.patience import PATIENCE_S

TICKS = 4_000


@pytest.fixture
def market(tmp_path: Path) -> Path:
    write_sample(tmp_path / "market.csv", TICKS, ["BTCUSDT", "ETHUSDT"], 7)
    return tmp_path / "market.csv"


class Served:
    def __init__(self, process: subprocess.Popen[bytes], client: ControlClient) -> None:
        self.process = process
        self.client = client

    async def until(self, condition: Callable[[SnapshotView], object]) -> SnapshotView:
        deadline_s = monotonic() + PATIENCE_S
        while True:
            try:
                snapshot = await self.client.snapshot()
            except UnreachableError:
                assert self.process.poll() is None, "the replay has ended"
            else:
                if condition(snapshot):
                    return snapshot
            assert monotonic() < deadline_s, "what was waited for did not come"

    def result(self) -> dict[str, Any]:
        output, _ = self.process.communicate(timeout=PATIENCE_S)
        assert self.process.returncode == 0
        return json.loads(output)


@asynccontextmanager
async def replayed(market: Path, *arguments: str) -> AsyncIterator[Served]:
    socket = f"unix:{market.parent}/r.sock"
    command = [sys.executable, "-m", "sengine", "replay", str(market), "--json", "-", "--serve", socket, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            async with ControlClient(socket) as client:
                yield Served(process, client)
        finally:
            process.kill()


def plain(market: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "sengine", "replay", str(market), "--json", "-"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=PATIENCE_S).stdout)


async def test_a_replay_that_was_paused_stepped_and_paced_ends_as_a_plain_one(market: Path) -> None:
    async with replayed(market, "--speed", "1x") as replay:
        await replay.until(lambda view: view.replay)
        await replay.client.drive_replay(is_paused=True)
        paused = await replay.client.snapshot()
        assert paused.replay is not None
        assert paused.replay.is_paused
        assert paused.ticks < TICKS
        await replay.client.drive_replay(steps=1)
        stepped = await replay.until(lambda view: view.ticks > paused.ticks)
        assert stepped.ticks == paused.ticks + 1
        await replay.client.drive_replay(speed=0.0, is_paused=False)
        over = await replay.until(lambda view: view.replay and view.replay.is_over)
        assert over.ticks == TICKS
        assert over.replay is not None
        assert over.replay.fraction_done == 1.0
        assert over.time_ns == over.now_ns
        assert over.strategies[0].is_active
        assert (await replay.client.shutdown()).message == "the engine is stopping"
        result = replay.result()
    expected = plain(market)
    measured = {"elapsed_s", "ticks_per_second", "latency_us"}
    assert {name for name in expected if result[name] != expected[name]} <= measured
    assert result["digest"] == expected["digest"]


async def test_signals_are_streamed_and_a_command_enters_the_result(market: Path) -> None:
    async with replayed(market, "--speed", "max") as replay:
        view = await replay.until(lambda view: view.replay and view.replay.is_over)
        async for batch in replay.client.signals(10):
            assert len(batch.signals) == 10
            break
        async for lines in replay.client.log():
            assert lines.lines == ()
            break
        await replay.client.kill("enough")
        async for lines in replay.client.log():
            assert lines.lines[0].time_ns == view.now_ns
            break
        with pytest.raises(RefusedError, match="its parameters can be edited"):
            await replay.client.reload("momentum")
        with pytest.raises(RefusedError, match="give rsi to the command"):
            await replay.client.load("rsi", "rsi")
        await replay.client.drive_replay(finish=True)
        assert replay.result()["ticks"] == TICKS


async def test_ended_early_the_result_is_of_what_was_replayed(market: Path) -> None:
    async with replayed(market, "--speed", "1x") as replay:
        await replay.until(lambda view: view.ticks > 3)
        replay.process.terminate()
        assert 3 < replay.result()["ticks"] < TICKS


async def test_a_live_engine_cannot_be_driven(tmp_path: Path) -> None:
    async with served(live_engine(Actor("a")), tmp_path) as (client, _):
        assert (await client.snapshot()).replay is None
        with pytest.raises(RefusedError, match="only a replay can be paused"):
            await client.drive_replay(is_paused=True)
