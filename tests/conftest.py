from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from hypothesis import settings

# A busy machine is not a failing test; a test that hangs is ended by faulthandler_timeout.
settings.register_profile("sengine", deadline=None)
settings.load_profile("sengine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, the only loop that sengine runs on."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
async def one_loop(anyio_backend: str) -> AsyncIterator[None]:
    """One event loop for all async tests, as the program has one: gRPC reports what it finishes late to the loop it
    began on, and a test would fail for that loop being closed."""
    yield  # noqa: PT022 -- the loop lives as long as a fixture on it is open
