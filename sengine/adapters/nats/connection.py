"""A NATS connection that hands over messages in the order in which they arrive, whatever is in them."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from typing import Final

import nats.errors
from nats.aio.client import Client

from sengine.adapters.nats.parser import ShortcutParser

_CLOSE_S: Final = 2.0
_CONTENT_TYPE: Final = re.compile(rb"\ncontent-type[ \t]*:[ \t]*([^\r\n]{0,64})", re.IGNORECASE)

OnMessage = Callable[[bytes, bytes, bytes | None], None]
"""Takes subject, payload and raw headers; must not raise, and must not take long."""


class OrderedConnection(Client):
    """``nats.aio.client.Client`` gives each subscription its own queue and task. Then the books and the trades of one
    read are processed one kind after the other, and not in their order; and a subject or header that is not valid text
    ends the reading for good. So the messages of ``listen`` are taken out where the parser has them, as bytes.

    This overrides private parts of nats-py, which ``tests/adapters/test_nats_feed.py`` holds to what it needs.
    """

    def __init__(self) -> None:
        super().__init__()
        self._listeners: dict[int, OnMessage] = {}
        self._ps = ShortcutParser(self, self._listeners)

    async def listen(self, subject: str, on_message: OnMessage) -> None:
        """Subscribe; ``on_message`` is called for each message at once, across subscriptions in order of arrival."""
        subscription = await self.subscribe(subject)
        self._listeners[subscription._id] = on_message

    def listen_no_more(self, but_to: OnMessage | None = None) -> None:
        """Ignore what still arrives for the listeners, except for ``but_to``."""
        for subscription, on_message in self._listeners.items():
            if on_message != but_to:
                self._listeners[subscription] = _ignore

    async def close_soon(self) -> None:
        """Close, and do not wait long for a server that does not answer."""
        with contextlib.suppress(TimeoutError, OSError, nats.errors.Error):
            await asyncio.wait_for(self.close(), _CLOSE_S)

    async def _process_msg(self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes) -> None:
        on_message = self._listeners.get(sid)
        if on_message is not None:
            on_message(subject, data, headers)
            return
        try:
            await super()._process_msg(sid, subject, reply, data, headers)
        except (ValueError, LookupError) as error:
            await self._error_cb(error)


async def until_sent(connection: Client, timeout_s: int = 10) -> None:
    """Wait until the server has seen all that was published and subscribed to so far.

    ``Client.flush`` alone does not: its PING overtakes what nats-py still holds back. That is on its way by the time
    the PONG arrives, so the second PING comes behind it. Raises ``nats.errors.Error``.
    """
    await connection.flush(timeout_s)
    await connection.flush(timeout_s)


def content_type(headers: bytes | None) -> bytes | None:
    """The Content-Type of raw headers, ``None`` where there is none."""
    found = _CONTENT_TYPE.search(headers) if headers is not None else None
    return found[1].strip() or None if found is not None else None


def _ignore(_subject: bytes, _payload: bytes, _headers: bytes | None) -> None:
    pass
