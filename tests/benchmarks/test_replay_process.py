"""``sengine replay`` as a whole process: against a plain loop, and its memory against the length of the file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

PLAIN_LOOP = str(Path(__file__).with_name("plain_momentum.py"))


def _wall_s(*command: str) -> float:
    started_s = perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
    return perf_counter() - started_s


def _peak_bytes(*command: str) -> int:
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def test_replaying_a_million_quotes_takes_at_most_half_as_long_again_as_a_plain_loop(
    sample_csv: Callable[[int], Path], figure: Callable[..., None]
) -> None:
    path = str(sample_csv(1_000_000))
    pairs = [(_wall_s("-m", "sengine", "replay", path), _wall_s(PLAIN_LOOP, path)) for _ in range(6)][1:]
    replay_s, plain_s = (median(column) for column in zip(*pairs, strict=True))
    figure("plain csv.reader loop, 1M quotes", plain_s, "s")
    figure("sengine replay, 1M quotes, whole process", replay_s, "s")
    ratio = median(replay / plain for replay, plain in pairs)
    figure("sengine replay / plain loop", ratio, "x", at_most=1.5, note="median of 5 pairs in one run")


def test_memory_does_not_grow_with_the_file(sample_csv: Callable[[int], Path], figure: Callable[..., None]) -> None:
    one = _peak_bytes("-m", "sengine", "replay", str(sample_csv(1_000_000)))
    ten = _peak_bytes("-m", "sengine", "replay", str(sample_csv(10_000_000)))
    figure("peak memory, 1M quotes", one / 1e6, "MB")
    figure("peak memory, 10M quotes", ten / 1e6, "MB", at_most=400)
    figure("peak memory, 10M / 1M quotes", ten / one, "x", at_most=1.2)
