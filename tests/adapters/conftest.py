from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from time import monotonic

import nats
import pytest
from nats.aio.client import Client

from sengine.adapters.nats.broker import EmbeddedBroker
from tests.patience import PATIENCE_S


@pytest.fixture(scope="session")
def until() -> Callable[..., object]:
    """``await until(lambda: condition)`` waits for a condition, and fails after ``timeout_s``."""

    async def until(condition: Callable[[], object], timeout_s: float = PATIENCE_S) -> None:
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


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and a server's and a client's certificate signed by it, all for localhost."""
    folder = tmp_path_factory.mktemp("tls")
    (folder / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca", "-days", "1")
    for name in ("engine", "client"):
        openssl("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signing = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "1", "-extfile", "san")
        openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-out", f"{name}.pem")
    return folder
