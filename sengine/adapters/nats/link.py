"""The feed's connection to NATS: made, subscribed, and made again whenever it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

import nats.errors

from sengine.adapters.nats.connection import OnMessage, OrderedConnection, until_sent
from sengine.adapters.nats.durable_fills import pull_fills
from sengine.adapters.nats.ending import end
from sengine.adapters.nats.options import connect_options, server_urls, trouble_in_words, without_login
from sengine.adapters.nats.stats import FeedStats
from sengine.config.schema import NatsConfig
from sengine.runtime.log_throttle import LogThrottle

_FIRST_WAIT_S: Final = 0.05
_LONGEST_WAIT_S: Final = 2.0
_PING_S: Final = 10


class NatsLink:
    """Stays connected and subscribed to ``subjects``, each with what is called for its messages.

    Where fills are durable they are pulled from the stream and go to ``take_fill``, from ``release`` on. ``url`` is one
    address or several with commas between them. Raises ``ConfigError`` when it cannot be one.
    """

    def __init__(
        self,
        config: NatsConfig,
        url: str,
        stats: FeedStats,
        subjects: Sequence[tuple[str, OnMessage]],
        take_fill: Callable[[bytes, bytes], bool],
        say: Callable[..., None],
        complain: LogThrottle,
    ) -> None:
        self._config = config
        self._servers = server_urls(url)
        self._subjects = subjects
        self._take_fill = take_fill
        self._say = say
        self._complain = complain
        self.stats = stats
        self._subscribed = asyncio.Event()
        self._closed = asyncio.Event()
        self._connection: OrderedConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._fills_task: asyncio.Task[None] | None = None
        self._ever_connected = False
        self._released = asyncio.Event()
        self.on_subscribed: Callable[[], None] = lambda: None
        """Told each time that all is subscribed, fills too."""
        self.on_lost: Callable[[], None] = lambda: None
        """Told when that is so no longer: what is published from then on may be missed."""

    @property
    def connection(self) -> OrderedConnection | None:
        """``None`` before there is one. It is replaced if it ever closes."""
        return self._connection

    def start(self) -> None:
        """Begin to connect, and stay connected, in the background. Raises ``ConfigError`` when the means to log in
        cannot be right."""
        options = connect_options(self._config)
        self.stats.state = "reconnecting"
        self._task = asyncio.create_task(self._keep_connected(options), name="nats-link")

    async def connected(self, timeout_s: float | None = None) -> bool:
        """Wait until all is subscribed; whether that happened in time."""
        try:
            await asyncio.wait_for(self._subscribed.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    def release(self) -> None:
        """Take durable fills from now on."""
        self._released.set()

    def listen_no_more(self, *, but_to: OnMessage | None = None) -> None:
        """Call nothing for what still arrives, or ``but_to`` alone."""
        if self._connection is not None:
            self._connection.listen_no_more(but_to=but_to)

    async def stop(self) -> None:
        """Disconnect; nothing is called any more."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.listen_no_more()
        tasks = [task for task in (self._task, self._fills_task) if task is not None]
        self._task = self._fills_task = None
        await end(*tasks)
        if connection is not None:
            await connection.close_soon()
        self.stats.state = "disconnected"
        self._subscribed.clear()

    async def _keep_connected(self, options: dict[str, Any]) -> None:
        """Connect and stay so. nats-py reconnects by itself; should it ever give up, a new connection is made."""
        wait_s = _FIRST_WAIT_S
        while True:
            self._closed.clear()
            connection = self._connection = OrderedConnection()
            try:
                await self._connect(connection, options)
                wait_s = _FIRST_WAIT_S
                await self._closed.wait()
            except (nats.errors.Error, OSError, ValueError) as error:
                self._trouble(error)
            self._lost()
            await connection.close_soon()
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    async def _connect(self, connection: OrderedConnection, options: dict[str, Any]) -> None:
        async def on_error(error: Exception) -> None:
            if isinstance(error, nats.errors.SlowConsumerError):
                self.stats.dropped += 1
            self._trouble(error)
            if not connection.is_connected:
                wait_s = connection.options["reconnect_time_wait"]
                connection.options["reconnect_time_wait"] = min(2 * wait_s, _LONGEST_WAIT_S)

        async def on_disconnect() -> None:
            if self._connection is connection:
                self._lost()

        async def on_reconnect() -> None:
            connection.options["reconnect_time_wait"] = _FIRST_WAIT_S
            self._has_subscribed(connection)

        async def on_close() -> None:
            self._closed.set()

        await connection.connect(
            servers=self._servers,
            name="sengine-feed",
            error_cb=on_error,
            disconnected_cb=on_disconnect,
            reconnected_cb=on_reconnect,
            closed_cb=on_close,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_FIRST_WAIT_S,  # type: ignore[arg-type]  # any number of seconds
            ping_interval=_PING_S,
            **options,
        )
        connection.options["reconnect_time_wait"] = _FIRST_WAIT_S
        for subject, arrived in self._subjects:
            await connection.listen(subject, arrived)
        await until_sent(connection)
        self._has_subscribed(connection)

    def _has_subscribed(self, connection: OrderedConnection) -> None:
        if self._ever_connected:
            self.stats.reconnects += 1
        self._ever_connected = True
        durable = self._config.durable
        if not durable:
            self._ready()
            return
        # A pull that was under way is lost with the connection: begin again.
        if self._fills_task is not None:
            self._fills_task.cancel()
        self._fills_task = asyncio.create_task(
            pull_fills(
                connection,
                self._config.topics.fills,
                durable,
                self._take_fill,
                self._ready,
                lambda: self.on_lost(),
                self._complain,
                self._released,
            ),
            name="nats-feed-fills",
        )

    def _ready(self) -> None:
        if self._connection is None:
            return
        if self.stats.state == "connected":
            self.on_subscribed()  # the consumer of fills is there again, and perhaps made anew
            return
        self.stats.state = "connected"
        self._subscribed.set()
        self.on_subscribed()
        server = self._connection.connected_url
        self._say("info", "connected to NATS", server=without_login(server.netloc) if server is not None else "")

    def _lost(self) -> None:
        if self.stats.state == "connected":
            self._say("warning", "the connection to NATS is lost; reconnecting")
            self.on_lost()
        self.stats.state = "reconnecting"
        self._subscribed.clear()

    def _trouble(self, error: Exception) -> None:
        self._complain(
            type(error).__name__,
            trouble_in_words(error, self._config),
            servers=", ".join(without_login(server) for server in self._servers),
        )
