"""How calls of the control API are read and answered: who calls, and refusals as status codes with their sentence."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, TypeAlias, TypeVar

import grpc
import orjson

from sengine.errors import ConfigError, EngineError, LifecycleError, PluginError, SengineError
from sengine.runtime.audit import owner_name

_CODES: Final = (
    (LifecycleError, grpc.StatusCode.FAILED_PRECONDITION),
    (EngineError, grpc.StatusCode.NOT_FOUND),
    (ConfigError, grpc.StatusCode.INVALID_ARGUMENT),
    (PluginError, grpc.StatusCode.INVALID_ARGUMENT),
    (SengineError, grpc.StatusCode.FAILED_PRECONDITION),
)
Call: TypeAlias = grpc.aio.ServicerContext[Any, Any]


class Audited(Protocol):
    def audit(self, name: str, request: Any, context: Call, result: object) -> None: ...


S = TypeVar("S", bound=Audited)
Q = TypeVar("Q")
A = TypeVar("A")


def answering(method: Callable[[S, Q, Call], Awaitable[A]]) -> Callable[[S, Q, Call], Awaitable[A]]:
    """What sengine raises on purpose becomes a status code with its sentence. Commands go into the audit trail."""

    @functools.wraps(method)
    async def answer(self: S, request: Q, context: Call) -> A:
        try:
            reply = await method(self, request, context)
            self.audit(method.__name__, request, context, reply)
            return reply
        except SengineError as error:
            self.audit(method.__name__, request, context, error)
            code = next(code for kind, code in _CODES if isinstance(error, kind))
            await context.abort(code, _sentence(str(error)))
        raise AssertionError("abort raises")

    return answer


def caller_of(context: Call) -> tuple[str, str]:
    """Who calls, as far as gRPC tells, and from where: the certificate's name, else the token, else the socket's owner,
    whom alone the system lets connect."""
    peer = context.peer()
    if peer.startswith("unix:"):
        return owner_name(), "control API, private socket"
    names = list(context.auth_context().get("x509_common_name", ()))
    who = f"certificate {names[0].decode('utf-8', 'replace')}" if names else "holder of api.token"
    return who, f"control API, {peer}"


def json_object(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError([f"config_json: expected a JSON object: {error}"]) from None
    if not isinstance(value, dict):
        raise ConfigError([f"config_json: expected a JSON object, got {type(value).__name__}"])
    return value


def _sentence(text: str) -> str:
    """Status details travel in a header, which is bounded."""
    return text if len(text) <= 3000 else text[:3000] + "..."
