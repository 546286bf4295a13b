"""The whole loop with real processes: a file onto NATS, orders to the paper service, fills back, positions, metrics."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import mkdtemp
from urllib.request import urlopen

import grpc
import pytest
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from replay.synthetic import quote_rows
from sengine.resources import resource_path
from tests.integration.engine_process import ENVIRONMENT, EngineProcess, children, flipper, is_running, until
from tests.integration.test_faults import free_port
from tests.patience import PATIENCE_S

Running = Callable[..., Awaitable[EngineProcess]]


def write_market(path: Path, ticks: int = 400) -> Path:
    rows = [",".join(map(str, row)) for row in quote_rows(ticks, ["BTCUSDT", "ETHUSDT"], 7)]
    path.write_text("\n".join(["timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty", *rows]) + "\n")
    return path


def sengine(*arguments: str, folder: Path) -> str:
    command = [sys.executable, "-m", "sengine", *arguments]
    ran = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout


async def test_published_file_is_traded_on_paper_and_seen_everywhere(running: Running, tmp_path: Path) -> None:
    engine = await running(strategies=[flipper(size=0.5)])
    file = write_market(tmp_path / "market.csv")
    # It finds the engine's broker, and its login, by the configuration.
    published = sengine("publish", str(file), "--speed", "max", "-c", str(engine.config_file), folder=engine.folder)
    assert "published 400 events" in published
    await until(lambda: engine.ticks() == 400)
    await until(lambda: engine.metric("sengine_orders_open") == 0)

    # A fill can be quicker than the answer to its order.
    await until(lambda: engine.metric("sengine_order_outcomes_total{outcome=accepted}") == 400)
    metrics = engine.metrics()
    assert metrics["sengine_orders_sent_total"] == metrics["sengine_gateway_sent_total"] == 400
    assert metrics["sengine_order_outcomes_total{outcome=rejected}"] == 0
    assert metrics["sengine_feed_connected"] == metrics["sengine_gateway_connected"] == metrics["sengine_ready"] == 1

    status = json.loads(sengine("status", "--json", "--address", engine.listeners["control API"], folder=tmp_path))
    assert status["ticks"] == 400
    assert status["orders_sent"] == 400
    assert status["anomalies"] == {}
    assert status["rejected"] == {}
    # It bought on the odd books and sold on the even ones.
    assert sum(position["quantity"] for position in engine.positions()) == 0.0
    assert status["realized_pnl"] != 0.0

    services = {
        what: set(ProtoReflectionDescriptorDatabase(channel).get_services())
        for what in ("control API", "paper")
        for channel in [grpc.insecure_channel(engine.listeners[what], [("grpc.default_authority", "localhost")])]
    }
    assert {"sengine.engine.v1.EngineControl", "grpc.health.v1.Health"} <= services["control API"]
    assert any("OrderExecution" in name for name in services["paper"])

    pids = children(engine.pid)
    assert await engine.terminate() == 0
    assert sorted(name for name in ("nats-server", "paper", "prover") for each in pids.values() if name in each) == [
        "nats-server", "paper", "prover"
    ]  # fmt: skip
    assert not [pid for pid in pids if is_running(pid)]
    assert not (engine.folder / "data" / "engine.sock").exists()


def test_demo_trades_within_seconds_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A place of its own for temporary files shows whether they were removed.
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(tmp_path))
    last = sengine("demo", "--no-tui", "--seconds", "4", folder=tmp_path).splitlines()[-1]
    assert last.startswith("done: ")
    assert " orders     0 " not in last
    assert list(tmp_path.iterdir()) == []


HELD_UP = """
from sengine.strategy import BaseStrategy

class Hang(BaseStrategy):
    has_hung = False

    def on_tick(self, data):
        if not self.has_hung:
            self.has_hung = True
            sum(range(60_000_000))

def create_strategy():
    return Hang("hang")
"""


def test_demo_that_is_held_up_goes_on_although_the_watchdog_should_end_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = Path(mkdtemp())  # the path of a socket in it has to be short
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(temporary))
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "hang.py").write_text(HELD_UP)
    (tmp_path / "sengine.yaml").write_text(
        "nats: {url: embedded}\nlogging: {level: warning, format: console}\n"
        "strategies: [{id: hang, plugin: hang}]\nplugins: {watchdog_after: 200ms, watchdog_restart: true}\n"
    )
    command = [sys.executable, "-m", "sengine", "demo", "--no-tui", "--seconds", "4", "-c", "sengine.yaml"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert "plugins.watchdog_restart is not for a demo" in ran.stderr
    assert "the loop was held up" in ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("done: ")
    temporary.rmdir()  # nothing is left in it


def test_demo_of_a_file_trades_its_symbols_and_ends_with_it(tmp_path: Path) -> None:
    file = write_market(tmp_path / "market.csv", 1500)
    text = file.read_text().replace("BTCUSDT", "SOL-PERP").replace("ETHUSDT", "XRP-PERP")
    file.write_text(text)
    out = sengine("demo", "--no-tui", "--data", str(file), "--speed", "max", folder=tmp_path)
    assert "paper trading on market.csv" in out
    assert "-PERP" in out
    assert " orders     0 " not in out.splitlines()[-1]


async def test_a_running_demo_is_found_without_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "TMPDIR", str(tmp_path))
    monkeypatch.setitem(ENVIRONMENT, "XDG_STATE_HOME", str(tmp_path / "state"))
    command = [sys.executable, "-m", "sengine", "demo", "--no-tui", "--seconds", "60"]
    with (tmp_path / "said").open("wb") as said:
        demo = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=said, stderr=said)
    try:
        await until(lambda: "ticks/s" in (tmp_path / "said").read_text(), what="the demo's first line")
        status = json.loads(sengine("status", "--json", folder=tmp_path))
        assert status["service"]["name"] == "sengine-demo"
        assert status["service"]["pid"] == demo.pid
        published = sengine("publish", str(write_market(tmp_path / "market.csv")), "--speed", "max", folder=tmp_path)
        assert "published 400 events" in published
        assert "the engine has stopped" in sengine("stop", folder=tmp_path)
        assert demo.wait(10) == 0
    finally:
        demo.kill()
        demo.wait()
    assert list((tmp_path / "state").rglob("demo")) == []


async def test_a_running_demo_tells_of_edits_within_a_second_good_or_bad(tmp_path: Path) -> None:
    folder, said = tmp_path / "strategies", tmp_path / "said"
    folder.mkdir()
    source = resource_path("strategies", "momentum.py").read_text()
    file = folder / "momentum.py"
    file.write_text(source)
    with said.open("wb") as out:
        command = [sys.executable, "-m", "sengine", "demo", "--no-tui", "--seconds", "60"]
        demo = subprocess.Popen(command, cwd=tmp_path, env=ENVIRONMENT, stdout=out, stderr=out)
    try:
        await until(lambda: said.read_text().count("ticks/s") >= 3, what="the demo's first lines")
        file.write_text(source.replace("confidence=0.7", "confidence=0.8"))
        await until(lambda: " reloaded: 1.0.0+" in said.read_text(), what="the line of a reload")
        file.write_text(source.replace("import", "import ("))
        await until(lambda: "not reloaded: " in said.read_text(), what="the line of a failed reload")
        assert re.search(r"\d  strategy \w+ not reloaded: .*momentum.py:\d+: syntax error", said.read_text())
    finally:
        demo.terminate()
        demo.wait()


async def test_metrics_are_on_the_ports_of_the_plan_too(running: Running) -> None:
    ports = [free_port(), free_port()]
    engine = await running(
        service={"port": 0, "data_directory": "data", "metrics_port": ports[0]},
        metrics={"prometheus_port": ports[1]},
        strategies=[flipper()],
        execution={"target": "simulated"},
    )
    assert engine.listeners["service.metrics_port"] == f"http://127.0.0.1:{ports[0]}"
    assert engine.listeners["metrics.prometheus_port"] == f"http://127.0.0.1:{ports[1]}"
    for port in ports:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S) as answer:
            assert b"sengine_ready 1.0" in answer.read()
