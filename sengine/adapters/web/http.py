"""Health checks, metrics and read-only pages over HTTP, on loopback unless configured otherwise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import time_ns
from typing import Any, TypeAlias

import msgspec
import orjson
import structlog
from aiohttp import web

from sengine import __version__
from sengine.adapters.control.address import Address, is_loopback
from sengine.adapters.control.holdings import positions_message
from sengine.adapters.control.messages import strategies_message
from sengine.adapters.control.reading import read
from sengine.adapters.control.views import PositionsView, StrategiesView
from sengine.adapters.web.answers import signal_answer, strategies_answer
from sengine.adapters.web.listener import Listener
from sengine.adapters.web.live_page import LivePage
from sengine.adapters.web.log_throttle import http_logger
from sengine.adapters.web.metrics import CONTENT_TYPE, exposition
from sengine.domain.signal import Disposition
from sengine.errors import EngineError, SengineError
from sengine.runtime.live_engine import HISTORY, LiveEngine
from sengine.runtime.loop_share import LoopShare
from sengine.runtime.status import ServiceStatus

_log = structlog.get_logger("sengine.http")
_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class HttpServer:
    """``await start()`` listens and returns the URL, ``await stop()`` closes. Port 0 takes a free one.

    Without ``pages`` it has no positions and signals, only what monitoring asks for. ``place`` is the configuration key
    of the port. Raises ``SengineError`` when the address is taken or is not this machine's.
    """

    def __init__(
        self,
        live: LiveEngine,
        facts: ServiceStatus,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        metrics: bool = True,
        pages: bool = True,
        place: str = "http.host and service.port",
    ) -> None:
        self._live = live
        self._facts = facts
        self._address = Address(None, host, port)
        self._runner: web.AppRunner | None = None
        self._listener: Listener | None = None
        self._answering: set[web.RequestHandler] = set()
        self._app = web.Application(middlewares=[self._guard], client_max_size=1024)
        get = self._app.router.add_get
        get("/health", self._health)
        get("/ready", self._ready)
        if metrics:
            get("/metrics", self._metrics)
        if pages:
            get("/api/signals", self._signals)
            get("/api/strategies", self._strategies)
            get("/api/positions", self._positions)
            LivePage(live, facts).add_to(self._app)
        self._place = place

    @property
    def url(self) -> str:
        """With the real port once it listens."""
        return f"http://{self._address}"

    async def start(self) -> str:
        runner = web.AppRunner(
            self._app,
            access_log=None,
            logger=http_logger(self._live.say),
            handle_signals=False,
            keepalive_timeout=30,
            shutdown_timeout=1,
            max_line_size=4096,
            max_field_size=4096,
            max_headers=64,
            # What is left of an unread request body is not waited for.
            lingering_time=0,
        )
        await runner.setup()
        assert runner.server is not None
        listener = Listener(runner.server, self._answering.__contains__, self._live.say)
        try:
            port = await listener.start(self._address.host, self._address.port)
        except OSError as error:
            await runner.cleanup()
            raise SengineError(
                f"cannot listen on {self.url}: {error.strerror}; set {self._place} to a free address"
            ) from error
        self._runner, self._listener = runner, listener
        self._address = Address(None, self._address.host, port)
        if not is_loopback(self._address.host):
            _log.warning("positions and P&L are readable by others who reach this address", url=self.url)
        return self.url

    async def stop(self) -> None:
        if self._listener is not None:
            await self._listener.stop()
            self._listener = None
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _health(self, _: web.Request) -> web.Response:
        """200 as long as the loop runs."""
        uptime_s = (time_ns() - self._facts.started_ns) / 1e9
        return _json({"status": "ok", "service": self._facts.name, "version": __version__, "uptime_s": uptime_s})

    async def _ready(self, _: web.Request) -> web.Response:
        reasons = self._facts.not_ready_because(self._live)
        if reasons:
            return _json({"status": "not ready", "reasons": reasons}, 503)
        return _json({"status": "ready", "reasons": []})

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=await exposition(self._live, self._facts), headers={"Content-Type": CONTENT_TYPE})

    async def _signals(self, request: web.Request) -> web.Response:
        query = _query(request, "limit", "strategy", "disposition")
        limit = _limit(query.get("limit"))
        strategy, disposition = query.get("strategy"), query.get("disposition")
        if disposition is not None and disposition not in list(Disposition):
            raise _QueryError(f'disposition: expected one of {", ".join(Disposition)}, got "{disposition[:100]}"')
        found = [
            record
            for record in self._live.signals.history
            if strategy in (None, record.strategy_id) and disposition in (None, record.disposition)
        ]
        return _json([signal_answer(record) async for record in LoopShare().over(found[-limit:])])

    async def _strategies(self, request: web.Request) -> web.Response:
        _query(request)
        return _json(strategies_answer(read(StrategiesView, await strategies_message(self._live, self._facts))))

    async def _positions(self, request: web.Request) -> web.Response:
        strategy = _query(request, "strategy").get("strategy", "")
        try:
            return _json(msgspec.to_builtins(read(PositionsView, await positions_message(self._live, strategy, False))))
        except EngineError as error:
            raise _QueryError(f"strategy: {error}") from None

    @web.middleware
    async def _guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Read only; refusals are JSON; a browser's page cannot come in under a name of its own (DNS rebinding)."""
        if is_loopback(self._address.host) and not is_loopback(_host_name(request)):
            return _json({"error": "this address serves its own machine only; use localhost"}, 403)
        if request.method not in ("GET", "HEAD"):
            return _json(
                {"error": f"{request.method[:20]} is not allowed: this is read only"}, 405, {"Allow": "GET, HEAD"}
            )
        self._answering.add(request.protocol)
        try:
            return await handler(request)
        except _QueryError as error:
            return _json({"error": str(error)}, 400)
        except web.HTTPServiceUnavailable as error:
            return _json({"error": error.text}, 503)
        except web.HTTPNotFound:
            pages = ", ".join(
                sorted({route.resource.canonical for route in self._app.router.routes() if route.resource})
            )
            return _json({"error": f"there is no such page; there are {pages}"}, 404)
        finally:
            self._answering.discard(request.protocol)


class _QueryError(Exception):
    """A query that cannot be answered; the message says what was expected."""


def _query(request: web.Request, *known: str) -> dict[str, str]:
    for name in request.query:
        if name not in known:
            expected = f"expected {', '.join(known)}" if known else "this page takes none"
            raise _QueryError(f'there is no query parameter "{name[:100]}"; {expected}')
        if len(request.query.getall(name)) > 1:
            raise _QueryError(f"{name}: expected once, got it several times")
    return dict(request.query)


def _limit(text: str | None) -> int:
    if text is None:
        return HISTORY
    if text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= HISTORY:
        return int(text)
    raise _QueryError(f'limit: expected an integer from 1 to {HISTORY}, got "{text[:100]}"')


def _host_name(request: web.Request) -> str:
    """The Host header without its port. HTTP/1.0 clients may send none; a browser always does."""
    host = request.headers.get("Host", "localhost")
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(value),
        status=status,
        content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})},
    )
