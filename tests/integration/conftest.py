from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.engine_process import EngineProcess


@pytest.fixture
def new_engine(tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], EngineProcess]]:
    """``new_engine(config)``: an engine in the test's folder that is not started yet; none outlives the test."""
    engines: list[EngineProcess] = []

    def make(config: dict[str, Any]) -> EngineProcess:
        engines.append(EngineProcess(tmp_path, config))
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
