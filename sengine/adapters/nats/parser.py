"""nats-py's protocol parser with a short cut for what nearly all bytes are: whole messages of our own subscriptions.

The parser of nats-py takes each message through a state machine of its own, which is half of what receiving one costs.
Here a run of plain ``MSG`` lines is cut out of what was read with one regular expression; anything else (headers,
replies, pings, a message cut in two that is large) goes the usual way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from nats.protocol.parser import AWAITING_CONTROL_LINE, Parser

_MESSAGE: Final = re.compile(rb"MSG ([^ \t\r\n]+) (\d{1,18}) (\d{1,9})\r\n")
# A message cut in two is put together by copying, which is for small ones only.
_MOST_KEPT_BYTES: Final = 65_536

Listener = Callable[[bytes, bytes, bytes | None], None]


class ShortcutParser(Parser):
    """``listeners`` by subscription id get subject, payload and ``None`` for the headers that there are not."""

    def __init__(self, client: Any, listeners: Mapping[int, Listener]) -> None:
        super().__init__(client)
        self._listeners = listeners

    async def parse(self, data: bytes = b"") -> None:
        if self.state == AWAITING_CONTROL_LINE and len(self.buf) <= _MOST_KEPT_BYTES:
            if self.buf:
                data = bytes(self.buf) + data
                self.buf.clear()
            data = self._take_messages(data)
            if not data:
                return
        await super().parse(data)

    def _take_messages(self, data: bytes) -> bytes:
        """Hand over the messages at the beginning of ``data``; what is left, the part of a message included."""
        match, listeners = _MESSAGE.match, self._listeners
        position, size = 0, len(data)
        while (found := match(data, position)) is not None:
            subject, subscription, length = found.groups()
            begin = found.end()
            end = begin + int(length)
            listener = listeners.get(int(subscription))
            if listener is None or end + 2 > size:
                break
            listener(subject, data[begin:end], None)
            position = end + 2
        return data[position:] if position else data
