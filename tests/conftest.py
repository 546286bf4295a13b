from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine is not a failing test; a test that hangs is ended by faulthandler_timeout.
settings.register_profile("sengine", deadline=None)
settings.load_profile("sengine")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, the only loop that sengine runs on."""
    return "asyncio"
