"""The control API's listener: a Unix socket that only its owner can open, or TCP with a token and TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from sengine.adapters.control.address import Address, default_address, parse_address
from sengine.adapters.control.service import ControlService, EngineContext
from sengine.adapters.transport.connections import CONNECTION_BOUNDS
from sengine.adapters.transport.credentials import TlsFiles, TokenGuard
from sengine.adapters.transport.private_socket import PrivateSocket
from sengine.config.schema import ApiConfig
from sengine.errors import ConfigError, SengineError
from sengine.proto import engine_pb2, engine_pb2_grpc
from sengine.runtime.live_engine import LiveEngine

__all__ = ["ControlServer", "EngineContext"]

SERVICE: Final = engine_pb2.DESCRIPTOR.services_by_name["EngineControl"].full_name
MOST_CALLS: Final = 64
_BOUNDS: Final = (
    ("grpc.max_receive_message_length", 256 * 1024),
    ("grpc.max_send_message_length", 16 * 1024 * 1024),
    ("grpc.max_metadata_size", 8 * 1024),
    ("grpc.absolute_max_metadata_size", 8 * 1024),
    ("grpc.max_concurrent_streams", MOST_CALLS),
    # Two engines on one port would answer in turns.
    ("grpc.so_reuseport", 0),
    *CONNECTION_BOUNDS,
)
_log = structlog.get_logger("sengine.control")


class ControlServer:
    """``await start()`` listens and returns the address, ``await stop()`` ends every call and frees it.

    Raises ``ConfigError`` before listening when the configuration is not safe to listen with, ``SengineError`` when the
    address is taken.
    """

    def __init__(self, live: LiveEngine, context: EngineContext, api: ApiConfig, data_directory: str | Path) -> None:
        self._address = parse_address(api.listen, "api.listen") if api.listen else default_address(data_directory)
        self._has_own_directory = not api.listen
        self._token = api.token
        self._credentials = _credentials(api)
        if self._address.socket is None and not api.token:
            raise ConfigError(
                [
                    f"api.token: {self._address} is reachable over the network, so a token is required; "
                    "set api.token: ${SENGINE_API_TOKEN}, or leave api.listen empty for a private socket"
                ]
            )
        self._service = ControlService(live, context, lambda: self.address)
        self._socket: PrivateSocket | None = None
        self._server: grpc.aio.Server | None = None
        self._sampling: asyncio.Task[None] | None = None
        self._health: health.aio.HealthServicer | None = None

    @property
    def address(self) -> str:
        """``unix:/path`` or ``host:port``, with the real port once it listens."""
        return str(self._address)

    async def start(self) -> str:
        interceptors = [TokenGuard(self._token)] if self._token else []
        server = grpc.aio.server(interceptors=interceptors, options=_BOUNDS, maximum_concurrent_rpcs=MOST_CALLS)
        engine_pb2_grpc.add_EngineControlServicer_to_server(self._service, server)
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        self._bind(server)
        await server.start()
        self._server = server
        self._sampling = asyncio.create_task(self._service.keep_history(), name="history")
        for name in (health.OVERALL_HEALTH, SERVICE):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        if not self._address.is_loopback and self._credentials is None:
            _log.warning("the API is reachable without TLS: its token can be read on the way", at=self.address)
        return self.address

    async def stop(self, grace_s: float = 0.5) -> None:
        """Calls under way get ``grace_s`` to end; streams are cut then."""
        if self._server is not None:
            assert self._health is not None
            if self._sampling is not None:
                self._sampling.cancel()
            await self._health.enter_graceful_shutdown()
            await self._server.stop(grace_s)
            self._server = None
        if self._socket is not None:
            self._socket.release()
            self._socket = None

    def _bind(self, server: grpc.aio.Server) -> None:
        if self._address.socket is not None:
            self._socket = PrivateSocket(self._address.socket, own_directory=self._has_own_directory)
            try:
                with self._socket.creating():
                    server.add_insecure_port(self.address)
            except RuntimeError as error:
                self._socket.release()
                self._socket = None
                raise SengineError(f"cannot listen on {self.address}: {_reason(error)}") from error
            return
        try:
            if self._credentials is not None:
                port = server.add_secure_port(self.address, self._credentials)
            else:
                port = server.add_insecure_port(self.address)
        except RuntimeError as error:
            raise SengineError(
                f"cannot listen on {self.address}: {_reason(error)}; set api.listen to a free address of this machine"
            ) from error
        self._address = Address(None, self._address.host, port)


def _credentials(api: ApiConfig) -> grpc.ServerCredentials | None:
    """TLS from the configuration, ``None`` without. Raises ``ConfigError``."""
    files = TlsFiles("api.tls_{}", api.tls_cert, api.tls_key, api.tls_ca)
    if files.first_given and (not api.listen or api.listen.startswith("unix:")):
        raise ConfigError([f"{files.first_given}: TLS is for host:port; set api.listen, or remove the api.tls_* keys"])
    return files.for_server()


def _reason(error: RuntimeError) -> str:
    return str(error).removesuffix(".")
