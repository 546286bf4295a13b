"""What the feed counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

from sengine.engine.latency import LatencyHistogram

FeedState = Literal["connected", "reconnecting", "disconnected"]


class FeedStats:
    """Plain numbers that the feed adds to; read them whenever you like."""

    __slots__ = (
        "conflated",
        "decoded",
        "dropped",
        "fills",
        "lag",
        "lockstep_timeouts",
        "malformed",
        "messages",
        "oversized",
        "pending_messages",
        "reconnects",
        "state",
    )

    def __init__(self) -> None:
        self.messages = 0
        """Messages that arrived, good or bad."""
        self.decoded = 0
        """Market data and fills that became events."""
        self.fills = 0
        self.malformed: Counter[str] = Counter()
        """Messages that could not be decoded, by reason code."""
        self.oversized = 0
        """Messages that were refused for their size, undecoded."""
        self.dropped = 0
        """Messages that arrived when the queue was full."""
        self.conflated = 0
        """Books that a newer one of the same subject replaced while they waited."""
        self.reconnects = 0
        """Connections made after the first one."""
        self.lockstep_timeouts = 0
        self.state: FeedState = "disconnected"
        self.lag = LatencyHistogram()
        """From an event's own timestamp until it is processed here, the time that it waited included; times that cannot
        be (replayed data) are left out."""
        self.pending_messages: Callable[[], int] = int

    @property
    def pending(self) -> int:
        """Messages that have arrived and wait to be processed."""
        return self.pending_messages()
