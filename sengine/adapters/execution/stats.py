"""What the order gateway counts."""

from __future__ import annotations

from time import perf_counter_ns

from sengine.adapters.containment.standstill import STANDSTILLS
from sengine.engine.latency import LatencyHistogram


class GatewayStats:
    """Counters of the gateway, read when they are scraped."""

    __slots__ = (
        "accepted",
        "ack",
        "cancels",
        "dropped",
        "late",
        "malformed",
        "owed_since_ns",
        "queue_depth",
        "reconnects",
        "rejected",
        "retried",
        "sent",
        "state",
        "tick_to_order",
        "unknown",
    )

    def __init__(self) -> None:
        self.state = "disconnected"
        """``disconnected``, ``connected`` or ``reconnecting``."""
        self.queue_depth = 0
        self.sent = 0
        """Orders written to the service; one that is written again counts once."""
        self.accepted = 0
        self.rejected = 0
        """By the service and by the gateway itself."""
        self.unknown = 0
        """Orders whose outcome was not known in time."""
        self.late = 0
        """Of those, the ones that were answered after all."""
        self.retried = 0
        self.dropped = 0
        """Orders refused because the queue was full; they count as rejected too."""
        self.cancels = 0
        self.malformed = 0
        """Reports that made no sense."""
        self.owed_since_ns = 0
        """Since when (monotonic clock) there has been no word of the service, though something was written to it; 0
        while it owes none."""
        self.reconnects = 0
        self.ack = LatencyHistogram()
        """From writing an order until its answer, in ns."""
        self.tick_to_order = LatencyHistogram()
        """From ``send`` until gRPC has taken the order, in ns."""

    @property
    def owed_for_s(self) -> float:
        """For how long the service has been silent, though something was written to it and this process could hear."""
        return STANDSTILLS.awake_s_since_ns(self.owed_since_ns) if self.owed_since_ns else 0.0

    def wrote(self) -> None:
        """An order or a cancellation goes to the service."""
        self.owed_since_ns = self.owed_since_ns or perf_counter_ns()
