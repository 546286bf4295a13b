"""Which execution service orders go to, and how it is reached: in plain text on this machine, with TLS elsewhere."""

from __future__ import annotations

from typing import Any, Final

import grpc
import grpc.aio
import msgspec

from sengine.adapters.control.address import parse_address
from sengine.adapters.transport.credentials import TlsFiles
from sengine.config.schema import ExecutionConfig
from sengine.errors import ConfigError

FIRST_BACKOFF_S: Final = 0.05
LONGEST_BACKOFF_S: Final = 2.0

# A report is a few hundred bytes; pings find a peer that is gone without a word.
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 * 1024),
    ("grpc.max_send_message_length", 64 * 1024),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", int(FIRST_BACKOFF_S * 1000)),
    ("grpc.min_reconnect_backoff_ms", int(FIRST_BACKOFF_S * 1000)),
    ("grpc.max_reconnect_backoff_ms", int(LONGEST_BACKOFF_S * 1000)),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)
_PROBE_S: Final = 2.0


class ExecutionPeer(msgspec.Struct, frozen=True):
    """An execution service. ``target`` is as gRPC takes it; without ``credentials`` it is spoken to in plain text."""

    target: str
    credentials: grpc.ChannelCredentials | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    can_be_overheard: bool = False
    """Whether orders, and the token, go to another machine in plain text, as ``execution.insecure`` allows."""

    def open(self) -> grpc.aio.Channel:
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.target, options=_OPTIONS)
        return grpc.aio.secure_channel(self.target, self.credentials, options=_OPTIONS)


def execution_peer(target: str, execution: ExecutionConfig) -> ExecutionPeer:
    """The service at ``host:port`` or ``unix:/path``, with TLS and token as configured.

    Raises ``ConfigError`` with every mistake, and where orders would go to another machine in plain text.
    """
    try:
        address = parse_address(target)
    except ConfigError:
        raise ConfigError(
            [f'execution.target: expected paper, simulated, host:port or unix:/path, got "{target[:200]}"']
        ) from None
    metadata = (("authorization", f"Bearer {execution.token}"),) if execution.token else ()
    files = TlsFiles("execution.tls_{}", execution.tls_cert, execution.tls_key, execution.tls_ca)
    if not files.first_given:
        if not (address.is_loopback or execution.insecure):
            raise ConfigError(
                [
                    f"execution.target: {address} is another machine, and orders would go there in plain text; "
                    "set execution.tls_ca to the CA of its certificate, or execution.insecure if the network is safe"
                ]
            )
        return ExecutionPeer(str(address), None, metadata, not address.is_loopback)
    mistakes = []
    if address.socket is not None:
        mistakes.append(f"{files.first_given}: TLS is for host:port; remove the execution.tls_* keys for {address}")
    return ExecutionPeer(str(address), files.for_client(mistakes), metadata)


async def why_absent(channel: grpc.aio.Channel) -> str:
    """What gRPC says of a channel that does not become ready: connections refused, certificates it does not trust."""
    probe: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
    try:
        await probe(b"", timeout=_PROBE_S)
    except grpc.aio.AioRpcError as error:
        return (error.details() or error.code().name)[:500]
    return "it has just begun to answer"
