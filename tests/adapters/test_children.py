from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sengine.adapters.transport.processes import HAS_DEATH_SIGNAL, own_command, spawn, spawn_program

PARENT_OF_A_COMMAND = """
import asyncio, sys
from sengine.adapters.transport.processes import spawn

async def main():
    child = await spawn("broker", "--port", "0", "--data", sys.argv[1], stdout=asyncio.subprocess.PIPE)
    line = await child.stdout.readline()
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
PARENT_OF_A_PROGRAM = """
import asyncio, sys
from sengine.adapters.transport.processes import spawn_program

async def main():
    child = await spawn_program(["sleep", "60"])
    print(child.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""
STUCK = """
import signal, time
from sengine.adapters.transport.processes import watch_parent
signal.signal(signal.SIGTERM, signal.SIG_IGN)
watch_parent(grace_s=0.1)
print("up", flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        # A zombie that nobody has waited for yet is not alive.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.fixture
def parent() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


def test_our_own_command_is_this_program_also_as_a_single_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_command("paper", "-x") == [sys.executable, "-m", "sengine", "paper", "-x"]

    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert own_command("paper", "-x") == [sys.executable, "paper", "-x"]


async def test_a_child_is_waited_for_and_gives_its_code(tmp_path: Path) -> None:
    child = await spawn("publish", str(tmp_path / "none.csv"), stderr=asyncio.subprocess.DEVNULL)

    assert child.pid > 0
    assert await child.wait() == 2
    assert await child.stop() == 2


async def test_a_child_that_ignores_the_request_is_killed() -> None:
    code = 'import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print("up", flush=True); signal.pause()'
    child = await spawn_program([sys.executable, "-c", code], stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    await child.stdout.readline()

    assert await child.stop(grace_s=0.1) == -signal.SIGKILL
    assert not alive(child.pid)


@pytest.mark.skipif(not HAS_DEATH_SIGNAL, reason="the kernel has no death signal")
async def test_a_foreign_program_dies_with_a_parent_that_is_killed(parent, until) -> None:
    process = parent(PARENT_OF_A_PROGRAM)
    child = int(process.stdout.readline())
    assert alive(child)

    process.kill()

    await until(lambda: not alive(child))


async def test_our_own_command_and_its_children_die_with_a_parent_that_is_killed(parent, until, tmp_path: Path) -> None:
    process = parent(PARENT_OF_A_COMMAND, str(tmp_path))
    child = int(process.stdout.readline())
    (ports,) = (tmp_path / "ports").glob("*.ports")
    server = int(ports.stem.rpartition("_")[2])
    assert alive(child)
    assert alive(server)

    process.kill()

    await until(lambda: not alive(child) and not alive(server))


async def test_a_stuck_command_ends_hard_when_its_parent_is_gone(parent, until) -> None:
    process = parent(STUCK)
    assert process.stdout.readline() == "up\n"

    process.stdin.close()

    await until(lambda: process.poll() is not None)
    assert process.returncode == 1
