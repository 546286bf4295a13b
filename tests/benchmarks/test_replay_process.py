"""``sengine replay`` as a whole process: against a plain loop, and its memory against the length of the file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

from sengine.build_form import form
from tests.benchmarks import heavy_market

PLAIN_LOOP = str(Path(__file__).with_name("plain_momentum.py"))


HEAVY_LOOP = str(Path(__file__).with_name("heavy_plain_loop.py"))
HEAVY_ORDERS = 122_609


def _wall_s(*command: str, pure: str = "0") -> float:
    environment = os.environ | {"SENGINE_PURE": pure}
    started_s = perf_counter()
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, env=environment)
    return perf_counter() - started_s


# A child's peak is never below what its parent held when it was started, so a small process stands between.
_MEASURE = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def _peak_bytes(*command: str) -> int:
    measured = [sys.executable, "-S", "-c", _MEASURE, sys.executable, *command]
    return int(subprocess.run(measured, check=True, capture_output=True).stdout)


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


def test_where_every_quote_moves_a_replay_stays_near_a_plain_loop(tmp_path: Path, figure: Callable[..., None]) -> None:
    """The order-heavy workload: a million quotes, momentum 5/20, an order every eight ticks."""
    path = str(tmp_path / "heavy.csv")
    heavy_market.write(path, 1_000_000)
    replay = ("-m", "sengine", "replay", path, "--strategy", "momentum")
    said = subprocess.run([sys.executable, *replay, "--json", "-"], check=True, capture_output=True)
    assert json.loads(said.stdout)["orders"] == HEAVY_ORDERS
    runs = [(_wall_s(*replay), _wall_s(*replay, pure="1"), _wall_s(HEAVY_LOOP, path)) for _ in range(5)][1:]
    figure("plain csv.reader loop, 1M quotes that move", median(plain for _, _, plain in runs), "s")
    pure = median(pure / plain for _, pure, plain in runs)
    figure("sengine replay / plain loop, every quote moves, pure Python", pure, "x", at_most=4.5, note="4 turns")
    if form() == "compiled":
        ratio = median(compiled / plain for compiled, _, plain in runs)
        figure("sengine replay / plain loop, every quote moves, compiled", ratio, "x", at_most=1.2, note="4 turns")
