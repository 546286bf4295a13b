"""The worked example in another language, where Node and its packages are to be had."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from replay.run import ReplayOptions, run_replay
from replay.sample import write_sample
from sengine.config import Config
from sengine.config.schema import PluginsConfig, RiskConfig, StrategyConfig
from sengine.errors import SengineError

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "node-strategy"

SAME_IN_PYTHON = """
from sengine.strategy import BaseStrategy, Signal

class Mean(BaseStrategy):
    def initialize(self, config):
        self.mids, self.window = [], config["window"]

    def on_tick(self, data):
        self.mids.append(data.mid)
        del self.mids[:-self.window]
        if len(self.mids) < self.window:
            return None
        total = 0.0
        for mid in self.mids:
            total += mid
        mean = total / self.window
        if data.mid > mean and self.position <= 0:
            return Signal(direction="LONG", confidence=0.7, size=1.0)
        if data.mid < mean and self.position >= 0:
            return Signal(direction="SHORT", confidence=0.7, size=1.0)

def create_strategy():
    return Mean("mean")
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the example with its packages installed."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not here")
    folder = tmp_path_factory.mktemp("node") / "strategy"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copy(ROOT / "sengine" / "proto" / "strategy.proto", folder)
    command = ["npm", "install", "--no-save", "--no-package-lock", "--no-audit", "--no-fund"]
    try:
        installed = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)
    except subprocess.TimeoutExpired:
        pytest.skip("npm install did not end: no package registry in reach")
    if installed.returncode:
        pytest.skip(f"npm install failed: {installed.stderr.strip()[-200:]}")
    return folder


@pytest.fixture
def node(packages: Path, tmp_path: Path) -> Iterator[Callable[[], str]]:
    started: list[subprocess.Popen[str]] = []

    def start() -> str:
        address = f"unix:{tmp_path}/node.sock"
        process = subprocess.Popen(
            ["node", "strategy.js", address], cwd=packages, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        started.append(process)
        assert process.stdout is not None
        assert address in process.stdout.readline()
        return address

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def run(market: Path, strategy: StrategyConfig, directory: Path) -> Any:
    config = Config(strategies=[strategy], risk=RiskConfig(filters=[]), plugins=PluginsConfig(directory=str(directory)))
    return run_replay(config, ReplayOptions([market]))


def test_it_gives_the_run_that_the_same_rules_give_in_python(node: Callable[[], str], tmp_path: Path) -> None:
    market = tmp_path / "m.csv"
    write_sample(market, 800, ["BTCUSDT"], seed=5)
    (tmp_path / "mean.py").write_text(SAME_IN_PYTHON)
    parameters = {"window": 30}
    inside = run(market, StrategyConfig(id="it", plugin="mean", config=parameters), tmp_path)
    address = node()
    outside = run(market, StrategyConfig(id="it", type="grpc", address=address, config=parameters), tmp_path)
    assert inside.fills > 5
    assert (outside.digest, outside.signals_total) == (inside.digest, inside.signals_total)

    refused = StrategyConfig(id="it", type="grpc", address=address, config={"window": 1})
    with pytest.raises(SengineError, match="window: expected an integer >= 2, got 1"):
        run(market, refused, tmp_path)
