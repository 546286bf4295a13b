"""Every way to log in, against real nats-servers that want it; and what an operator hears when it fails."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import nats
import pytest
from msgspec.structs import replace

from sengine.adapters.nats.broker import server_binary
from sengine.adapters.nats.feed import NatsFeed
from sengine.adapters.nats.options import connect_options
from sengine.adapters.nats.publisher import Publisher
from sengine.adapters.transport.processes import Child, spawn_program
from sengine.config.schema import NatsConfig
from sengine.errors import ConfigError
from tests.adapters.execution_fixtures import RecordingHub, make_book
from tests.adapters.nats_identities import USER, Identity, Nation

Serve = Callable[[dict[str, Any]], Awaitable[str]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a nats-server with these settings; gives its address."""
    children: list[Child] = []

    async def start(settings: dict[str, Any]) -> str:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        file = tmp_path / f"server-{port}.conf"
        file.write_text(json.dumps({"listen": f"127.0.0.1:{port}"} | settings))
        children.append(await spawn_program([server_binary(), "-c", str(file)]))
        return f"nats://127.0.0.1:{port}"

    yield start
    for child in children:
        await child.stop()


class Hub(RecordingHub):
    """What a feed needs of the live engine."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[object] = []

    def process_all(self, events: Any) -> None:
        self.events.extend(events)

    def idle(self) -> None:
        pass

    def said(self) -> str:
        return repr(self.lines)


async def trades(config: NatsConfig, url: str) -> Hub:
    """Let a feed log in, and a book come through it; what was said meanwhile."""
    hub = Hub()
    feed = NatsFeed(replace(config, url=url), url, hub)  # type: ignore[arg-type]
    await feed.start()
    try:
        assert await feed.connected(10), hub.said()
        assert feed.stats.state == "connected"
        assert feed.connection is not None
        await Publisher(feed.connection).publish(make_book())
        await hub.until(lambda: len(hub.events) == 1)
    finally:
        await feed.stop()
    return hub


async def fails(config: NatsConfig, url: str, words: str) -> Hub:
    """Let a feed try to log in, until it has said what is wrong."""
    hub = Hub()
    feed = NatsFeed(replace(config, url=url), url, hub)  # type: ignore[arg-type]
    await feed.start()
    try:
        await hub.until(lambda: any(words in event for _, event, _ in hub.lines))
        assert feed.stats.state == "reconnecting"
        assert not await feed.connected(0.05)
    finally:
        await feed.stop()
    return hub


async def test_user_and_password(serve: Serve) -> None:
    url = await serve({"authorization": {"user": "engine", "password": "s3cret"}})

    hub = await trades(NatsConfig(user="engine", password="s3cret"), url)
    assert "s3cret" not in hub.said()
    hub = await fails(NatsConfig(user="engine", password="wr0ng"), url, "refuses the login; correct nats.user")
    assert "wr0ng" not in hub.said()
    await fails(NatsConfig(), url, "refuses the login; set one of nats.user")


async def test_a_login_in_the_address_is_never_shown(serve: Serve) -> None:
    url = await serve({"authorization": {"user": "engine", "password": "s3cret"}})

    hub = await trades(NatsConfig(), url.replace("//", "//engine:s3cret@"))
    assert "s3cret" not in hub.said()
    hub = await fails(NatsConfig(), url.replace("//", "//engine:wr0ng@"), "refuses the login")
    assert "wr0ng" not in hub.said()


async def test_token(serve: Serve) -> None:
    url = await serve({"authorization": {"token": "s3cret"}})

    hub = await trades(NatsConfig(token="s3cret"), url)
    assert "s3cret" not in hub.said()
    hub = await fails(NatsConfig(token="wr0ng"), url, "refuses the login; correct nats.token")
    assert "wr0ng" not in hub.said()


async def test_nkey_seed_file(serve: Serve, tmp_path: Path) -> None:
    known, stranger = Identity(USER), Identity(USER)
    url = await serve({"authorization": {"users": [{"nkey": known.public}]}})
    (tmp_path / "known.nk").write_bytes(known.seed)
    (tmp_path / "stranger.nk").write_bytes(stranger.seed)

    hub = await trades(NatsConfig(nkey_seed_file=str(tmp_path / "known.nk")), url)
    assert known.seed.decode() not in hub.said()
    hub = await fails(
        NatsConfig(nkey_seed_file=str(tmp_path / "stranger.nk")), url, "refuses the login; correct nats.nkey_seed_file"
    )
    assert stranger.seed.decode() not in hub.said()


async def test_credentials_file_with_a_signed_token(serve: Serve, tmp_path: Path) -> None:
    nation, elsewhere = Nation(), Nation()
    url = await serve(nation.settings)
    user = Identity(USER)
    (tmp_path / "user.creds").write_text(nation.credentials_of(user))
    (tmp_path / "forged.creds").write_text(elsewhere.credentials_of(user))

    hub = await trades(NatsConfig(credentials_file=str(tmp_path / "user.creds")), url)
    assert user.seed.decode() not in hub.said()
    hub = await fails(
        NatsConfig(credentials_file=str(tmp_path / "forged.creds")),
        url,
        "refuses the login; correct nats.credentials_file",
    )
    assert user.seed.decode() not in hub.said()


@pytest.mark.parametrize("key", ["nkey_seed_file", "credentials_file"])
def test_a_file_that_holds_no_login_is_told_by_its_key(tmp_path: Path, key: str) -> None:
    (tmp_path / "rubbish").write_text("Private-Rubbish\n")

    with pytest.raises(ConfigError, match=f"nats.{key}: cannot log in with .*rubbish.*it holds no") as caught:
        connect_options(NatsConfig(**{key: str(tmp_path / "rubbish")}))
    assert "Private-Rubbish" not in str(caught.value)


async def test_a_renewed_credentials_file_is_used_for_the_next_login(serve: Serve, tmp_path: Path) -> None:
    nation = Nation()
    url = await serve(nation.settings)
    file = tmp_path / "user.creds"
    file.write_text(nation.credentials_of(Identity(USER)))
    options = connect_options(NatsConfig(credentials_file=str(file)))
    for content in (nation.credentials_of(Identity(USER)), "half written"):
        file.write_text(content)
        connection = await nats.connect(url, **options)
        await connection.flush()
        await connection.close()


async def test_tls_with_an_own_ca(serve: Serve, certificates: Path) -> None:
    def file(name: str) -> str:
        return str(certificates / name)

    url = await serve({"tls": {"cert_file": file("engine.pem"), "key_file": file("engine.key")}})

    await trades(NatsConfig(tls_ca=file("ca.pem")), url)
    await trades(NatsConfig(tls_ca=file("ca.pem")), url.replace("nats://", "tls://"))
    await fails(NatsConfig(tls_ca=file("client.pem")), url, "correct nats.tls_ca")
    await fails(NatsConfig(), url, "set nats.tls_ca")


async def test_mutual_tls(serve: Serve, certificates: Path) -> None:
    def file(name: str) -> str:
        return str(certificates / name)

    tls = {"cert_file": file("engine.pem"), "key_file": file("engine.key"), "ca_file": file("ca.pem"), "verify": True}
    url = await serve({"tls": tls, "authorization": {"token": "s3cret"}})
    own = {"tls_cert": file("client.pem"), "tls_key": file("client.key")}

    await trades(NatsConfig(tls_ca=file("ca.pem"), token="s3cret", **own), url)
    hub = await fails(NatsConfig(tls_ca=file("ca.pem"), token="s3cret"), url, "set nats.tls_cert")
    assert "s3cret" not in hub.said()
