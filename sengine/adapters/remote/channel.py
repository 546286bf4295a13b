"""How the engine reaches a strategy's process: the address, TLS, the token and what gRPC must bear."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import grpc
import grpc.aio
import msgspec

from sengine.adapters.control.address import parse_address
from sengine.adapters.remote.messages import LARGEST_MESSAGE
from sengine.adapters.transport.credentials import TlsFiles
from sengine.config.schema import StrategyConfig
from sengine.errors import ConfigError

Metadata = tuple[tuple[str, str], ...]
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)
# Over a network, pings find a peer that is gone without a word. A frozen process of this machine is waited for.
_PINGS: Final = (("grpc.keepalive_time_ms", 20_000), ("grpc.keepalive_timeout_ms", 10_000))


class Target(msgspec.Struct, frozen=True):
    """A strategy's process. ``credentials`` is ``None`` without TLS."""

    address: str
    is_loopback: bool = True
    token: str = ""
    credentials: grpc.ChannelCredentials | None = None

    @property
    def metadata(self) -> Metadata:
        """What every call carries."""
        return (("authorization", f"Bearer {self.token}"),) if self.token else ()

    @property
    def _options(self) -> Sequence[tuple[str, int]]:
        return _OPTIONS if self.is_loopback else (*_OPTIONS, *_PINGS)

    def channel(self) -> grpc.aio.Channel:
        if self.credentials is not None:
            return grpc.aio.secure_channel(self.address, self.credentials, options=self._options)
        return grpc.aio.insecure_channel(self.address, options=self._options)

    def blocking_channel(self) -> grpc.Channel:
        if self.credentials is not None:
            return grpc.secure_channel(self.address, self.credentials, options=self._options)
        return grpc.insecure_channel(self.address, options=self._options)


def configured_target(strategy: StrategyConfig) -> Target:
    """``address`` with its token and TLS files. Raises ``ConfigError`` for what is not safe or cannot be read."""
    place = f"strategies.{strategy.id}"
    address = parse_address(strategy.address, f"{place}.address")
    if strategy.tls_cert and not strategy.tls_ca:
        raise ConfigError([f"{place}.tls_ca: tls_cert is for TLS; set tls_ca to the CA of the strategy's certificate"])
    if not address.is_loopback and not (strategy.tls_ca and strategy.token):
        missing = "token" if strategy.tls_ca else "tls_ca"
        raise ConfigError(
            [f"{place}.{missing}: {address} is on another machine, so tls_ca and token are required; set {missing}"]
        )
    files = TlsFiles(f"{place}.tls_{{}}", strategy.tls_cert, strategy.tls_key, strategy.tls_ca)
    return Target(str(address), address.is_loopback, strategy.token, files.for_client())


def refusal(error: grpc.RpcError) -> str:
    """What a failed call says, in one line."""
    code = error.code() if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else None
    details = (error.details() or "") if isinstance(error, grpc.Call | grpc.aio.AioRpcError) else str(error)
    return f"{code.name.lower() if code is not None else 'error'}: {' '.join(details.split())[:300]}"
