"""Accepts the connections of an HTTP server, so many at a time: any account of the machine may open them."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Final

from aiohttp import web

from sengine.runtime.log_throttle import LogThrottle

MOST_CONNECTIONS: Final = 64
_BACKLOG: Final = 64
_REST_S: Final = 0.01
_AGAIN_S: Final = 0.2


class Listener:
    """``await start()`` accepts for ``server``, ``await stop()`` accepts no more.

    With ``most`` connections open the oldest idle one makes room, and where none is idle the new one is
    turned away. ``is_busy`` says whether a connection's request is being answered.
    """

    def __init__(
        self,
        server: web.Server,
        is_busy: Callable[[web.RequestHandler], bool],
        say: Callable[..., None],
        most: int = MOST_CONNECTIONS,
    ) -> None:
        self._server = server
        self._is_busy = is_busy
        self._most = most
        self._complain = LogThrottle(say)
        self._sockets: list[socket.socket] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._opened: deque[web.RequestHandler] = deque()

    async def start(self, host: str, port: int) -> int:
        """Listen on all addresses of ``host``; the port. Raises ``OSError``."""
        loop = asyncio.get_running_loop()
        try:
            for family, kind, protocol, _, place in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                self._sockets.append(_listening(family, kind, protocol, (place[0], port, *place[2:])))
                port = self._sockets[-1].getsockname()[1]
        except BaseException:
            await self.stop()
            raise
        self._tasks = [asyncio.create_task(self._accept(each), name="http connections") for each in self._sockets]
        return port

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for each in self._sockets:
            each.close()
        self._tasks, self._sockets = [], []

    async def _accept(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listening)
            except OSError as error:
                self._complain("accept", "an HTTP connection could not be taken", reason=error.strerror)
                await asyncio.sleep(_AGAIN_S)
                continue
            if not self._has_room():
                connection.close()
                await asyncio.sleep(_REST_S)
                continue
            try:
                _, handler = await loop.connect_accepted_socket(self._server, connection)
            except OSError:
                connection.close()  # it has gone already
                continue
            self._opened.append(handler)
            if len(self._opened) >= self._most:
                # Whoever opens them by the thousand is served no faster than this.
                await asyncio.sleep(_REST_S)

    def _has_room(self) -> bool:
        """Whether one more may come, for which an idle one may have to go."""
        self._opened = deque(each for each in self._opened if _is_open(each))
        if len(self._opened) < self._most:
            return True
        idle = next((each for each in self._opened if not self._is_busy(each)), None)
        self._complain(
            "full",
            f"{self._most} HTTP connections are open and no more are held: "
            + ("the oldest idle one was closed" if idle is not None else "the next one was turned away"),
        )
        if idle is None:
            return False
        self._opened.remove(idle)
        if idle.transport is not None:
            idle.transport.abort()
        return True


def _is_open(handler: web.RequestHandler) -> bool:
    return handler.transport is not None and not handler.transport.is_closing()


def _listening(family: int, kind: int, protocol: int, place: tuple[object, ...]) -> socket.socket:
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind(place)
        made.listen(_BACKLOG)
    except BaseException:
        made.close()
        raise
    return made
