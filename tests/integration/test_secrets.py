"""A real engine is given secrets and made to talk, and none of them is found in what it says and leaves behind."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
import zstandard

from sengine.adapters.control.client import ControlClient
from sengine.adapters.nats.broker import EmbeddedBroker, Login
from sengine.errors import SengineError
from tests.adapters.slow_execution import SlowExecution
from tests.integration.engine_process import (
    ENVIRONMENT,
    EngineProcess,
    book,
    children,
    flipper,
    publisher,
    until,
)
from tests.patience import PATIENCE_S

NATS, API, EXECUTION, KEY, NEW_KEY, CHANGED_KEY = (f"hunter2-{name}" for name in ("nats", "api", "exec", "a", "b", "c"))
SECRETS = (NATS, API, EXECUTION, KEY, NEW_KEY, CHANGED_KEY)

STRATEGY = """
from typing import Any

from sengine.strategy import BaseStrategy, Signal


class Keyed(BaseStrategy):
    calls = 0

    def initialize(self, config: dict[str, Any]) -> None:
        self.key = config["api_key"]
        self.fails = config.get("fails", False)
        if config.get("refuse"):
            raise ValueError("these are refused")

    def on_tick(self, data: Any) -> Any:
        self.calls += 1
        if self.fails and self.calls % 5 == 0:
            raise RuntimeError("every fifth tick")
        return Signal(direction="LONG" if self.calls % 2 else "SHORT", confidence=1.0, size=1.0)


def create_strategy() -> BaseStrategy:
    return Keyed("keyed")
"""


def configuration(broker: EmbeddedBroker, execution: SlowExecution, in_address: bool) -> dict[str, Any]:
    host = broker.address.removeprefix("nats://")
    nats: dict[str, Any] = {"url": broker.address, "user": "anna", "password": NATS}
    if in_address:
        nats = {"url": f"nats://anna:{NATS}@{host}"}
    return {
        "service": {"port": 0, "data_directory": "data"},
        "nats": nats,
        "api": {"listen": "127.0.0.1:0", "token": API},
        "execution": {"target": execution.address, "token": EXECUTION},
        "strategies": [{"id": "keyed", "plugin": "keyed", "config": {"api_key": KEY, "window": 5, "fails": True}}],
        "logging": {"level": "debug"},
    }


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            yield path, zstandard.decompress(content) if path.suffix == ".zst" else content


def assert_none_in(what: str, content: str | bytes) -> None:
    text = content if isinstance(content, bytes) else content.encode()
    for secret in SECRETS:
        at = text.find(secret.encode())
        assert at < 0, f"{what} has {secret}: {text[max(0, at - 80) : at + 80]!r}"


@pytest.mark.parametrize("in_address", [False, True], ids=["password", "login in the address"])
async def test_no_secret_is_in_what_an_engine_says_and_leaves_behind(
    new_engine: Callable[..., EngineProcess], tmp_path: Path, in_address: bool
) -> None:
    broker = EmbeddedBroker(tmp_path / "broker", login=Login("anna", NATS))
    execution = SlowExecution()
    await broker.start()
    await execution.start(token=EXECUTION)
    try:
        engine = new_engine(configuration(broker, execution, in_address), "run")
        (engine.folder / "strategies" / "keyed.py").write_text(STRATEGY)
        engine.config_file.chmod(0o644)
        engine.start()
        await engine.ready()
        await _trade(engine, broker.url)
        said = await _looked_at_from_everywhere(engine)
        await broker.stop()
        await until(lambda: engine.metric("sengine_feed_connected") == 0, what="a lost broker")
        assert await engine.terminate() == 0
    finally:
        await execution.stop()
        await broker.stop()
    assert execution.submitted(), "nothing was traded"
    log = engine.stderr.read_text()
    for line in ("can be read by others", "reloaded; api_key", "these are refused", "every fifth tick"):
        assert line in log or line in said["strategy"], f"the run did not come to: {line}"
    assert_none_in("the log", log)
    for what, content in said.items():
        assert_none_in(what, content)
    kept = dict(files_below(engine.folder / "data"))
    assert any(path.parent.name == "journal" for path in kept), "there is no journal"
    for path, content in kept.items():
        assert_none_in(str(path), content)


async def test_the_login_of_the_embedded_broker_is_in_its_two_private_files_alone(
    new_engine: Callable[..., EngineProcess], tmp_path: Path
) -> None:
    engine = new_engine({"strategies": [flipper()], "logging": {"level": "debug"}})
    engine.start()
    await engine.ready()
    url = engine.listeners["nats broker"]
    password = url.split("@")[0].split(":")[-1].encode()
    assert len(password) > 20
    await _trade(engine, url)
    lines = [Path(f"/proc/{pid}/cmdline").read_bytes() for pid in (engine.pid, *children(engine.pid))]
    data = engine.folder / "data"
    holders = [path for path, content in files_below(data) if password in content]
    assert {path.relative_to(data).as_posix() for path in holders} == {"nats/broker.url", "nats/nats-server.conf"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in holders)
    assert [path for path in (data, data / "nats") if path.stat().st_mode & 0o077] == []
    assert (data / "engine.sock").stat().st_mode & 0o777 == 0o600
    assert await engine.terminate() == 0
    for said in (engine.stderr.read_bytes(), *lines):
        assert password not in said


async def _trade(engine: EngineProcess, url: str) -> None:
    async with publisher(url) as (_, publish):
        await publish(book(step) for step in range(12))
        await until(lambda: engine.ticks() == 12, what="12 ticks")


async def _looked_at_from_everywhere(engine: EngineProcess) -> dict[str, str]:
    """All that can be asked of the engine, also wrongly."""
    said: dict[str, str] = {}
    address = engine.listeners["control API"]
    async with ControlClient(address, API) as client:
        form = (await client.strategy("keyed")).config
        assert form["api_key"] == "***"
        # What a form sends back unchanged stays as it was, and what is typed anew is taken.
        said["unchanged"] = repr(await client.set_parameters("keyed", {**form, "window": 6}))
        said["changed"] = repr(await client.set_parameters("keyed", {**form, "api_key": CHANGED_KEY}))
        said["checked"] = repr(await client.check_parameters("keyed", {**form, "api_key": NEW_KEY}))
        said["refused"] = await _refusal(client.set_parameters("keyed", {"api_key": NEW_KEY, "refuse": True}))
        config = engine.config_file.read_text()
        engine.config_file.write_text(config.replace(KEY, NEW_KEY))
        said["reloaded"] = repr(await client.reload("keyed"))
        said["loaded"] = repr(await client.load("keyed", "second", [], {"api_key": CHANGED_KEY}))
        said["not loaded"] = await _refusal(client.load("keyed", "third", [], {"api_key": KEY, "refuse": True}))
        said["strategy"] = repr(await client.strategy("keyed")) + repr(await client.strategies())
        said["snapshot"] = repr(await client.snapshot())
        said["kill"] = repr(await client.kill("a test"))
        log = client.log(1000)
        said["stream of the log"] = repr([await anext(log)])
        await log.aclose()
    async with ControlClient(address, "wrong") as stranger:
        said["stranger"] = await _refusal(stranger.snapshot())
    for path in ("/metrics", "/ready", "/health", "/api/strategies", "/api/positions", "/api/signals", "/"):
        said[path] = await asyncio.to_thread(_page, engine.listeners["http"] + path)
    said["/events"] = await asyncio.to_thread(_first_event, engine.listeners["http"] + "/events")
    arguments = ("status", "--json", "-c", "sengine.yaml", "--address", address)
    said["status"] = _command(engine.folder, *arguments, environment={"SENGINE_API_TOKEN": API})
    said["config check"] = _command(engine.folder, "config", "check", "sengine.yaml")
    said["process list"] = Path(f"/proc/{engine.pid}/cmdline").read_text()
    return said


async def _refusal(call: Any) -> str:
    with pytest.raises(SengineError) as refused:
        await call
    return str(refused.value)


def _page(url: str) -> str:
    with urlopen(url, timeout=PATIENCE_S) as answer:
        return answer.read().decode()


def _first_event(url: str) -> str:
    with urlopen(url, timeout=PATIENCE_S) as answer:
        return answer.readline().decode() + answer.readline().decode()


def _command(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sengine", *arguments],
        cwd=folder,
        env=ENVIRONMENT | (environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_no_secret_is_in_the_reports_of_a_replay(tmp_path: Path) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "keyed.py").write_text(STRATEGY)
    config = {
        "nats": {"url": f"nats://anna:{NATS}@broker:4222"},
        "api": {"token": API},
        "execution": {"token": EXECUTION},
        "plugins": {"directory": "strategies"},
        "strategies": [{"id": "keyed", "plugin": "keyed", "config": {"api_key": KEY}}],
    }
    (tmp_path / "sengine.yaml").write_text(json.dumps(config))
    _command(tmp_path, "sample", "market.csv", "--ticks", "500")
    reports = ["--report", "report.html", "--json", "report.json", "--signals", "s.csv", "--fills", "f.csv"]
    said = _command(tmp_path, "replay", "market.csv", "-c", "sengine.yaml", *reports)
    os.remove(tmp_path / "sengine.yaml")
    assert_none_in("the summary", said)
    assert (tmp_path / "report.html").stat().st_size > 10_000
    for path, content in files_below(tmp_path):
        assert_none_in(path.name, content)
