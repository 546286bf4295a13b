"""Who may speak to whom over gRPC: TLS from PEM files, and a token that every call carries."""

from __future__ import annotations

import hmac
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import msgspec

from sengine.errors import ConfigError


class TlsFiles(msgspec.Struct, frozen=True):
    """A certificate, its private key and a CA; empty is none. ``name`` makes what people call one of them of ``cert``,
    ``key`` or ``ca``: ``api.tls_{}``, ``--tls-{}``."""

    name: str
    cert: str = ""
    key: str = ""
    ca: str = ""

    @property
    def first_given(self) -> str:
        """What the first file that is given is called; empty where there is none, and so no TLS."""
        return next((self.name.format(part) for part in ("ca", "cert", "key") if getattr(self, part)), "")

    def for_server(self) -> grpc.ServerCredentials | None:
        """``ca`` is who must have signed the callers' certificates. ``None`` without TLS. Raises ``ConfigError``."""
        if not self.first_given:
            return None
        cert_name, key_name = self.name.format("cert"), self.name.format("key")
        if not (self.cert and self.key):
            missing = key_name if self.cert else cert_name
            raise ConfigError([f"{missing}: TLS needs {cert_name} and {key_name}, and this one is missing"])
        content = self._content([])
        pair = [(content["key"] or b"", content["cert"] or b"")]
        return grpc.ssl_server_credentials(pair, content["ca"], require_client_auth=bool(self.ca))

    def for_client(self, others: Sequence[str] = ()) -> grpc.ChannelCredentials | None:
        """``ca`` is who signed the server's certificate. ``None`` without TLS. Raises ``ConfigError`` with every
        mistake, ``others`` before its own."""
        if not self.first_given:
            return None
        mistakes = list(others)
        if bool(self.cert) != bool(self.key):
            missing, given = ("key", "cert") if self.cert else ("cert", "key")
            other = self.name.format(given)
            mistakes.append(f"{self.name.format(missing)}: expected the other half of {other}; give both or neither")
        content = self._content(mistakes)
        return grpc.ssl_channel_credentials(content["ca"], content["key"], content["cert"])

    def _content(self, mistakes: list[str]) -> dict[str, bytes | None]:
        content: dict[str, bytes | None] = {}
        for part in ("ca", "cert", "key"):
            file = getattr(self, part)
            try:
                content[part] = Path(file).expanduser().read_bytes() if file else None
            except OSError as error:
                mistakes.append(f'{self.name.format(part)}: cannot read "{file}": {error.strerror}')
        if not mistakes:
            self._check(mistakes)
        if mistakes:
            raise ConfigError(mistakes)
        return content

    def _check(self, mistakes: list[str]) -> None:
        """Of files that are no PEM, or do not fit, gRPC would only say that it cannot connect or listen."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            if self.ca:
                context.load_verify_locations(Path(self.ca).expanduser())
        except ssl.SSLError as error:
            mistakes.append(f"{self.name.format('ca')}: expected certificates as PEM in {self.ca}: {_reason(error)}")
        try:
            if self.cert:
                context.load_cert_chain(Path(self.cert).expanduser(), Path(self.key).expanduser())
        except ssl.SSLError as error:
            cert, key = self.name.format("cert"), self.name.format("key")
            mistakes.append(
                f"{cert}, {key}: expected a certificate and its key as PEM in {self.cert} and {self.key}: "
                f"{_reason(error)}"
            )


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")


class TokenGuard(grpc.aio.ServerInterceptor):
    """Lets only calls through that carry ``authorization: Bearer TOKEN``; compared in constant time."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler[Any, Any] | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        given: str | bytes = b""
        for name, value in handler_call_details.invocation_metadata:
            if name == "authorization":
                given = value
        handler = await continuation(handler_call_details)
        if handler is None or hmac.compare_digest(given.encode() if isinstance(given, str) else given, self._expected):
            return handler
        return _refusing(handler)


def _refusing(handler: Any) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler of the same shape that refuses before it reads anything."""

    async def refuse(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED, "expected the metadata `authorization: Bearer TOKEN` with the API's token"
        )

    kind: Any = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[bool(handler.request_streaming), bool(handler.response_streaming)]
    refusing: grpc.RpcMethodHandler[Any, Any] = kind(refuse)
    return refusing
