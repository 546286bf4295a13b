"""What the benchmarks of the live service share: real processes, generated ticks, percentiles."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT
from time import monotonic
from typing import Any

import msgspec

HERE = Path(__file__).parent
START_S = 20.0


def percentile(samples: Sequence[float], quantile: float) -> float:
    """The sample below which ``quantile`` (0 to 1) of them lie."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(quantile * len(ordered)))]


@contextmanager
def frozen_heap() -> Iterator[None]:
    """The test runner's heap is large, and the collector must not look through it; in an engine it does so between two
    turns of the loop (``sengine.service.gc_schedule``)."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@asynccontextmanager
async def running(*arguments: str, log: Path | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    """``python ARGUMENTS...`` from the checkout, ended at exit. Its output goes into ``log``, or can be read."""
    with (log or Path("/dev/null")).open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=HERE.parents[1], stdin=PIPE, stdout=file if log else PIPE,
            stderr=STDOUT if log else None, limit=64 << 20,
        )  # fmt: skip
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def said(log: Path, *texts: str) -> str:
    """Wait until a process has written all of ``texts`` into its log, and for what is in it."""
    deadline = monotonic() + START_S
    while True:
        written = log.read_text("utf-8", "replace") if log.exists() else ""
        if all(text in written for text in texts):
            return written
        assert monotonic() < deadline, f"expected {texts} within {START_S:.0f} s, got: {written[-2000:]}"
        await asyncio.sleep(0.02)


async def answered(process: asyncio.subprocess.Process, timeout_s: float = START_S) -> Any:
    """The next line of a helper's output, which is JSON."""
    assert process.stdout is not None
    return msgspec.json.decode(await asyncio.wait_for(process.stdout.readline(), timeout_s))
