"""What the running service knows about itself and shows through the API, HTTP and metrics."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time_ns
from typing import Protocol

from sengine.clock import NS_PER_S
from sengine.domain.reload import ReloadReport
from sengine.engine.latency import LatencyHistogram
from sengine.engine.state.orders import identity_of
from sengine.runtime.audit import AuditTrail
from sengine.runtime.live_engine import LATE_NS, LiveEngine

CONNECTED = "connected"
REPORTS_KEPT = 20


class FeedFigures(Protocol):
    """What the market data feed counts; its ``state`` is ``connected``, ``reconnecting`` or ``disconnected``."""

    @property
    def state(self) -> str: ...
    @property
    def messages(self) -> int: ...
    @property
    def decoded(self) -> int: ...
    @property
    def malformed(self) -> Mapping[str, int]: ...
    @property
    def oversized(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def conflated(self) -> int: ...
    @property
    def reconnects(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def lag(self) -> LatencyHistogram: ...


class GatewayFigures(Protocol):
    """What the order gateway counts."""

    @property
    def state(self) -> str: ...
    @property
    def sent(self) -> int: ...
    @property
    def accepted(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def unknown(self) -> int: ...
    @property
    def retried(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def queue_depth(self) -> int: ...
    @property
    def owed_for_s(self) -> float: ...
    @property
    def ack(self) -> LatencyHistogram: ...
    @property
    def tick_to_order(self) -> LatencyHistogram: ...


class StoreFigures(Protocol):
    """What there is to know of the store of records; ``failure`` is why it is not kept up, or empty."""

    @property
    def failure(self) -> str: ...
    @property
    def changes(self) -> int: ...


class ReplayDrive(Protocol):
    """A replay that is paced by an operator; see ``DriveReplayRequest`` and ``ReplayProgress`` of the API."""

    @property
    def source(self) -> str: ...
    @property
    def fraction_done(self) -> float | None: ...
    @property
    def speed(self) -> float: ...
    @property
    def is_paused(self) -> bool: ...
    @property
    def is_over(self) -> bool: ...

    def drive(self, *, is_paused: bool | None, speed: float | None, steps: int, finish: bool) -> str:
        """Returns what was done, a sentence. Raises ``LifecycleError`` when there is nothing left to drive."""
        ...


class RemoteFigures(Protocol):
    """What is counted of a strategy in its own process."""

    @property
    def is_connected(self) -> bool: ...
    @property
    def owed_for_s(self) -> float: ...
    @property
    def restarts(self) -> int: ...
    @property
    def dropped_ticks(self) -> int: ...
    @property
    def missed_ticks(self) -> int: ...


class Reloads:
    """Hot reloads so far. Whoever carries one out records it, once."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, bool]] = Counter()
        """By (strategy, success)."""
        self.last_ns: dict[str, int] = {}
        """When each strategy was last reloaded with success, wall clock."""
        self.recent: deque[ReloadReport] = deque(maxlen=REPORTS_KEPT)
        """The last reports of all strategies, oldest first."""
        self._of: dict[str, deque[ReloadReport]] = {}
        self.on_report: Callable[[ReloadReport], None] = lambda report: None

    def record(self, report: ReloadReport) -> None:
        self.counts[report.strategy_id, report.is_done] += 1
        if report.is_done:
            self.last_ns[report.strategy_id] = report.time_ns
        self.recent.append(report)
        self._of.setdefault(report.strategy_id, deque(maxlen=REPORTS_KEPT)).append(report)
        self.on_report(report)

    def of(self, strategy_id: str) -> Sequence[ReloadReport]:
        """The last reports of one strategy, oldest first."""
        return tuple(self._of.get(strategy_id, ()))


@dataclass(slots=True)
class ServiceStatus:
    """The service's own state. The service writes it, everything else reads it.

    ``failed`` holds (strategy id, reason) of configured strategies that could not be loaded; ``listeners`` is the name
    and address of everything that listens. Without a ``feed`` (as when a file is replayed) the broker is not asked for.
    """

    name: str
    feed: FeedFigures | None = None
    gateway: GatewayFigures | None = None
    replay: ReplayDrive | None = None
    store: StoreFigures | None = None
    audit: AuditTrail | None = None
    remotes: Mapping[str, RemoteFigures] = field(default_factory=dict)
    reloads: Reloads = field(default_factory=Reloads)
    failed: Sequence[tuple[str, str]] = ()
    listeners: dict[str, str] = field(default_factory=dict)
    is_starting: bool = False
    """Whether parts of a live service are still to come."""
    strategies_are_loaded: bool = False
    waits_for: str = ""
    """What trading waits for at the start; empty for nothing."""
    unreconciled: str = ""
    """Why fills may be missing from the books until the execution service has been asked; empty when none can be."""
    missing_fills: Callable[[], Sequence[str]] = lambda: ()
    """Orders of which fills are missing, though it was asked for them, one sentence each."""
    on_adopt: Callable[[], None] = lambda: None
    """Called when a person goes on with the books as they are, though something did not fit."""
    mismatches: Sequence[str] = ()
    """Where the execution service's record did not fit ours; they count until a person re-arms."""
    kill_is_forgotten: str = ""
    """Why the next start would not know of the pulled kill switch; empty where it would."""
    started_ns: int = field(default_factory=time_ns)

    def not_ready_because(self, live: LiveEngine) -> list[str]:
        """Why the engine cannot trade yet, one sentence each; empty when it is ready."""
        engine = live.engine
        if engine.is_shut_down:
            return ["the engine is shutting down"]
        reasons = []
        if not self.strategies_are_loaded:
            reasons.append("strategies are still being loaded")
        elif next(iter(engine.registry), None) is None:
            reasons.append("no strategy is loaded")
        if self.waits_for:
            reasons.append(f"trading waits for {self.waits_for}")
        elif self.is_starting and not reasons:
            reasons.append("the engine is still starting")
        if engine.kill_reason:
            reasons.extend(self.mismatches)
        if self.kill_is_forgotten:
            reasons.append(f"the pulled kill switch is not remembered: {self.kill_is_forgotten}")
        reasons.extend(live.refused_data.sentences())
        if live.late_ns > LATE_NS and self.feed is not None and self.feed.pending:
            reasons.append(f"the engine is late: market data waits {live.late_ns / NS_PER_S:.1f} s to be processed")
        if self.feed is not None and self.feed.state != CONNECTED:
            reasons.append(f"the broker is not connected: {self.feed.state}")
        if self.unreconciled and not self.waits_for:
            reasons.append(self.unreconciled)
        reasons.extend(self.missing_fills())
        if held := engine.held_fills.waiting:
            first, more = held[0], f" (and {len(held) - 1} more)" if len(held) > 1 else ""
            reasons.append(
                f"a fill waits for you: {identity_of(first.fill)}, {first.fill.side} {first.fill.quantity:g} "
                f"{first.fill.symbol} at {first.fill.price:g}: {first.reason}{more}; see `sengine fills`"
            )
        return reasons
