"""The web page at ``/``: files without any outside script, and a stream of server-sent events that feeds them.

Event ``snapshot`` is the API's snapshot as JSON, twice a second; ``signals`` is a batch of signals, oldest first. The
page only reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson
from aiohttp import web

from sengine.adapters.control.messages import snapshot_message
from sengine.adapters.control.reading import read
from sengine.adapters.control.views import SnapshotView
from sengine.runtime.live_engine import LiveEngine, SignalRecord, Subscription
from sengine.runtime.log_throttle import LogThrottle
from sengine.runtime.status import ServiceStatus

_FILES: Final = Path(__file__).parent / "page"
_TYPES: Final = {"page.html": "text/html", "page.css": "text/css", "page.js": "text/javascript"}
_INTERVAL_S: Final = 0.5
_FIRST_SIGNALS: Final = 100
MAX_READERS: Final = 16
_SEND_BUFFER_BYTES: Final = 64 * 1024
WRITE_WITHIN_S: Final = 10.0
"""A reader whose buffers are full for this long is not there any more."""
# The page's own files are all that it may load, and it may not be framed by another.
_POLICY: Final = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


class LivePage:
    """Adds its routes to an application; ``_guard`` of the server stands before them."""

    def __init__(self, live: LiveEngine, facts: ServiceStatus) -> None:
        self._live = live
        self._facts = facts
        self._complain = LogThrottle(live.say)
        self._readers: set[asyncio.Task[None]] = set()
        self._snapshot: bytes = b""
        self._snapshot_at_s = 0.0
        self._making = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", _file("page.html"))
        app.router.add_get("/page.css", _file("page.css"))
        app.router.add_get("/page.js", _file("page.js"))
        app.router.add_get("/events", self._events)
        app.on_shutdown.append(self._end)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if len(self._readers) >= MAX_READERS:
            raise web.HTTPServiceUnavailable(text=f"{MAX_READERS} pages are open already; close one")
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        connection = request.transport.get_extra_info("socket") if request.transport is not None else None
        if connection is not None:
            # A system may keep megabytes for whoever does not read.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        task = asyncio.current_task()
        assert task is not None
        self._readers.add(task)
        subscription = self._live.signals.subscribe(_FIRST_SIGNALS)
        for record in list(self._live.signals.history)[-_FIRST_SIGNALS:]:
            subscription.append(record)
        try:
            # Whoever closes the page ends the connection, and writing then raises.
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while True:
                    events = _event("snapshot", await self._fresh_snapshot())
                    signals = _waiting(subscription)
                    if signals:
                        events += _event("signals", orjson.dumps(signals))
                    async with asyncio.timeout(WRITE_WITHIN_S):
                        await response.write(events)
                    await asyncio.sleep(_INTERVAL_S)
        except TimeoutError:
            # What it has not read by then waits in bounded buffers; it will come again if it is still there.
            self._complain("slow", "a reader of the page was dropped: it did not read")
            if request.transport is not None:
                request.transport.abort()
        finally:
            subscription.close()
            self._readers.discard(task)
        return response

    async def _fresh_snapshot(self) -> bytes:
        """One snapshot serves all readers of the same moment."""
        async with self._making:
            now_s = asyncio.get_running_loop().time()
            if not self._snapshot or now_s - self._snapshot_at_s > _INTERVAL_S / 2:
                message = await snapshot_message(self._live, self._facts, "")
                self._snapshot = orjson.dumps(msgspec.to_builtins(read(SnapshotView, message)))
                self._snapshot_at_s = now_s
            return self._snapshot

    async def _end(self, _: web.Application) -> None:
        for task in self._readers:
            task.cancel()


def _file(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    content, kind = (_FILES / name).read_bytes(), _TYPES[name]

    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=_HEADERS)

    return serve


def _event(name: str, data: bytes) -> bytes:
    # JSON has no line breaks of its own, so one data line is the whole event.
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


def _waiting(subscription: Subscription[SignalRecord]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(record) for record in subscription.pop_all()]
