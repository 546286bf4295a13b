"""``sengine attach --web``: the screens in a browser on this machine, for those alone who were given the address."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import shlex
import signal
from collections.abc import Awaitable, Callable, Sequence
from http.cookies import CookieError

import typer
from aiohttp import web
from textual_serve.server import Server

from sengine.errors import SengineError

_HOST = "127.0.0.1"
# The page would ask another site for a font that it brings along.
_POLICY = (
    "default-src 'self'; connect-src 'self' ws:; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; frame-ancestors 'none'"
)


class PrivateServer(Server):
    """Serves a Textual program to who knows the key: loopback is open to every user and every page of a browser.

    The key comes with the address and goes into a cookie that other sites' pages cannot send.
    """

    def __init__(self, command: Sequence[str], port: int) -> None:
        super().__init__(shlex.join(command), host=_HOST, port=port, title="sengine")
        self._key = secrets.token_urlsafe(24)
        # Cookies do not tell ports apart.
        self._cookie = f"sengine-{port}"

    @property
    def address(self) -> str:
        return f"{self.public_url}/?key={self._key}"

    async def on_startup(self, app: web.Application) -> None:
        """The base class prints its logo here."""

    async def run(self) -> None:
        """Serve until SIGINT or SIGTERM. Raises ``OSError`` for a taken port."""
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        # Screens that are open are told to quit, and get this long.
        runner = web.AppRunner(await self._make_app(), shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, self.port).start()
            typer.echo(f"sengine: the screens are on {self.address}\nsengine: Ctrl-C ends it", err=True)
            await stopped.wait()
        finally:
            await runner.cleanup()

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if self._is_key(request.query.get("key", "")):
            welcome = web.HTTPSeeOther("/")
            welcome.set_cookie(self._cookie, self._key, httponly=True, samesite="Strict")
            raise welcome
        try:
            given = request.cookies.get(self._cookie, "")
        except CookieError:
            given = ""
        if not self._is_key(given):
            raise web.HTTPForbidden(text="This wants the address that `sengine attach --web` printed, with its key.\n")
        response = await handler(request)
        if not response.prepared:
            response.headers["Content-Security-Policy"] = _POLICY
        return response

    def _is_key(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self._key.encode())


def serve_screens(command: Sequence[str], port: int) -> None:
    """Run ``command`` once for each browser that comes, until Ctrl-C. Raises ``SengineError`` for a taken port."""
    try:
        asyncio.run(PrivateServer(command, port).run())
    except OSError as error:
        reason = f"cannot listen on {_HOST}:{port}: {error.strerror}"
        raise SengineError(f"--port {port}: {reason}; choose another") from None
