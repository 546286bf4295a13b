"""Start, reload and end of a real engine, in order and by force."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.adapters.slow_execution import SlowExecution
from tests.integration.engine_process import EngineProcess, book, children, flipper, is_running, publisher, until

Running = Callable[..., Awaitable[EngineProcess]]
NewEngine = Callable[..., EngineProcess]


async def test_second_engine_says_so_and_touches_nothing(running: Running, new_engine: NewEngine) -> None:
    # Nothing of its own is written meanwhile.
    first = await running(strategies=[flipper()], position_tracker={"snapshot_every": "1h"})
    pids = children(first.pid)
    files = {path: path.stat().st_mtime_ns for path in (first.folder / "data").glob("*")}
    second = new_engine({"strategies": [flipper()]})
    second.stderr = second.folder / "second.log"
    second.start()
    assert await second.ended() == 1
    said = second.stderr.read_text()
    assert f"another engine (pid {first.pid})" in said
    assert "Traceback" not in said
    assert first.get("/ready")["status"] == "ready"
    assert children(first.pid) == pids
    assert {path: path.stat().st_mtime_ns for path in (first.folder / "data").glob("*")} == files


async def test_engine_with_another_socket_may_not_share_the_data(running: Running, new_engine: NewEngine) -> None:
    first = await running(strategies=[flipper()])
    second = new_engine({"strategies": [flipper()], "api": {"listen": f"unix:{first.folder}/other.sock"}})
    second.stderr = second.folder / "second.log"
    second.start()
    assert await second.ended() == 1
    assert f"another engine (pid {first.pid}) uses" in second.stderr.read_text()
    assert first.get("/ready")["status"] == "ready"


async def test_sigterm_cancels_resting_orders_tells_strategies_and_ends_soon(running: Running, tmp_path: Path) -> None:
    service = SlowExecution()
    address = await service.start()
    try:
        report = tmp_path / "held.txt"
        engine = await running(
            strategies=[flipper(away=10.0, report=str(report))],
            execution={"target": address},
            logging={"level": "info"},
        )
        async with publisher(engine.listeners["nats broker"]) as (_, publish):
            await publish([book(1)])
            await until(lambda: len(service.submitted()) == 1)
        assert await engine.terminate() == 0
    finally:
        await service.stop()
    cancelled = [command.cancel.client_order_id for command in service.commands if command.HasField("cancel")]
    assert cancelled == service.submitted()
    assert report.read_text() == "0.0"
    assert not engine.said("without knowing")


async def test_sigterm_ends_soon_also_when_the_execution_service_is_deaf(running: Running) -> None:
    service = SlowExecution(delay_s=600.0)
    address = await service.start()
    try:
        engine = await running(strategies=[flipper()], execution={"target": address, "deadline_ms": 600_000})
        async with publisher(engine.listeners["nats broker"]) as (_, publish):
            await publish([book(1)])
            await until(lambda: len(service.submitted()) == 1)
        assert await engine.terminate() == 0
        assert engine.said("stopping without knowing how all orders ended")
    finally:
        await service.stop()


async def test_sigterm_during_start_up_ends_it(new_engine: NewEngine) -> None:
    engine = new_engine({"strategies": [flipper()]})
    engine.start()
    await until(lambda: engine.child("sengine paper"))
    pids = children(engine.pid)
    assert await engine.terminate() == 0
    await until(lambda: not any(is_running(pid) for pid in pids), what="the end of all children")


async def test_killed_engine_leaves_no_child_behind(running: Running) -> None:
    engine = await running(strategies=[flipper()])
    pids = children(engine.pid)
    assert len(pids) == 3
    assert any("nats-server" in command for command in pids.values())
    assert any("paper" in command for command in pids.values())
    assert any("prover" in command for command in pids.values())
    os.kill(engine.pid, signal.SIGKILL)
    await engine.ended()
    await until(lambda: not any(is_running(pid) for pid in pids), what="the end of all children")


async def test_sighup_gives_strategies_their_new_parameters(running: Running) -> None:
    engine = await running(strategies=[flipper(size=1.0)])
    engine.configure({"strategies": [flipper(size=2.5)]})
    os.kill(engine.pid, signal.SIGHUP)
    await until(lambda: engine.said("strategy flip reloaded; size: 1.0 -> 2.5"))
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
    await until(lambda: [position["quantity"] for position in engine.positions()] == [2.5])
    engine.config_file.write_text("strategies: [")
    os.kill(engine.pid, signal.SIGHUP)
    await until(lambda: engine.said("configuration not reloaded"))
    assert engine.get("/ready")["status"] == "ready"


async def test_mistakes_are_sentences_with_exit_code_2(new_engine: NewEngine) -> None:
    mistakes = (
        ({"execution": {"target": "papper"}}, "execution.target: expected paper, simulated, host:port or unix:/path"),
        ({"strategies": [flipper(size="big")]}, "strategies.flip.config"),
        ({"api": {"listen": "127.0.0.1:0"}}, "api.token"),
    )
    engines = [new_engine(config, f"{number}") for number, (config, _) in enumerate(mistakes)]
    for engine in engines:
        engine.start()
    for engine, (_, words) in zip(engines, mistakes, strict=True):
        assert await engine.ended() == 2, words
        said = engine.stderr.read_text()
        assert words in said
        assert "Traceback" not in said
