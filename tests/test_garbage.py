from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from pathlib import Path
from time import monotonic

from sengine.service.gc_schedule import collect_between_turns
from tests.integration.engine_process import ENVIRONMENT
from tests.patience import PATIENCE_S


class Node:
    def __init__(self) -> None:
        self.itself = self


async def test_an_engine_collects_garbage_by_itself_and_never_in_the_middle_of_a_tick() -> None:
    tidying = asyncio.create_task(collect_between_turns())
    await asyncio.sleep(0)
    assert not gc.isenabled()
    seen = weakref.ref(Node())
    deadline = monotonic() + PATIENCE_S
    while seen() is not None:
        assert monotonic() < deadline, "a cycle was never collected"
        await asyncio.sleep(0.02)
    tidying.cancel()
    await asyncio.gather(tidying, return_exceptions=True)
    assert gc.isenabled()


def test_commands_collect_garbage(tmp_path: Path) -> None:
    program = "import sys, gc; sys.argv = ['sengine', 'sample', 'market.csv', '--ticks', '1']\n"
    program += "from sengine.__main__ import main\ntry: main()\nexcept SystemExit: pass\n"
    program += "print(gc.isenabled(), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=ENVIRONMENT,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert done.stderr.endswith("True\n")
