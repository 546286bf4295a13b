from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nkeys
import pytest

from sengine.adapters.broker import server_binary
from sengine.adapters.children import Child, spawn_program
from sengine.adapters.nats_feed import NatsFeed
from sengine.adapters.nats_options import connect_options
from sengine.config.schema import NatsConfig
from sengine.errors import ConfigError


class Silent:
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, _level: str, event: str, **_fields: Any) -> None:
        self.said.append(event)


@pytest.fixture
async def serve() -> AsyncIterator[Any]:
    children: list[Child] = []

    async def start(*options: str) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        children.append(await spawn_program([server_binary(), "-a", "127.0.0.1", "-p", str(port), *options]))
        return f"nats://127.0.0.1:{port}"

    yield start
    for child in children:
        await child.stop()


async def connects(config: NatsConfig, url: str, timeout_s: float = 10.0) -> bool:
    feed = NatsFeed(config, url, Silent())  # type: ignore[arg-type]
    await feed.start()
    try:
        return await feed.connected(timeout_s)
    finally:
        await feed.stop()


async def test_user_and_password_log_in(serve) -> None:
    url = await serve("--user", "engine", "--pass", "secret")

    assert await connects(NatsConfig(user="engine", password="secret"), url)
    assert not await connects(NatsConfig(user="engine", password="wrong"), url, 0.3)
    assert not await connects(NatsConfig(), url, 0.3)


async def test_a_token_logs_in(serve) -> None:
    url = await serve("--auth", "secret")

    assert await connects(NatsConfig(token="secret"), url)


async def test_a_wrong_password_is_told_and_tried_again_with_pauses(serve, until) -> None:
    url = await serve("--auth", "secret")
    live = Silent()
    feed = NatsFeed(NatsConfig(token="wrong"), url, live)  # type: ignore[arg-type]
    await feed.start()
    await until(lambda: any("authorization" in said.lower() for said in live.said))

    assert feed.stats.state == "reconnecting"
    await feed.stop()


async def test_an_nkey_logs_in(serve, tmp_path: Path) -> None:
    seed = nkeys.encode_seed(os.urandom(32), nkeys.PREFIX_BYTE_USER)
    public = nkeys.from_seed(bytearray(seed)).public_key.decode()
    (tmp_path / "user.nk").write_bytes(seed)
    (tmp_path / "server.conf").write_text(f"authorization {{ users = [ {{ nkey: {public} }} ] }}")
    url = await serve("-c", str(tmp_path / "server.conf"))

    assert await connects(NatsConfig(nkey_seed_file=str(tmp_path / "user.nk")), url)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    config = NatsConfig(
        password="x", tls_cert=str(tmp_path / "none.pem"), nkey_seed_file=str(tmp_path / "empty"), token="t"
    )
    with pytest.raises(ConfigError) as caught:
        connect_options(config)

    told = caught.value.mistakes
    assert len(told) == 5
    assert any(mistake.startswith("nats.tls_cert") and "No such file" in mistake for mistake in told)
    assert any(mistake.startswith("nats.nkey_seed_file") and "empty" in mistake for mistake in told)
    assert any(mistake.startswith("nats.tls_key") for mistake in told)
    assert any(mistake.startswith("nats.user") for mistake in told)
    assert any("one way to log in" in mistake for mistake in told)


def test_certificates_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")

    with pytest.raises(ConfigError, match="PEM"):
        connect_options(NatsConfig(tls_ca=str(tmp_path / "ca.pem")))


def test_nothing_configured_is_no_option() -> None:
    assert connect_options(NatsConfig()) == {}
