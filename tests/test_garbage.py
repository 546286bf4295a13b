from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import weakref
from time import monotonic

from sengine.garbage import collect_between_turns
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


def test_commands_collect_garbage() -> None:
    program = "import sys, gc; sys.argv = ['sengine', 'sample', '-']\nfrom sengine.__main__ import main\n"
    program += "try: main()\nexcept SystemExit: pass\nprint(gc.isenabled(), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=60)
    assert done.stderr.endswith("True\n")
