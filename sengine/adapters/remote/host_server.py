"""The listener of a strategy host: a private Unix socket, loopback, or beyond this machine with a token and TLS."""

from __future__ import annotations

from typing import Final

import grpc
import grpc.aio
import msgspec
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sengine.adapters.control.address import Address, parse_address
from sengine.adapters.remote.host_service import EventClock, SpecOf, StrategyService
from sengine.adapters.remote.messages import LARGEST_MESSAGE
from sengine.adapters.transport.connections import CONNECTION_BOUNDS
from sengine.adapters.transport.credentials import TlsFiles, TokenGuard
from sengine.adapters.transport.memory_limit import MemoryLimit
from sengine.adapters.transport.private_socket import LISTEN_OPTION, PrivateSocket
from sengine.errors import ConfigError, SengineError
from sengine.proto import strategy_pb2, strategy_pb2_grpc

SERVICE: Final = strategy_pb2.DESCRIPTOR.services_by_name["StrategyService"].full_name
TOKEN_VARIABLE: Final = "STRATEGY_HOST_TOKEN"  # noqa: S105 - its name, not the token
_BOUNDS: Final = (
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", LARGEST_MESSAGE),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 8 * 1024),
    ("grpc.max_concurrent_streams", 16),
    ("grpc.so_reuseport", 0),
    *CONNECTION_BOUNDS,
)


class HostSecurity(msgspec.Struct, frozen=True):
    """How a host may be reached. ``token`` is asked of every call; files are PEM."""

    token: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    tls_ca: str = ""


class StrategyServer:
    """``await start()`` listens and returns the address, ``await stop()`` ends it.

    Raises ``ConfigError`` where listening would not be safe, ``SengineError`` when the address is taken.
    """

    def __init__(
        self,
        spec_of: SpecOf,
        listen: str,
        security: HostSecurity = HostSecurity(),  # noqa: B008
        memory: MemoryLimit | None = None,
        clock: EventClock | None = None,
    ) -> None:
        self._address = parse_address(listen, "--listen")
        self._token = security.token
        self._credentials = TlsFiles("--tls-{}", security.tls_cert, security.tls_key, security.tls_ca).for_server()
        if not self._address.is_loopback and not (self._token and self._credentials):
            raise ConfigError(
                [
                    f"--listen: {self._address} is reachable from other machines; set {TOKEN_VARIABLE} and give "
                    "--tls-cert and --tls-key, or listen on 127.0.0.1 or a unix:/path"
                ]
            )
        self._service = StrategyService(spec_of, memory or MemoryLimit(), clock or EventClock())
        self._socket: PrivateSocket | None = None
        self._server: grpc.aio.Server | None = None
        self._health = health.aio.HealthServicer()

    async def start(self) -> str:
        interceptors = [TokenGuard(self._token)] if self._token else []
        server = grpc.aio.server(interceptors=interceptors, options=_BOUNDS)
        strategy_pb2_grpc.add_StrategyServiceServicer_to_server(self._service, server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        self._bind(server)
        await server.start()
        self._server = server
        for name in (SERVICE, ""):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        return str(self._address)

    async def stop(self, grace_s: float = 0.2) -> None:
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(grace_s)
            self._server = None
        if self._socket is not None:
            self._socket.release()
            self._socket = None

    def _bind(self, server: grpc.aio.Server) -> None:
        address = str(self._address)
        try:
            if self._address.socket is not None:
                self._socket = PrivateSocket(self._address.socket, LISTEN_OPTION)
                with self._socket.creating():
                    server.add_insecure_port(address)
                return
            if self._credentials is not None:
                port = server.add_secure_port(address, self._credentials)
            else:
                port = server.add_insecure_port(address)
        except RuntimeError as error:
            if self._socket is not None:
                self._socket.release()
            raise SengineError(
                f"cannot listen on {address}: {str(error).removesuffix('.')}; give --listen a free address"
            ) from error
        self._address = Address(None, self._address.host, port)
