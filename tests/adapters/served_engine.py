"""A real engine behind the real API server, and a service around it that only remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import time_ns
from typing import Any

from sengine.adapters.control.client import ControlClient
from sengine.adapters.control.server import ControlServer
from sengine.config.schema import ApiConfig
from sengine.domain.reload import ReloadReport, ReloadStep
from sengine.engine.core import Engine
from sengine.engine.latency import LatencyHistogram
from sengine.engine.risk.limits import ConfidenceLimit, DrawdownLimit, PositionLimit
from sengine.errors import PluginError
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus
from tests.engine.conftest import Actor, engine_with, simulated_engine


class Service:
    """The service's side of the API."""

    def __init__(self, live: LiveEngine) -> None:
        self.live = live
        self.facts = ServiceStatus("test-engine", strategies_are_loaded=True)
        self.loaded: list[tuple[str, str, tuple[str, ...], dict[str, Any]]] = []
        self.reload_failure: Exception | None = None
        self.was_stopped = asyncio.Event()

    async def reload(self, strategy_id: str) -> ReloadReport:
        reason = str(self.reload_failure or "")
        message = reason or f"strategy {strategy_id} was read again"
        steps = (ReloadStep("load", not reason, 1.5, reason),)
        report = ReloadReport(
            strategy_id, "code", "command", time_ns(), not reason, "1", "2", message, reason, steps=steps
        )
        self.facts.reloads.record(report)
        return report

    async def reload_risk(self, allow_loosening: bool) -> str:
        return f"limits reloaded{' and loosened' if allow_loosening else ''}"

    async def load(
        self, plugin: str, strategy_id: str, symbols: Sequence[str], config: dict[str, Any], isolation: str
    ) -> str:
        if plugin == "absent":
            raise PluginError('no strategy "absent" in strategies')
        self.loaded.append((plugin, strategy_id, tuple(symbols), config))
        return f"strategy {strategy_id} is loaded"

    def shutdown(self) -> None:
        self.was_stopped.set()


class Stats:
    """Figures of a feed and a gateway in one."""

    def __init__(self) -> None:
        self.state = "connected"
        self.messages, self.decoded, self.oversized, self.dropped, self.conflated = 10, 8, 1, 2, 3
        self.reconnects, self.pending, self.malformed = 4, 5, {"json": 1}
        self.sent, self.accepted, self.rejected, self.unknown, self.retried, self.queue_depth = 6, 4, 1, 1, 2, 7
        self.owed_for_s = 0.0
        self.lag, self.ack, self.tick_to_order = LatencyHistogram(), LatencyHistogram(), LatencyHistogram()
        self.lag.record(2_000_000)
        self.tick_to_order.record(70_000)


def live_engine(*actors: Actor, fills: bool = True) -> LiveEngine:
    """An engine with the default checks; with ``fills`` orders fill at once at the touch."""
    build: Callable[..., Engine] = simulated_engine if fills else engine_with
    return LiveEngine(build(*actors, checks=[ConfidenceLimit(0.6), PositionLimit(10.0), DrawdownLimit(0.2)]))


@asynccontextmanager
async def served(
    live: LiveEngine, directory: Path, api: ApiConfig | None = None, token: str | None = None
) -> AsyncIterator[tuple[ControlClient, Service]]:
    service = Service(live)
    server = ControlServer(live, service, api or ApiConfig(), directory)
    address = await server.start()
    try:
        async with ControlClient(address, token) as client:
            yield client, service
    finally:
        await server.stop(0)


async def within(seconds: float, what: Awaitable[Any]) -> Any:
    """A hang is a failure."""
    return await asyncio.wait_for(what, seconds)
