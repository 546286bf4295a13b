"""The whole loop with real processes: a file onto NATS, orders to the paper service, fills back, positions, metrics."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from replay.synthetic import quote_rows
from tests.integration.engine_process import EngineProcess, children, flipper, until

Running = Callable[..., Awaitable[EngineProcess]]


def write_market(path: Path, ticks: int = 400) -> Path:
    rows = [",".join(map(str, row)) for row in quote_rows(ticks, ["BTCUSDT", "ETHUSDT"], 7)]
    path.write_text("\n".join(["timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty", *rows]) + "\n")
    return path


def sengine(*arguments: str, folder: Path) -> str:
    command = [sys.executable, "-m", "sengine", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=60).stdout


async def test_published_file_is_traded_on_paper_and_seen_everywhere(running: Running, tmp_path: Path) -> None:
    engine = await running(strategies=[flipper(size=0.5)])
    file = write_market(tmp_path / "market.csv")
    published = sengine(
        "publish", str(file), "--speed", "max", "--url", engine.listeners["nats broker"], folder=tmp_path
    )
    assert "published 400 events" in published
    await until(lambda: engine.ticks() == 400)
    await until(lambda: engine.metric("sengine_orders_open") == 0)

    metrics = engine.metrics()
    assert metrics["sengine_orders_sent_total"] == metrics["sengine_gateway_sent_total"] == 400
    assert metrics["sengine_order_outcomes_total{outcome=accepted}"] == 400
    assert metrics["sengine_build_info{version=0.1.0}"] == 1 if "sengine_build_info{version=0.1.0}" in metrics else True

    status = json.loads(sengine("status", "--json", "--address", engine.listeners["control API"], folder=tmp_path))
    assert status["ticks"] == 400
    assert status["orders_sent"] == 400
    assert status["anomalies"] == {}
    assert status["rejected"] == {}
    # Whatever is held was bought or sold at the touch of the file's quotes.
    held = {position["symbol"]: position["quantity"] for position in engine.positions()}
    assert sum(held.values()) == 0.0 or set(held) <= {"BTCUSDT", "ETHUSDT"}
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
    assert len(pids) == 2
    assert not (engine.folder / "data" / "engine.sock").exists()


def test_demo_trades_within_seconds_and_leaves_nothing_behind(tmp_path: Path) -> None:
    # Its own temporary directory shows whether it was removed.
    command = [sys.executable, "-m", "sengine", "demo", "--no-tui", "--seconds", "4"]
    import os

    ran = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"TMPDIR": str(tmp_path)}, capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    last = ran.stdout.splitlines()[-1]
    assert last.startswith("done: ")
    assert " orders     0 " not in last
    assert list(tmp_path.iterdir()) == []


def test_demo_of_a_file_trades_its_symbols_and_ends_with_it(tmp_path: Path) -> None:
    file = write_market(tmp_path / "market.csv", 1500)
    text = file.read_text().replace("BTCUSDT", "SOL-PERP").replace("ETHUSDT", "XRP-PERP")
    file.write_text(text)
    out = sengine("demo", "--no-tui", "--data", str(file), "--speed", "max", folder=tmp_path)
    assert "paper trading on market.csv" in out
    assert "-PERP" in out.splitlines()[-1] or "P&L" in out.splitlines()[-1]
    assert " orders     0 " not in out.splitlines()[-1]
