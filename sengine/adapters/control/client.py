"""The client of the engine's control API, for the command line, the terminal and scripts. It imports no engine code."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import grpc
import orjson

from sengine.adapters.control import views
from sengine.adapters.control.address import Address, chosen_address, parse_address
from sengine.adapters.control.errors import RefusedError, UnreachableError
from sengine.adapters.control.reading import read
from sengine.adapters.transport.credentials import TlsFiles
from sengine.config.schema import Config
from sengine.errors import SengineError
from sengine.printable import printable_lines
from sengine.proto import engine_pb2 as pb
from sengine.proto.engine_pb2_grpc import EngineControlStub

TIMEOUT_S: Final = 5.0
_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    # An engine is never behind a web proxy; a set http_proxy would only send the token elsewhere.
    ("grpc.enable_http_proxy", 0),
    # Screens are often open before their engine is; gRPC's own first pause is a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.default_authority", "localhost"),
)
V = TypeVar("V", bound=views.View)


class ControlClient:
    """One connection to one engine. Use as ``async with``, or call ``close()``.

    ``address`` is ``unix:/path`` or ``host:port``. Any ``tls_`` file turns TLS on for TCP: ``tls_ca`` is who signed the
    engine's certificate, ``tls_cert`` and ``tls_key`` are this client's own. Every call raises ``UnreachableError`` or
    ``RefusedError``; calls take at most ``timeout_s``, streams as long as they are read.
    """

    def __init__(
        self,
        address: str | Address,
        token: str | None = None,
        *,
        tls_ca: str | Path | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self.address = parse_address(address) if isinstance(address, str) else address
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._timeout_s = timeout_s
        options = _OPTIONS if self.address.socket is not None else _OPTIONS[:-1]
        files = TlsFiles("--tls-{}", str(tls_cert or ""), str(tls_key or ""), str(tls_ca or ""))
        credentials = files.for_client() if self.address.socket is None else None
        if credentials is not None:
            self._channel = grpc.aio.secure_channel(str(self.address), credentials, options)
        else:
            self._channel = grpc.aio.insecure_channel(str(self.address), options)
        self._stub: Any = EngineControlStub(self._channel)
        self.prepare: Callable[[Any], Any] = lambda view: view
        """What each answer goes through before it is handed out."""

    @classmethod
    def of_config(
        cls,
        config: Config,
        address: str = "",
        token: str = "",
        *,
        tls_ca: str | Path | None = None,
        tls_cert: str | Path | None = None,
        tls_key: str | Path | None = None,
    ) -> ControlClient:
        """The client of the engine that runs with ``config``; ``address`` and ``token`` override it."""
        chosen = chosen_address(config, address)
        return cls(chosen, token or config.api.token or None, tls_ca=tls_ca, tls_cert=tls_cert, tls_key=tls_key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._channel.close()

    # Questions.

    async def strategies(self) -> views.StrategiesView:
        return await self._call(views.StrategiesView, self._stub.ListStrategies, pb.ListStrategiesRequest())

    async def strategy(self, strategy_id: str) -> views.StrategyDetailView:
        request = pb.GetStrategyStateRequest(strategy_id=strategy_id)
        return await self._call(views.StrategyDetailView, self._stub.GetStrategyState, request)

    async def positions(self, strategy_id: str = "", *, include_flat: bool = False) -> views.PositionsView:
        request = pb.GetPositionsRequest(strategy_id=strategy_id, include_flat=include_flat)
        return await self._call(views.PositionsView, self._stub.GetPositions, request)

    async def market(self, symbol: str) -> views.MarketView:
        return await self._call(views.MarketView, self._stub.GetMarket, pb.GetMarketRequest(symbol=symbol))

    async def snapshot(self) -> views.SnapshotView:
        return await self._call(views.SnapshotView, self._stub.GetSnapshot, pb.GetSnapshotRequest())

    # Commands.

    async def pause(self, strategy_id: str, reason: str = "") -> views.ReplyView:
        request = pb.PauseRequest(strategy_id=strategy_id, reason=reason)
        return await self._call(views.ReplyView, self._stub.Pause, request)

    async def resume(self, strategy_id: str) -> views.ReplyView:
        return await self._call(views.ReplyView, self._stub.Resume, pb.ResumeRequest(strategy_id=strategy_id))

    async def reload(self, strategy_id: str) -> views.ReloadView:
        """Have the engine read the strategy's configuration and file again."""
        return await self._call(views.ReloadView, self._stub.Reload, pb.ReloadRequest(strategy_id=strategy_id))

    async def set_parameters(self, strategy_id: str, config: dict[str, Any]) -> views.ReloadView:
        request = pb.ReloadRequest(strategy_id=strategy_id, config_json=_parameters_json(config))
        return await self._call(views.ReloadView, self._stub.Reload, request)

    async def check_parameters(self, strategy_id: str, config: dict[str, Any]) -> views.ReloadView:
        """The parameters that ``set_parameters`` would put into force, defaults filled in; nothing changes."""
        request = pb.ReloadRequest(strategy_id=strategy_id, config_json=_parameters_json(config), validate_only=True)
        return await self._call(views.ReloadView, self._stub.Reload, request)

    async def load(
        self,
        plugin: str,
        strategy_id: str,
        symbols: Sequence[str] = (),
        config: dict[str, Any] | None = None,
        *,
        isolation: str = "none",
    ) -> views.ReplyView:
        """``isolation``: ``process`` for a process of its own."""
        request = pb.LoadRequest(
            plugin=plugin,
            strategy_id=strategy_id,
            symbols=symbols,
            config_json=_parameters_json(config or {}),
            isolation=isolation,
        )
        return await self._call(views.ReplyView, self._stub.Load, request)

    async def unload(self, strategy_id: str) -> views.ReplyView:
        return await self._call(views.ReplyView, self._stub.Unload, pb.UnloadRequest(strategy_id=strategy_id))

    async def kill(self, reason: str = "", *, flatten: bool = False) -> views.ReplyView:
        request = pb.KillSwitchRequest(reason=reason, flatten=flatten)
        return await self._call(views.ReplyView, self._stub.KillSwitch, request)

    async def reload_risk(self, *, allow_loosening: bool = False) -> views.ReplyView:
        """Have the engine read its limits again."""
        request = pb.ReloadRiskRequest(allow_loosening=allow_loosening)
        return await self._call(views.ReplyView, self._stub.ReloadRisk, request)

    async def rearm(self) -> views.ReplyView:
        return await self._call(views.ReplyView, self._stub.Rearm, pb.RearmRequest())

    async def pnl_history(self) -> views.PnlHistoryView:
        return await self._call(views.PnlHistoryView, self._stub.GetPnlHistory, pb.GetPnlHistoryRequest())

    async def flatten(self, strategy_id: str = "", symbol: str = "", reason: str = "") -> views.FlattenView:
        request = pb.FlattenRequest(strategy_id=strategy_id, symbol=symbol, reason=reason)
        return await self._call(views.FlattenView, self._stub.Flatten, request)

    async def check_flatten(self, strategy_id: str = "", symbol: str = "") -> views.FlattenView:
        """What ``flatten`` would do; nothing changes."""
        request = pb.FlattenRequest(strategy_id=strategy_id, symbol=symbol, validate_only=True)
        return await self._call(views.FlattenView, self._stub.Flatten, request)

    async def cancel_order(self, order_id: str) -> views.ReplyView:
        return await self._call(views.ReplyView, self._stub.CancelOrder, pb.CancelOrderRequest(order_id=order_id))

    async def settle_fill(self, fill_id: str, *, accept: bool) -> views.ReplyView:
        """Book a fill that waits for a person, or refuse it."""
        request = pb.SettleFillRequest(fill_id=fill_id, accept=accept)
        return await self._call(views.ReplyView, self._stub.SettleFill, request)

    async def shutdown(self) -> views.ReplyView:
        return await self._call(views.ReplyView, self._stub.Shutdown, pb.ShutdownRequest())

    async def drive_replay(
        self, *, is_paused: bool | None = None, speed: float | None = None, steps: int = 0, finish: bool = False
    ) -> views.ReplyView:
        request = pb.DriveReplayRequest(is_paused=is_paused, speed=speed, steps=steps, finish=finish)
        return await self._call(views.ReplyView, self._stub.DriveReplay, request)

    # Streams: closed by leaving the loop that reads them (``contextlib.aclosing``), or by closing the client.

    def snapshots(self, interval_ms: int = 500) -> AsyncGenerator[views.SnapshotView, None]:
        request = pb.StreamSnapshotsRequest(interval_ms=interval_ms)
        return self._stream(views.SnapshotView, self._stub.StreamSnapshots, request)

    def signals(
        self, history: int | None = None, strategy_id: str = "", disposition: str = ""
    ) -> AsyncGenerator[views.SignalsView, None]:
        request = pb.StreamSignalsRequest(history=history, strategy_id=strategy_id, disposition=disposition)
        return self._stream(views.SignalsView, self._stub.StreamSignals, request)

    def log(self, history: int | None = None) -> AsyncGenerator[views.LogView, None]:
        return self._stream(views.LogView, self._stub.StreamLog, pb.StreamLogRequest(history=history))

    async def _call(self, view: type[V], method: Any, request: Any) -> V:
        try:
            reply = await method(request, timeout=self._timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise self._sentence(error) from None
        return self.prepare(read(view, reply))  # type: ignore[no-any-return]

    async def _stream(self, view: type[V], method: Any, request: Any) -> AsyncGenerator[V, None]:
        call = method(request, metadata=self._metadata)
        try:
            async for message in call:
                yield self.prepare(read(view, message))
        except grpc.aio.AioRpcError as error:
            raise self._sentence(error) from None
        finally:
            call.cancel()

    def _sentence(self, error: grpc.aio.AioRpcError) -> SengineError:
        code, details = error.code(), printable_lines(error.details() or "")
        if code is grpc.StatusCode.UNAVAILABLE:
            socket = self.address.socket
            if socket is not None and socket.exists() and not os.access(socket, os.W_OK):
                return UnreachableError(f"{self.address} is another user's engine; only its owner may control it")
            return UnreachableError(f"no engine answers on {self.address}; start one with `sengine run`")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return UnreachableError(f"the engine on {self.address} did not answer within {self._timeout_s:g} s")
        if code is grpc.StatusCode.UNAUTHENTICATED:
            given = "was refused" if self._metadata else "is missing"
            return RefusedError(
                f"the engine on {self.address} wants a token, and it {given}; give --token or set SENGINE_API_TOKEN"
            )
        if code is grpc.StatusCode.UNIMPLEMENTED:
            return RefusedError(f"what answers on {self.address} is no engine, or one of another version: {details}")
        return RefusedError(details or f"the engine on {self.address} failed: {code.name}")


def _parameters_json(config: dict[str, Any]) -> str:
    """Raises ``RefusedError`` for what has no place in JSON, such as an integer of more than 64 bits."""
    try:
        return orjson.dumps(config).decode()
    except orjson.JSONEncodeError as error:
        raise RefusedError(f"these parameters cannot be sent: {error}; numbers have at most 64 bits") from None
