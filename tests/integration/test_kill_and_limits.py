"""The kill switch and the limits of a real engine: across its death, by signal, and with a trail of who did what."""

from __future__ import annotations

import getpass
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.integration.engine_process import ENVIRONMENT, EngineProcess, book, flipper, publisher, until
from tests.integration.service_record import Record
from tests.patience import PATIENCE_S

Running = Callable[..., Awaitable[EngineProcess]]


def sengine(engine: EngineProcess, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "sengine", *words, "-c", engine.config_file.name],
        cwd=engine.folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    return done.returncode, done.stdout + done.stderr


async def test_a_killed_engine_is_killed_after_its_death_until_a_person_rearms_it(running: Running) -> None:
    engine = await running(strategies=[flipper()], execution={"target": "simulated"})
    assert sengine(engine, "kill", "--reason", "looks wrong")[0] == 0
    engine.kill()
    engine.stderr = engine.folder / "second.log"
    engine.start()
    await engine.ready()
    assert engine.metric("sengine_kill_switch") == 1.0
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(step) for step in range(1, 4)])
        await until(lambda: engine.ticks() == 3.0)
        assert engine.metric("sengine_orders_sent_total") == 0.0
        assert sengine(engine, "rearm")[0] == 0
        await publish([book(step) for step in range(4, 9)])
        await until(lambda: engine.metric("sengine_orders_sent_total") > 0.0)
    assert not (engine.folder / "data" / "KILL").exists()
    code, said = sengine(engine, "audit")
    assert code == 0
    killed, found, rearmed = said.splitlines()
    assert f"{getpass.getuser()}, control API, private socket: KillSwitch reason=looks wrong: kill switch" in killed
    assert "KILL: KillSwitch: kill switch pulled: looks wrong" in found
    assert "Rearm: re-armed" in rearmed


async def test_a_switch_pulled_while_no_engine_ran_cancels_what_rested_at_its_death(
    running: Running,
) -> None:
    engine = await running(strategies=[flipper(away=1.0)])
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(step) for step in range(1, 4)])
        await until(lambda: engine.metric("sengine_orders_open") > 0.0 and len(Record(engine).requests) > 0)
    engine.kill()
    (engine.folder / "data" / "KILL").write_text("look first")
    engine.stderr = engine.folder / "second.log"
    engine.start()
    await engine.ready()
    await until(lambda: engine.metric("sengine_orders_open") == 0.0, what="nothing open")
    record = Record(engine)
    assert set(record.requests) - {fill.order_id for fill in record.fills} <= record.cancelled
    assert record.cancelled


async def test_an_execution_service_that_hangs_pulls_the_switch(running: Running) -> None:
    engine = await running(strategies=[flipper()], risk={"kill_on": {"execution_lost_for": "1s"}})
    paper = engine.child("paper")
    assert paper
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        await until(lambda: engine.ticks() == 1.0)
        os.kill(paper, signal.SIGSTOP)
        try:
            await publish([book(step) for step in range(2, 6)])
            await until(lambda: engine.metric("sengine_kill_switch") == 1.0)
        finally:
            os.kill(paper, signal.SIGCONT)
    assert engine.said("kill switch pulled: the execution service has answered nothing for 1 s")


async def test_a_signal_and_a_file_pull_the_switch(running: Running) -> None:
    engine = await running(strategies=[flipper()], execution={"target": "simulated"})
    os.kill(engine.pid, signal.SIGUSR1)
    await until(lambda: engine.metric("sengine_kill_switch") == 1.0)
    assert sengine(engine, "rearm")[0] == 0
    (engine.folder / "data" / "KILL").write_text("by hand")
    await until(lambda: engine.metric("sengine_kill_switch") == 1.0)
    assert engine.said("kill switch pulled: by hand")


async def test_limits_are_tightened_by_a_reload_and_loosened_on_purpose_only(running: Running) -> None:
    def with_limit(most: float) -> dict:
        return {
            "strategies": [flipper()],
            "execution": {"target": "simulated"},
            "risk": {"filters": [{"type": "position_limit", "max_position": most}]},
        }

    engine = await running(**with_limit(5.0))
    engine.configure(with_limit(2.0))
    assert sengine(engine, "reload", "--risk") == (0, "limits reloaded: 1 checks, none looser than before\n")
    engine.configure(with_limit(3.0))
    code, said = sengine(engine, "reload", "--risk")
    assert code == 1
    assert "these would be looser: position_limit: max_position 2 -> 3" in said
    os.kill(engine.pid, signal.SIGHUP)
    await until(lambda: [line for line in engine.said("not reloaded") if "max_position 2 -> 3" in line["reason"]])
    assert sengine(engine, "reload", "--risk", "--allow-loosening")[0] == 0
    assert engine.said("limit loosened: position_limit: max_position 2 -> 3")
    assert "limit loosened since the start: position_limit: max_position 2 -> 3" in sengine(engine, "status")[1]
    assert sengine(engine, "reload")[0] == 2
    assert "refused: the limits stay as they are" in sengine(engine, "audit")[1]


async def test_a_signal_to_an_engine_that_starts_kills_it_and_does_not_end_it(new_engine: Callable) -> None:
    engine = new_engine({"strategies": [flipper()], "execution": {"target": "simulated"}})
    process = engine.start()

    def waits() -> bool:
        status = Path(f"/proc/{process.pid}/status").read_text()
        blocked = next(line for line in status.splitlines() if line.startswith("SigBlk:"))
        return bool(int(blocked.split()[1], 16) >> (signal.SIGUSR1 - 1) & 1)

    await until(waits, what="a process that has begun to start")
    process.send_signal(signal.SIGUSR1)
    await engine.ready()
    assert engine.metric("sengine_kill_switch") == 1.0
    assert (engine.folder / "data" / "KILL").read_text() == "SIGUSR1\n"
    process.send_signal(signal.SIGUSR1)
    assert await engine.terminate() == 0


async def test_a_signal_to_the_one_that_watches_over_the_engine_is_the_engines(running: Running) -> None:
    engine = await running(
        strategies=[flipper()], execution={"target": "simulated"}, plugins={"watchdog_restart": True}
    )
    assert engine.child("--supervised")
    assert engine.process is not None
    engine.process.send_signal(signal.SIGUSR1)
    await until(lambda: engine.metric("sengine_kill_switch") == 1.0)
    assert await engine.terminate() == 0
