"""Fills out to the broker, at least once: one is done only when the broker has said that it has it.

Receivers tell repetitions by the fill's id, and so does JetStream (``Nats-Msg-Id``).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from sengine.adapters.nats.connection import until_sent
from sengine.adapters.nats.wire_encoding import encode_fill
from sengine.domain.order import Fill

FILLS_KEPT: Final = 100_000
"""Fills that may wait for the broker; with more, the service takes no orders."""
_CONFIRM_S: Final = 2
_LOOK_FOR_STREAM_S: Final = 5.0

_log = structlog.get_logger("sengine.paper")


class FillPublisher:
    """Publishes fills on ``subject``: through JetStream where a stream captures it, else as plain messages.

    ``on_published`` gets each fill's id once the broker has the fill.
    """

    def __init__(self, subject: str, on_published: Callable[[str], None]) -> None:
        self._subject = subject
        self._on_published = on_published
        self._outbox: deque[Fill] = deque()
        self._unconfirmed: deque[tuple[Fill, asyncio.Task[None] | None]] = deque()
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._connection: Client | None = None
        self._connections = 0
        self._uses_jetstream = False
        self.published = 0
        self.repeated = 0

    @property
    def waiting(self) -> int:
        """Fills that the broker has not confirmed."""
        return len(self._outbox) + len(self._unconfirmed)

    def is_full(self) -> bool:
        return self.waiting >= FILLS_KEPT

    def publish(self, fill: Fill) -> None:
        self._outbox.append(fill)
        self._empty.clear()
        self._wake.set()

    def connected(self, connection: Client) -> None:
        """Use this connection from now on; what the last one did not confirm is published again."""
        self._connection = connection
        self._connections += 1
        self._requeue()

    def start(self) -> list[asyncio.Task[None]]:
        """The tasks that publish, for the caller to end."""
        parts = (self._publish_all(), self._confirm_all(), self._look_for_stream())
        return [asyncio.create_task(part, name=f"paper fills {number}") for number, part in enumerate(parts)]

    async def drain(self, timeout_s: float) -> bool:
        """Wait until the broker has everything; whether it did in time."""
        try:
            await asyncio.wait_for(self._empty.wait(), timeout_s)
        except TimeoutError:
            return False
        return True

    async def _publish_all(self) -> None:
        while True:
            connection = self._connection
            while self._outbox and connection is not None and connection.is_connected:
                fill = self._outbox.popleft()
                payload, headers = encode_fill(fill), {"Nats-Msg-Id": fill.fill_id}
                acknowledgement = None
                # Unconfirmed from before the attempt: a connection that breaks in it must not lose the fill.
                if self._uses_jetstream:
                    acknowledgement = asyncio.create_task(self._publish_with_ack(connection, payload, headers))
                    self._unconfirmed.append((fill, acknowledgement))
                else:
                    self._unconfirmed.append((fill, None))
                    try:
                        await connection.publish(self._subject, payload, headers=headers)
                    except NatsError:
                        break  # the confirmation fails as well, and then it is published again
                self._sent.set()
            self._sent.set()
            self._wake.clear()
            await self._wake.wait()

    async def _publish_with_ack(self, connection: Client, payload: bytes, headers: dict[str, str]) -> None:
        await connection.jetstream().publish(self._subject, payload, timeout=_CONFIRM_S, headers=headers)

    async def _confirm_all(self) -> None:
        while True:
            await self._sent.wait()
            # Before looking: what is sent from here on wakes again.
            self._sent.clear()
            while self._unconfirmed:
                number, connection, count = self._connections, self._connection, len(self._unconfirmed)
                acknowledgements = [task for _, task in self._unconfirmed if task is not None]
                try:
                    if len(acknowledgements) < count and connection is not None:
                        await until_sent(connection, _CONFIRM_S)
                    await asyncio.gather(*acknowledgements)
                except (NatsError, OSError) as error:
                    _log.warning("fills were not confirmed by the broker; publishing them again", error=str(error))
                    await asyncio.gather(*acknowledgements, return_exceptions=True)
                    await asyncio.sleep(0.05)
                    if number == self._connections:
                        self._uses_jetstream = False  # until its stream is found again
                        self._requeue()
                    continue
                if number != self._connections:
                    continue  # all of it was put back, and some may have been sent again
                for _ in range(count):
                    fill, _ = self._unconfirmed.popleft()
                    self.published += 1
                    self._on_published(fill.fill_id)
            if not self.waiting:
                self._empty.set()

    async def _look_for_stream(self) -> None:
        """A stream may come to capture the subject at any time, with the engine's durable consumer for one."""
        while True:
            connection = self._connection
            if connection is not None and connection.is_connected and not self._uses_jetstream:
                try:
                    await connection.jetstream().find_stream_name_by_subject(self._subject)
                except (NotFoundError, NatsError, OSError):
                    self._uses_jetstream = False
                else:
                    self._uses_jetstream = True
            await asyncio.sleep(_LOOK_FOR_STREAM_S if connection is not None else 0.05)

    def _requeue(self) -> None:
        self.repeated += len(self._unconfirmed)
        self._outbox.extendleft(fill for fill, _ in reversed(self._unconfirmed))
        self._unconfirmed.clear()
        self._wake.set()
