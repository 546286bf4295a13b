"""Proves that dist/sengine works where nothing else is: `make smoke`.

Each check runs the executable in a bare environment: no Python on the PATH, a read-only folder whose name has spaces,
an empty home of its own, an odd working directory, and not as root where we are root. It prints what it saw.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bare import Bare, Screen, SmokeError, ended_after, expect, leave, until

VERSION_S, SCREEN_S, MEGABYTES = 1.0, 3.0, 150


def version(place: Bare) -> str:
    times = []
    for _ in range(3):
        began_s = time.monotonic()
        said = place.run("--version")
        times.append(time.monotonic() - began_s)
    expect(re.fullmatch(r"sengine \d+\.\d+\.\d+ \(compiled\)\n", said), f"--version printed {said!r}")
    limit_s = VERSION_S * place.slack
    expect(min(times) < limit_s, f"--version took {min(times):.2f} s, expected under {limit_s:g}")
    return f"{min(times):.2f} s"


def first_and_next_start(place: Bare) -> str:
    times = []
    for _ in range(2):
        began_s = time.monotonic()
        place.run("--help")
        times.append(time.monotonic() - began_s)
    return f"first start, which unpacks, {times[0]:.2f} s; next {times[1]:.2f} s"


def completion(place: Bare) -> str:
    question = {"_SENGINE_COMPLETE": "complete_bash", "COMP_WORDS": "sengine re", "COMP_CWORD": "1"}
    place.environment |= question
    try:
        offered = place.run().split()
    finally:
        for name in question:
            del place.environment[name]
    expect({"replay", "resume", "rearm"} <= set(offered), f"completion of `sengine re` offers {offered}")
    return " ".join(offered)


def project(place: Bare) -> str:
    place.run("init", "desk")
    desk = place.work / "desk"
    digests = {
        json.loads(place.run("replay", "market.csv", "-c", "sengine.yaml", "--json", "-", folder=desk))["digest"]
        for _ in range(2)
    }
    expect(len(digests) == 1, f"two replays of one market gave two digests: {digests}")
    return digests.pop()[:19]


def users_strategies(place: Bare) -> str:
    desk = place.work / "desk"
    good = """
import statistics, numpy
from sengine.strategy import BaseStrategy, Signal
class Mean(BaseStrategy):
    def on_tick(self, data):
        return Signal(direction="LONG", confidence=float(numpy.mean([0.5, 0.7]))) if not self.position else None
def create_strategy():
    return Mean("mean")
"""
    place.write(desk / "strategies" / "with_numpy.py", good)
    place.write(desk / "strategies" / "with_torch.py", good.replace("numpy", "torch"))
    report = place.run("replay", "market.csv", "--strategy", "with_numpy", folder=desk)
    orders = re.search(r"^orders +(\d+)", report, re.M)
    expect(orders is not None and int(orders[1]) > 0, f"a strategy that uses numpy did not trade:\n{report}")
    sentence = place.run("replay", "market.csv", "--strategy", "with_torch", folder=desk, code=1)
    expect("torch" in sentence and "in this executable" in sentence, f"expected a sentence, got:\n{sentence}")
    return sentence.strip().splitlines()[-1]


def headless_demo(place: Bare) -> str:
    output = place.run("demo", "--no-tui", "--seconds", "5")
    last = output.strip().splitlines()[-1]
    orders = re.search(r"orders +([\d,]+)", last)
    expect(last.startswith("done:") and orders and int(orders[1].replace(",", "")) > 0, f"no orders:\n{output}")
    return last


def demo_with_screens(place: Bare) -> str:
    screen = Screen(place, "demo")
    with ended_after(screen):
        until(lambda: "1 Strategies" in screen.text, "the screens are not painted")
        painted_s = time.monotonic() - screen.began_s
        limit_s = SCREEN_S * place.slack
        expect(painted_s < limit_s, f"the screens came after {painted_s:.2f} s, expected under {limit_s:g}")
        until(lambda: "BTCUSDT" in screen.text and "passed" in screen.text, "the screens show no signal")
        trading_s = time.monotonic() - screen.began_s
        leave(screen)
    return f"painted after {painted_s:.2f} s, signals after {trading_s:.2f} s"


def hot_reload(place: Bare) -> str:
    desk = place.work / "desk"
    log = place.folder / "reload.log"
    with log.open("wb") as output:
        engine = place.start(
            "demo",
            "--no-tui",
            "-c",
            "sengine.yaml",
            "--set",
            "logging.level=info",
            folder=desk,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: "ticks/s  signals" in log.read_text(), "the demo does not trade")
        momentum = desk / "strategies" / "momentum.py"
        before = len(log.read_text())
        place.write(momentum, momentum.read_text("utf-8").replace("0.7", "0.9"))
        took_s = until(
            lambda: "reload" in log.read_text()[before:] and "momentum_btc" in log.read_text()[before:],
            "an edited strategy is not reloaded",
        )
        before = len(log.read_text())
        place.write(momentum, "def broken(:\n")
        until(lambda: "momentum.py:1" in log.read_text()[before:], "a broken strategy is not reported")
        expect(engine.poll() is None, "the engine ended over a broken strategy")
        return f"swapped {took_s:.2f} s after the edit"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGTERM)
        engine.wait(15)


def run_and_attach(place: Bare) -> str:
    desk = place.work / "desk"
    with (place.folder / "run.log").open("wb") as output:
        engine = place.start(
            "run",
            "--no-tui",
            "-c",
            "sengine.yaml",
            "--set",
            "service.port=0",
            folder=desk,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: (desk / "data" / "engine.sock").exists(), "the engine opens no socket")
        status = place.run("status", "-c", "sengine.yaml", "--json", folder=desk)
        expect("strategies" in json.loads(status), f"status: {status}")
        screen = Screen(place, "attach", "-c", "sengine.yaml", folder=desk)
        with ended_after(screen):
            until(lambda: "momentum" in screen.text, "attach shows no strategy")
        place.run("stop", "-c", "sengine.yaml", folder=desk)
        expect(engine.wait(15) == 0, f"the engine ended with {engine.returncode}")
        return "status, attach, stop"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(engine.pid, signal.SIGKILL)


def nothing_is_left(place: Bare) -> str:
    """No process of the executable, as its children are found by where they run from."""

    def left() -> list[str]:
        found = []
        for link in Path("/proc").glob("[0-9]*/exe"):
            with contextlib.suppress(OSError):
                target = os.readlink(link)
                if target.startswith(str(place.folder)):
                    found.append(f"{link.parent.name} {target}")
        return found

    until(lambda: not left(), f"processes are left: {left()}", 10.0)
    return "no process left"


CHECKS: Sequence[Callable[[Bare], str]] = (
    version,
    first_and_next_start,
    completion,
    project,
    users_strategies,
    headless_demo,
    demo_with_screens,
    hot_reload,
    run_and_attach,
    nothing_is_left,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("executable", type=Path)
    parser.add_argument("--only", help="name of one check")
    parser.add_argument("--slack", type=float, default=1.0, help="how many times the times may be exceeded, as in CI")
    arguments = parser.parse_args()
    megabytes = arguments.executable.stat().st_size / 1e6
    print(f"{'size':<22} {megabytes:.0f} MB")
    failed = 0 if megabytes < MEGABYTES else 1
    folder = Path(tempfile.mkdtemp(prefix="sengine smoke "))
    try:
        place = Bare(arguments.executable.resolve(), folder, arguments.slack)
        for check in CHECKS:
            if arguments.only in (None, check.__name__):
                try:
                    print(f"{check.__name__.replace('_', ' '):<22} {check(place)}", flush=True)
                except SmokeError as error:
                    failed += 1
                    print(f"{check.__name__.replace('_', ' '):<22} FAILED: {error}", flush=True)
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)  # noqa: S607 - the tester's own PATH
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
