"""Which services orders may go to, and how they get there: against real gRPC servers with TLS and tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from sengine.adapters.execution.gateway import ExecutionGateway
from sengine.adapters.execution.peer import execution_peer
from sengine.adapters.execution.stats import GatewayStats
from sengine.config.schema import ExecutionConfig
from sengine.errors import ConfigError
from tests.adapters.execution_fixtures import RecordingHub, make_order
from tests.adapters.slow_execution import SlowExecution

TOKEN = "s3cret-token"


@pytest.fixture
def hub() -> RecordingHub:
    return RecordingHub()


@pytest.fixture
async def service(certificates: Path) -> AsyncIterator[SlowExecution]:
    """Wants TLS with a client's certificate, and a token."""
    ca, key, cert = ((certificates / name).read_bytes() for name in ("ca.pem", "engine.key", "engine.pem"))
    server = SlowExecution()
    await server.start(credentials=grpc.ssl_server_credentials([(key, cert)], ca, True), token=TOKEN)
    yield server
    await server.stop()


def config(certificates: Path, *, token: str = TOKEN, own: bool = True, ca: str = "ca.pem") -> ExecutionConfig:
    files = {"tls_cert": "client.pem", "tls_key": "client.key"} if own else {}
    return ExecutionConfig(
        token=token,
        **({"tls_ca": str(certificates / ca)} | {key: str(certificates / file) for key, file in files.items()}),
    )


def told(hub: RecordingHub, words: str) -> list[str]:
    return [str(fields["reason"]) for _, event, fields in hub.lines if words in event]


async def test_orders_go_out_over_mutual_tls_with_a_token(
    hub: RecordingHub, service: SlowExecution, certificates: Path
) -> None:
    gateway = ExecutionGateway(service.address, config(certificates), hub, GatewayStats())
    await gateway.start()
    gateway.send(make_order())
    await hub.until(lambda: hub.statuses("o-1") == ["accepted"])
    gateway.cancel("o-1")
    await hub.until(lambda: hub.statuses("o-1") == ["accepted", "cancelled"])
    await gateway.stop()

    assert TOKEN not in repr(hub.lines)


async def test_a_wrong_token_is_told_and_never_shown(
    hub: RecordingHub, service: SlowExecution, certificates: Path
) -> None:
    gateway = ExecutionGateway(service.address, config(certificates, token="wr0ng"), hub, GatewayStats())
    await gateway.start()
    gateway.send(make_order())
    await hub.until(lambda: bool(told(hub, "refuses this engine; correct execution.token")))
    await gateway.stop(0.05)

    assert service.submitted() == []
    assert told(hub, "refuses")[0].startswith("UNAUTHENTICATED")
    # It was written to a stream that was refused: whether it was executed is the service's to say.
    assert hub.statuses("o-1") == ["unknown"] or hub.statuses("o-1") == ["rejected"]
    assert "wr0ng" not in repr(hub.lines)


@pytest.mark.parametrize("options", [{"own": False}, {"ca": "client.pem"}], ids=["no certificate", "another CA"])
async def test_a_failed_handshake_is_told_with_its_reason(
    hub: RecordingHub, service: SlowExecution, certificates: Path, options: dict[str, object]
) -> None:
    gateway = ExecutionGateway(service.address, config(certificates, **options), hub, GatewayStats())  # type: ignore[arg-type]
    await gateway.start()
    gateway.send(make_order())
    words = "does not answer yet" if "ca" in options else "execution service"
    await hub.until(lambda: any(word for word in told(hub, words)))
    await gateway.stop(0.05)

    assert service.submitted() == []
    if "ca" in options:
        assert "CERTIFICATE_VERIFY_FAILED" in told(hub, words)[0]


def test_plain_text_to_another_machine_must_be_allowed() -> None:
    with pytest.raises(ConfigError, match=r"10\.0\.0\.5:50061 is another machine.*execution\.tls_ca") as caught:
        execution_peer("10.0.0.5:50061", ExecutionConfig(token=TOKEN))
    assert TOKEN not in str(caught.value)

    allowed = execution_peer("10.0.0.5:50061", ExecutionConfig(insecure=True))
    assert (allowed.credentials, allowed.can_be_overheard) == (None, True)


@pytest.mark.parametrize("target", ["127.0.0.1:1", "[::1]:1", "localhost:1", "unix:/tmp/x.sock"])
def test_this_machine_needs_no_tls(target: str) -> None:
    peer = execution_peer(target, ExecutionConfig(token=TOKEN))

    assert not peer.can_be_overheard
    assert peer.metadata == (("authorization", f"Bearer {TOKEN}"),)


def test_a_target_that_is_none_says_what_one_is() -> None:
    with pytest.raises(ConfigError, match=r'execution\.target: expected paper, simulated, .*got "nowhere"'):
        execution_peer("nowhere", ExecutionConfig())


def test_all_mistakes_in_the_files_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        execution_peer("unix:/tmp/x.sock", ExecutionConfig(tls_ca=str(tmp_path / "none.pem"), tls_cert="c.pem"))

    mistakes = caught.value.mistakes
    assert [mistake.split(":")[0] for mistake in mistakes] == [
        "execution.tls_ca",
        "execution.tls_key",
        "execution.tls_ca",
        "execution.tls_cert",
    ]
