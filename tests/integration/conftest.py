from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sengine.adapters.nats.broker import EmbeddedBroker
from tests.integration.engine_process import EngineProcess
from tests.integration.process_host import ProcessHost


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A broker that outlives the engine."""
    broker = EmbeddedBroker(tmp_path / "broker")
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture(scope="module")
def host() -> Iterator[ProcessHost]:
    host = ProcessHost()
    yield host
    host.close()


@pytest.fixture
def new_engine(tmp_path: Path) -> Iterator[Callable[..., EngineProcess]]:
    """``new_engine(config)``: an engine in the test's folder, or a folder in it, that is not started yet. None outlives
    the test."""
    engines: list[EngineProcess] = []

    def make(config: dict[str, Any], folder: str = "") -> EngineProcess:
        (tmp_path / folder).mkdir(exist_ok=True)
        engines.append(EngineProcess(tmp_path / folder, config))
        return engines[-1]

    yield make
    for engine in engines:
        engine.kill()


@pytest.fixture
def running(new_engine: Callable[..., EngineProcess]) -> Callable[..., Awaitable[EngineProcess]]:
    """``await running(strategies=[...], execution={...})``: a started engine that is ready."""

    async def start(**config: Any) -> EngineProcess:
        engine = new_engine(config)
        engine.start()
        await engine.ready()
        return engine

    return start
