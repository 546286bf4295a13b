"""A real engine in a process of its own, and what a test wants to know of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import nats
import yaml
from nats.aio.client import Client
from prometheus_client.parser import text_string_to_metric_families

import sengine
from sengine.adapters.nats.broker import running_broker_url
from sengine.adapters.nats.publisher import Publisher
from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from tests.patience import PATIENCE_S

CHECKOUT = Path(sengine.__file__).resolve().parents[1]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("SENGINE_")} | {
    "PYTHONPATH": str(CHECKOUT)
}
T0 = 1_700_000_000_000_000_000
MS = 1_000_000

FLIPPER = '''
"""Buys, sells, buys: an order with each book. Says at its end what it held."""

from pathlib import Path
from typing import Any

import msgspec

from sengine.strategy import BaseStrategy, Plugin, Signal

plugin = Plugin("flipper", "1.0.0", "An order with each book")


class Parameters(msgspec.Struct, frozen=True):
    size: float = 1.0
    away: float = 0.0
    report: str = ""


class Flipper(BaseStrategy):
    parameters = Parameters
    params: Parameters
    calls = 0

    def on_tick(self, data: Any) -> Any:
        self.calls += 1
        buys = self.calls % 2 == 1
        away = self.params.away
        price = data.mid - away if buys else data.mid + away
        return Signal(
            symbol=data.symbol,
            direction="LONG" if buys else "SHORT",
            confidence=1.0,
            size=self.params.size,
            limit_price=price if away else None,
        )

    def shutdown(self) -> None:
        if self.params.report:
            Path(self.params.report).write_text(str(self.position))


def create_strategy() -> BaseStrategy:
    return Flipper("flipper")
'''


def flipper(**parameters: Any) -> dict[str, Any]:
    """The configuration of one strategy that trades on every book."""
    item: dict[str, Any] = {"id": "flip", "plugin": "flipper", "config": parameters}
    return item | ({"route": "direct"} if parameters.get("away") else {})


def book(step: int, bid: float = 100.0, symbol: str = "BTCUSDT") -> BookEvent:
    """The ``step``-th book, one each millisecond."""
    touch = OrderBook((PriceLevel(bid, 5.0),), (PriceLevel(bid + 1.0, 5.0),))
    return BookEvent(symbol, T0 + step * MS, touch)


async def until(
    condition: Callable[[], object], timeout_s: float = PATIENCE_S, what: str = "what was waited for"
) -> None:
    """Wait until ``condition`` holds, and fail after ``timeout_s``."""
    deadline_s = monotonic() + timeout_s
    while not condition():
        assert monotonic() < deadline_s, f"{what} did not come"
        await asyncio.sleep(0.02)


def children(pid: int) -> dict[int, str]:
    """All processes below ``pid``, with their command lines."""
    below: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pid:
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    below[int(entry.name)] = command
                    below |= children(int(entry.name))
            except (FileNotFoundError, ProcessLookupError):
                continue
    return below


def is_running(pid: int) -> bool:
    """Whether there is such a process and it is no zombie that nobody has asked after."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


class EngineProcess:
    """``python -m sengine run --no-tui`` in ``folder``."""

    def __init__(self, folder: Path, config: dict[str, Any]) -> None:
        self.folder = folder
        self.config_file = folder / "sengine.yaml"
        plugins = folder / "strategies"
        plugins.mkdir(exist_ok=True)
        (plugins / "flipper.py").write_text(FLIPPER)
        self.configure(config)
        self.stderr = folder / "engine.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.listeners: dict[str, str] = {}
        self._told_before = 0

    def configure(self, config: dict[str, Any]) -> None:
        defaults: dict[str, Any] = {
            "service": {"port": 0, "data_directory": "data"},
            "plugins": {"directory": "strategies"},
            "risk": {"filters": []},
        }
        self.config_file.write_text(yaml.safe_dump(defaults | config))

    def start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "sengine", "run", "--no-tui", "-c", self.config_file.name]
        self._told_before = len(self.said("listening")) if self.stderr.exists() else 0
        with self.stderr.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        return self.process

    async def listening(self) -> None:
        """Wait for all listeners of this start."""
        config = yaml.safe_load(self.config_file.read_text())
        expected = {"control API", "http"}
        if config.get("nats", {}).get("url", "embedded") == "embedded":
            expected.add("nats broker")
        if config.get("execution", {}).get("target", "paper") == "paper":
            expected.add("paper")
        await until(lambda: self._has_ended() or expected <= self._told().keys(), what="a listening engine")
        self.listeners = self._told()
        if "nats broker" in self.listeners:
            # What is shown has no login in it; the owner finds it where `sengine publish` does.
            login = running_broker_url(self.folder / "data" / "nats")
            assert login is not None
            self.listeners["nats broker"] = login

    async def ready(self) -> None:
        await self.listening()
        await until(lambda: self.get("/ready")["status"] == "ready", what="a ready engine")

    def _told(self) -> dict[str, str]:
        return {line["what"]: line["address"] for line in self.said("listening")[self._told_before :]}

    def _has_ended(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the engine ended: {self.stderr.read_text()}"
        return False

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def child(self, what: str) -> int:
        """The pid of its child whose command line has ``what`` in it; 0 when there is none."""
        return next((pid for pid, command in children(self.pid).items() if what in command), 0)

    # What it says.

    def log(self) -> list[dict[str, Any]]:
        lines = self.stderr.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def said(self, words: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if words in line["event"]]

    def get(self, path: str) -> dict[str, Any]:
        try:
            with urlopen(self.listeners["http"] + path, timeout=5) as answer:
                return json.load(answer)
        except HTTPError as error:
            return json.load(error)
        except (URLError, ConnectionError, TimeoutError) as error:
            return {"status": f"no answer: {error}"}

    def metrics(self) -> dict[str, float]:
        """Samples by ``name`` or ``name{label=value,...}``."""
        with urlopen(self.listeners["http"] + "/metrics", timeout=PATIENCE_S) as answer:
            text = answer.read().decode()
        samples = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
        return samples

    def metric(self, name: str) -> float:
        return self.metrics().get(name, 0.0)

    def ticks(self) -> float:
        return self.metric("sengine_ticks_total")

    def positions(self) -> list[dict[str, Any]]:
        return self.get("/api/positions")["positions"]

    def signals(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return self.get("/api/signals")

    # Its end.

    async def ended(self, timeout_s: float = PATIENCE_S) -> int:
        process = self.process
        assert process is not None
        await until(lambda: process.poll() is not None, timeout_s, "the engine's end")
        assert process.returncode is not None
        return process.returncode

    async def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await self.ended()

    def kill(self) -> None:
        """Whatever is left of it."""
        if self.process is not None:
            left = [self.process.pid, *children(self.process.pid)]
            if self.process.poll() is None:
                for pid in left:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
            self.process.wait()


@asynccontextmanager
async def publisher(url: str) -> AsyncIterator[tuple[Client, Callable[[Iterable[BookEvent]], Any]]]:
    """A connection and a function that publishes events and waits until the broker has them."""
    connection = await nats.connect(url, reconnect_time_wait=0.1, max_reconnect_attempts=-1)
    market = Publisher(connection)

    async def publish(events: Iterable[BookEvent]) -> None:
        for event in events:
            await market.publish(event)
            if not market.published % 1000:
                await market.flush()
        await market.flush()

    try:
        yield connection, publish
    finally:
        # What nats-py cancels of its own while the broker goes away is not this test's end.
        await asyncio.wait((asyncio.ensure_future(connection.close()),))
