"""Strategies that misbehave in a real engine: each is contained, seen and paused, and its neighbours trade on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from textwrap import indent
from time import monotonic
from typing import Any

import pytest

from sengine.adapters.control.client import ControlClient
from tests.integration.engine_process import EngineProcess, book, children, flipper, is_running, publisher, until
from tests.patience import PATIENCE_S

Running = Callable[..., Awaitable[EngineProcess]]
NewEngine = Callable[..., EngineProcess]

FAULTS = {
    "endless_loop": "while True:\n    pass",
    "endless_catching_loop": """
while True:
    try:
        time.sleep(0.001)
    except BaseException:
        pass""",
    "endless_nested_catching": """
def inner():
    while True:
        try:
            len("x")
        except BaseException:
            continue
while True:
    try:
        inner()
    except BaseException as error:
        kept = error""",
    "long_sleep": "time.sleep(600)",
    "backtracking_regex": 're.match(r"(a+)+$", "a" * 60 + "b")',
    "huge_power": "x = 10 ** (10 ** 8)\ny = x * x",
}
ERRORS = {
    "raises": "raise ValueError('bad day')",
    "exits": "sys.exit(3)",
    "interrupts": "raise KeyboardInterrupt",
    "base_exception": "raise BaseException('very bad day')",
    "recursion": "def deeper():\n    return deeper() + 1\ndeeper()",
    "memory": "x = bytearray(1 << 60)",
    "wrong_type": "return 42",
}
SOURCE = """
import re, sys, time
from sengine.strategy import BaseStrategy

class Guest(BaseStrategy):
    calls = 0

    def {method}(self, *arguments):
        self.calls += 1
        if self.calls != {on_call}:
            return {quiet}
{body}
{rest}

def create_strategy():
    return Guest("guest")
"""
ON_TICK = "    def on_tick(self, data):\n        return None\n"


def write(engine: EngineProcess, name: str, body: str, method: str = "on_tick", on_call: int = 2, **more: Any) -> Any:
    rest = "" if method == "on_tick" else ON_TICK
    quiet = "{}" if method == "get_state" else "None"
    source = SOURCE.format(method=method, on_call=on_call, quiet=quiet, body=indent(body.strip(), " " * 8), rest=rest)
    (engine.folder / "strategies" / f"{name}.py").write_text(source)
    return {"id": name, "plugin": name} | more


def strategies(engine: EngineProcess) -> dict[str, dict[str, Any]]:
    return {each["strategy_id"]: each for each in engine.get("/api/strategies")["strategies"]}


async def test_endless_calls_are_cut_within_100_ms_and_the_neighbour_gets_every_tick(new_engine: NewEngine) -> None:
    engine = new_engine({})
    guests = [write(engine, name, body) for name, body in FAULTS.items()]
    engine.configure({"strategies": [*guests, flipper()]})
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish(book(step) for step in range(1, 51))
        await until(lambda: engine.ticks() == 50)
    seen = strategies(engine)
    for name in FAULTS:
        assert seen[name]["state"] == "PAUSED", name
        assert seen[name]["pause_reason"] == "on_tick was interrupted after 50 ms"
        assert seen[name]["errors_by_type"] == {"timeout": 1}
        assert f"{name}.py:" in seen[name]["last_error_where"]
        assert seen[name]["over_budget"] >= 1
    assert seen["flip"]["state"] == "ACTIVE"
    assert seen["flip"]["ticks"] == 50
    assert engine.get("/ready")["status"] == "ready"
    assert len(engine.said("paused: on_tick was interrupted")) == len(FAULTS)
    assert await engine.terminate() == 0


async def test_what_is_raised_or_returned_wrongly_is_counted_and_the_neighbour_trades(new_engine: NewEngine) -> None:
    engine = new_engine({})
    guests = [write(engine, name, body) for name, body in ERRORS.items()]
    engine.configure({"strategies": [*guests, flipper()]})
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish(book(step) for step in range(1, 21))
        await until(lambda: engine.ticks() == 20)
    seen = strategies(engine)
    for name in ERRORS:
        assert seen[name]["errors"] == 1, name
        assert seen[name]["ticks"] == 20
    assert seen["flip"]["ticks"] == 20
    assert engine.get("/health")["status"] == "ok"


@pytest.mark.parametrize("method", ["on_fill", "get_state", "hot_reload", "shutdown", "initialize"])
async def test_no_method_of_a_strategy_can_hold_up_the_engine(new_engine: NewEngine, method: str) -> None:
    engine = new_engine({})
    body = "while True:\n    try:\n        pass\n    except BaseException:\n        pass"
    name = f"endless_{method}"
    guest = write(engine, name, body, method, on_call=1)
    if method == "on_fill":
        path = engine.folder / "strategies" / f"{name}.py"
        answer = 'Signal(symbol=data.symbol, direction="LONG", confidence=1.0)'
        source = path.read_text().replace("return None\n", f"return {answer}\n")
        path.write_text(source.replace("import BaseStrategy", "import BaseStrategy, Signal"))
    config = {"plugins": {"directory": "strategies", "setup_timeout_ms": 200}, "strategies": [guest, flipper()]}
    engine.configure(config)
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        await until(lambda: engine.ticks() == 1)
        if method == "on_fill":
            await until(lambda: strategies(engine)[name]["errors_by_type"] == {"timeout": 1})
            assert strategies(engine)[name]["pause_reason"] == "on_fill was interrupted after 50 ms"
        elif method == "get_state":
            async with ControlClient(engine.listeners["control API"]) as client:
                shown = await client.strategy(name)
            assert "interrupted after 50 ms" in str(shown.own_state)
        elif method == "hot_reload":
            engine.process.send_signal(signal.SIGHUP)
            await until(lambda: strategies(engine)[name]["errors_by_type"] == {"timeout": 1})
        elif method == "initialize":
            assert name not in strategies(engine)
            assert "interrupted after 200 ms" in str(engine.get("/api/strategies")["failed"])
        await publish([book(2)])
        await until(lambda: strategies(engine)["flip"]["ticks"] == 2)
    assert await engine.terminate() == 0


async def test_a_strategy_without_ticks_shows_as_stalled_with_its_age(running: Running) -> None:
    engine = await running(
        strategies=[flipper(), flipper() | {"id": "deaf", "symbols": ["NEVERUSDT"]}],
        plugins={"directory": "strategies", "stalled_after": "1s"},
    )
    await until(lambda: strategies(engine)["deaf"]["stalled_s"] >= 1.0)
    assert engine.said("strategy deaf is stalled: no tick for")
    assert engine.metric("sengine_strategy_stalled_seconds{strategy_id=deaf}") >= 1.0
    await until(lambda: strategies(engine)["flip"]["stalled_s"] >= 1.0)
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        await until(lambda: strategies(engine)["flip"]["stalled_s"] == 0.0)
    assert strategies(engine)["deaf"]["stalled_s"] > 1.0


async def test_a_paused_strategy_resumes_after_the_configured_time_but_not_one_that_a_person_paused(
    new_engine: NewEngine,
) -> None:
    engine = new_engine({})
    guest = write(engine, "endless", FAULTS["endless_loop"], on_call=1)
    plugins = {"directory": "strategies", "resume_after": "1s"}
    engine.configure({"strategies": [guest, flipper()], "plugins": plugins})
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        await until(lambda: engine.said("strategy endless paused: on_tick was interrupted"))
        await until(lambda: engine.said("strategy endless resumed by itself"))
        await publish([book(2)])
        await until(lambda: strategies(engine)["endless"]["ticks"] == 2)
    assert strategies(engine)["endless"]["state"] == "ACTIVE"


C_CALL = "import collections, itertools\ncollections.deque(itertools.repeat(None, {count}), maxlen=0)"


async def test_a_c_call_that_nobody_can_interrupt_is_reported_and_its_strategy_paused(new_engine: NewEngine) -> None:
    engine = new_engine({})
    guest = write(engine, "stuck", C_CALL.format(count=1_500_000_000), on_call=1)
    engine.configure(
        {"strategies": [guest, flipper()], "plugins": {"directory": "strategies", "watchdog_after": "300ms"}}
    )
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        # While nothing of the engine can run, the watchdog's file tells.
        held_up = engine.folder / "data" / "held_up.txt"
        await until(lambda: "stuck.py" in held_up.read_text(), what="the watchdog's report")
        await until(lambda: "stuck.py" in str(engine.said("the loop was held up")))
        await until(lambda: strategies(engine)["stuck"]["state"] == "PAUSED")
        await publish([book(2)])
        await until(lambda: strategies(engine)["flip"]["ticks"] == 2)
    assert "in code that cannot be interrupted" in strategies(engine)["stuck"]["pause_reason"]
    assert "stuck.py" in str(engine.said("the loop was held up"))
    assert await engine.terminate() == 0


async def test_an_engine_that_is_held_up_for_good_is_started_again_where_that_is_configured(
    new_engine: NewEngine,
) -> None:
    engine = new_engine({})
    guest = write(engine, "stuck", C_CALL.format(count=10**13), on_call=1)
    plugins = {"directory": "strategies", "watchdog_after": "1s", "watchdog_restart": True}
    engine.configure({"strategies": [guest, flipper()], "plugins": plugins})
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        await until(lambda: "the engine was held up in" in engine.stderr.read_text(), what="the restart")
    await until(lambda: len([line for line in engine.said("listening") if line["what"] == "http"]) == 2)
    engine.listeners = {line["what"]: line["address"] for line in engine.said("listening")}
    await until(lambda: engine.get("/ready")["status"] == "ready")
    assert "stuck.py" in engine.stderr.read_text()
    assert await engine.terminate() == 0


async def test_c_calls_that_are_slow_on_every_tick_pause_their_strategy_by_the_time_they_took(
    new_engine: NewEngine,
) -> None:
    engine = new_engine({})
    source = SOURCE.format(
        method="on_tick", on_call=0, quiet="sum(range(5_000_000)) * 0 or None", body="        pass", rest=""
    )
    (engine.folder / "strategies" / "slow.py").write_text(source)
    plugins = {"directory": "strategies", "tick_timeout_ms": 20, "slow_budget": "500ms"}
    engine.configure({"strategies": [{"id": "slow", "plugin": "slow"}, flipper()], "plugins": plugins})
    engine.start()
    await engine.ready()
    step = 0

    async def paused() -> bool:
        nonlocal step
        step += 1
        await publish([book(step)])
        await until(lambda: engine.ticks() == step)
        return strategies(engine)["slow"]["state"] == "PAUSED"

    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        while not await paused():
            assert step < 400, "it was never paused"
        reason = strategies(engine)["slow"]["pause_reason"]
        assert "in code that cannot be interrupted; within a minute that may be 0.5 s (plugins.slow_budget)" in reason
        await publish([book(step + 1)])
        await until(lambda: strategies(engine)["flip"]["ticks"] == step + 1)
    assert strategies(engine)["flip"]["state"] == "ACTIVE"
    # It was a command, so that the session is run again with it.
    (record,) = [line for line in engine.said("strategy slow paused") if line["level"] == "error"]
    assert reason in record["event"]
    assert await engine.terminate() == 0
    verified = subprocess.run(
        [sys.executable, "-m", "sengine", "verify", str(engine.folder / "data" / "journal")],
        cwd=engine.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stdout + verified.stderr


async def test_an_engine_that_was_stopped_and_goes_on_blames_nobody(new_engine: NewEngine) -> None:
    engine = new_engine({})
    engine.configure(
        {
            "strategies": [flipper(), flipper() | {"id": "apart", "isolation": "process"}],
            "plugins": {
                "directory": "strategies",
                "watchdog_after": "500ms",
                "watchdog_restart": True,
                "remote_restart_after": "1s",
                "stalled_after": "6s",
            },
            "risk": {"filters": [], "kill_on": {"execution_lost_for": "1s"}},
            "execution": {"deadline_ms": 4000},
        }
    )
    engine.start()
    await engine.ready()
    child = engine.child("--supervised")
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish(book(step) for step in range(1, 21))
        await until(lambda: engine.ticks() == 20)
        for stopped_s in (7.0, 1.5):
            before = len(engine.said("this process stood still for"))
            os.kill(child, signal.SIGSTOP)
            # It is in the middle of things when it is stopped: an order is out, a tick is unanswered.
            await publish(book(step) for step in range(21, 41))
            await asyncio.sleep(stopped_s)
            os.kill(child, signal.SIGCONT)
            await until(lambda before=before: len(engine.said("this process stood still for")) > before)
            await until(lambda: engine.get("/ready")["status"] == "ready")
        await publish(book(step) for step in range(41, 61))
        await until(lambda: strategies(engine)["flip"]["ticks"] >= 60 and strategies(engine)["apart"]["ticks"] >= 60)
    assert engine.child("--supervised") == child
    seen = strategies(engine)
    assert {each["state"] for each in seen.values()} == {"ACTIVE"}
    assert {each["errors"] for each in seen.values()} == {0}
    for blamed in ("held up", "stalled", "paused", "kill switch", "ended and started again", "no answer", "unknown"):
        assert engine.said(blamed) == [], blamed
    assert await engine.terminate() == 0


AT_START = {
    "interrupts_import": ("raise KeyboardInterrupt", "{path}:2: import failed: KeyboardInterrupt"),
    "odd_import": ("raise BaseException('very bad')", "{path}:2: import failed: BaseException: very bad"),
    "endless_import": (
        "while True:\n    try:\n        pass\n    except BaseException:\n        pass",
        "import failed: interrupted after 300 ms",
    ),
    "endless_create": ("def create_strategy():\n    while True: pass", "create_strategy() failed: interrupted after"),
    "endless_initialize": (
        "from sengine.strategy import BaseStrategy\nclass Bad(BaseStrategy):\n    def on_tick(self, data): pass\n"
        "    def initialize(self, config):\n        while True: pass\ndef create_strategy(): return Bad('bad')",
        "{path}:6: endless_initialize could not start: interrupted after 300 ms",
    ),
}


async def test_what_misbehaves_at_the_start_is_left_out_with_its_place(
    new_engine: NewEngine,
) -> None:
    engine = new_engine({})
    folder = engine.folder / "strategies"
    for name, (body, _) in AT_START.items():
        (folder / f"{name}.py").write_text(f"import time\n{body}\n")
    guests = [{"id": name, "plugin": name} for name in AT_START]
    config = {"plugins": {"directory": "strategies", "setup_timeout_ms": 300}, "strategies": [*guests, flipper()]}
    engine.configure(config)
    engine.start()
    await engine.ready()
    failed = {each["strategy_id"]: each["reason"] for each in engine.get("/api/strategies")["failed"]}
    assert set(failed) == set(AT_START)
    for name, (_, words) in AT_START.items():
        assert failed[name].startswith(f"{folder}/{name}.py:"), failed[name]
        assert words.format(path=f"{folder}/{name}.py") in failed[name]
    assert strategies(engine)["flip"]["state"] == "ACTIVE"
    assert await engine.terminate() == 0


async def test_what_strategies_print_and_log_is_in_the_log_and_on_the_screens_bounded(new_engine: NewEngine) -> None:
    engine = new_engine({})
    body = 'print("saw", arguments[0].mid)\nlogging.getLogger("mine").error("bad")\nfor n in range(500):\n    print(n)'
    guest = write(engine, "chatty", body)
    path = engine.folder / "strategies" / "chatty.py"
    path.write_text(path.read_text().replace("import re, sys", "import logging, re, sys"))
    engine.configure({"strategies": [guest, flipper()]})
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish(book(step) for step in range(1, 21))
        await until(lambda: engine.ticks() == 20)
        await until(lambda: engine.said("left out"))
    lines = [line for line in engine.log() if line.get("said_by") == "strategy"]
    assert lines[0]["event"].startswith("saw ")
    assert (lines[0]["level"], lines[1]["level"], lines[1]["event"]) == ("info", "error", "bad")
    assert {line["strategy_id"] for line in lines} == {"chatty"}
    assert all("T" in line["event_time"] for line in lines)
    assert len(lines) == 21
    assert lines[-1]["event"].startswith("482 more lines of it left out")


async def test_however_many_strategies_hang_in_shutdown_the_engine_ends_in_time(
    new_engine: NewEngine,
) -> None:
    engine = new_engine({})
    body = "while True:\n    try:\n        pass\n    except BaseException:\n        pass"
    hanging = [write(engine, f"hangs_{number}", body, "shutdown", on_call=1) for number in range(30)]
    engine.configure({"strategies": [*hanging, flipper()]})
    engine.start()
    await engine.ready()
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish([book(1)])
        await until(lambda: engine.ticks() == 1)
    began_s = monotonic()
    assert await engine.terminate() == 0
    # Five seconds on a machine that has nothing else to do. One by one they would take five minutes.
    assert monotonic() - began_s < PATIENCE_S / 2
    cut = [line for line in engine.log() if line.get("kind") == "timeout"]
    assert len(cut) == 30
    assert {line["event"].partition(" after")[0] for line in cut} == {"interrupted"}


FORKS = {
    "forks": "os.fork()",
    "forks_by_multiprocessing": "multiprocessing.get_context('fork').Process(target=int).start()",
    "forks_by_preexec": "subprocess.Popen(['sleep', '600'], preexec_fn=lambda: None)",
    "forks_in_a_thread": "t = threading.Thread(target=os.fork)\nt.start()\nt.join()",
    # Python is not asked about this one, which ends when its turn does.
    "forks_in_c": "ctypes.CDLL(None).fork()",
}


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes in /proc")
async def test_a_fork_inside_a_strategy_makes_no_second_engine(new_engine: NewEngine) -> None:
    engine = new_engine({})
    for name, body in FORKS.items():
        write(engine, name, body)
        path = engine.folder / "strategies" / f"{name}.py"
        path.write_text("import ctypes, multiprocessing, os, subprocess, threading\n" + path.read_text())
    write(engine, "starts_a_program", "assert subprocess.run(['true']).returncode == 0")
    path = engine.folder / "strategies" / "starts_a_program.py"
    path.write_text("import subprocess\n" + path.read_text())
    names = ["starts_a_program", *FORKS]
    engine.configure({"strategies": [flipper(), *({"id": name, "plugin": name} for name in names)]})
    engine.start()
    await engine.ready()
    before = set(children(engine.pid))
    async with publisher(engine.listeners["nats broker"]) as (_, publish):
        await publish(book(step) for step in range(1, 51))
        await until(lambda: engine.ticks() == 50)
        await until(lambda: {pid for pid in children(engine.pid) if is_running(pid)} <= before)
    seen = strategies(engine)
    assert seen["flip"]["ticks"] == 50
    assert seen["starts_a_program"]["errors"] == 0
    for name in ("forks", "forks_by_multiprocessing", "forks_by_preexec"):
        assert engine.said(f"strategy {name} forked this process; the child was ended at once"), name
    assert len(engine.said("order ")) == len({line["event"] for line in engine.said("order ")})
    assert engine.get("/ready")["status"] == "ready"
    assert await engine.terminate() == 0
