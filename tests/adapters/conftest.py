from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic

import nats
import pytest
from nats.aio.client import Client

from sengine.adapters.broker import EmbeddedBroker


@pytest.fixture(scope="session")
def until() -> Callable[..., object]:
    """``await until(lambda: condition)`` waits for a condition, and fails after ``timeout_s``."""

    async def until(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
        deadline = monotonic() + timeout_s
        while not condition():
            assert monotonic() < deadline, "what was waited for did not come"
            await asyncio.sleep(0.005)

    return until


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    broker = EmbeddedBroker(tmp_path / "broker")
    await broker.start()
    yield broker
    await broker.stop()


@pytest.fixture
async def connection(broker: EmbeddedBroker) -> AsyncIterator[Client]:
    connection = await nats.connect(broker.url)
    yield connection
    await connection.close()
