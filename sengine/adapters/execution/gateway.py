"""The gateway: orders out to an execution service over gRPC, and what it says of them back into the engine.

What is known of an order decides what may be done with it:

- never written: it certainly did not leave. It may still be sent, and is rejected here when it gets too old.
- written, no answer: it may be in the market. The same id is sent again after a broken connection (the service executes
  an id once) while it is young; past its deadline its outcome is unknown, and it stays in flight.
- answered: never sent again.

What became of unknown orders is asked on the next connection (``sengine.service.reconciliation``).
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from time import perf_counter_ns, time_ns
from typing import Final

from sengine.adapters.containment.standstill import since_boot_ns
from sengine.adapters.execution.cancels import Cancellations
from sengine.adapters.execution.hub import Hub
from sengine.adapters.execution.messages import STATUS, book_crc, cancel_command, submit_command
from sengine.adapters.execution.peer import execution_peer
from sengine.adapters.execution.stats import GatewayStats
from sengine.adapters.execution.stream import Write, keep_conversing
from sengine.clock import NS_PER_MS, NS_PER_S
from sengine.config.schema import ExecutionConfig
from sengine.domain.order import Order, OrderStatus, OrderUpdate
from sengine.proto import execution_pb2 as pb

UNANSWERED_KEPT: Final = 10_000
"""Written orders that are remembered until their answer comes."""
_FOLD_EVERY: Final = 4096
_LATE_LOOK_NS: Final = 100 * NS_PER_MS


class _Outgoing:
    """An order on its way out. Moments are of the monotonic clock, but for ``created_ns``: an order also gets older
    while the machine sleeps."""

    __slots__ = ("began_ns", "book_crc", "created_ns", "is_overdue", "late_before_ns", "order", "written_ns")

    def __init__(self, order: Order, created_ns: int, since_received_ns: int, book_crc: int) -> None:
        self.order = order
        self.book_crc = book_crc
        self.created_ns = created_ns
        self.began_ns = perf_counter_ns() - since_received_ns
        """When the event that led to the order came in."""
        self.written_ns = self.late_before_ns = 0
        self.is_overdue = False


class ExecutionGateway:
    """Sends orders to ``target`` (``host:port`` or ``unix:/path``) on one bidirectional stream. Raises ``ConfigError``
    for a target that orders may not go to.

    ``send`` and ``cancel`` put into bounded queues and return at once; outcomes reach the engine as ``OrderUpdate``
    through ``live.process``. Call ``start`` on the loop that everything runs on, and ``stop`` before it ends.
    """

    def __init__(self, target: str, execution: ExecutionConfig, live: Hub, stats: GatewayStats) -> None:
        self._peer = execution_peer(target, execution)
        self.target = self._peer.target
        self.stats = stats
        self._live = live
        self.change_bounds(execution)
        self._queue: OrderedDict[str, _Outgoing] = OrderedDict()
        """Never written, oldest first."""
        self._again: deque[_Outgoing] = deque()
        """Written on a connection that broke; also in ``_unanswered``."""
        self._unanswered: OrderedDict[str, _Outgoing] = OrderedDict()
        """Written, oldest first."""
        self._cancels = Cancellations()
        self.on_reconnected: Callable[[], None] = lambda: None
        """Told of each connection after the first."""
        self.on_filled: Callable[[str, float], None] = lambda order_id, quantity: None
        """Told how much of an order the service says is filled, infinity for all of it."""
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._is_stopping = False
        self._checker: asyncio.TimerHandle | None = None
        self._late_ns = 0
        """By how much looks at ages came late themselves, as after a standstill of this process: what was answered
        meanwhile was not read, and nobody is accused of that."""
        self._until_fold = _FOLD_EVERY
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None

    def change_bounds(self, execution: ExecutionConfig) -> None:
        """Use this deadline, retry time and queue limit from now on."""
        self._deadline_ns = int(execution.deadline_ms * NS_PER_MS)
        self._retry_for_ns = int(execution.retry_for_ms * NS_PER_MS)
        self._queue_limit = execution.queue_limit
        shortest_ms = min(execution.deadline_ms, execution.retry_for_ms or execution.deadline_ms)
        self._check_every_s = min(0.05, max(0.005, shortest_ms / 20_000))

    # The engine's side.

    def send(self, order: Order, received_ns: int = 0) -> None:
        """Queue an order. Raises ``TypeError`` for anything that is not an approved ``Order``."""
        if not isinstance(order, Order):
            raise TypeError(
                f"expected an Order, which only the risk checks' approval makes, got {type(order).__name__}; not sent"
            )
        if self._is_stopping:
            self._refuse(order, "the engine is stopping; the order was not sent")
        elif len(self._queue) >= self._queue_limit:
            self.stats.dropped += 1
            self._refuse(order, f"{self._queue_limit} orders wait to be sent already; this one was not sent")
        else:
            since_received_ns = max(0, time_ns() - received_ns) if received_ns else 0
            market = self._live.engine.markets.get(order.symbol)
            touch = market.touch if market is not None else None
            crc = book_crc(touch) if touch is not None else 0
            self._queue[order.order_id] = _Outgoing(order, since_boot_ns(), since_received_ns, crc)
            self.stats.queue_depth = len(self._queue)
            self._wake.set()
            self._watch()

    def cancel(self, order_id: str) -> None:
        """Ask for an order's cancellation; one that has not left yet is taken back right here."""
        waiting = self._queue.pop(order_id, None)
        if waiting is not None:
            self.stats.queue_depth = len(self._queue)
            self._tell_soon(waiting.order, OrderStatus.CANCELLED, "cancelled before it was sent")
        elif self._cancels.knows(order_id):
            return
        elif self._cancels.is_full:
            self._live.say("error", "too many cancellations wait for an answer; one was dropped", order_id=order_id)
        else:
            self._cancels.ask(order_id, self._live.engine.now_ns)
            self._wake.set()

    def is_under_way(self, order_id: str) -> bool:
        """Whether an order is still to be sent, or its answer may come on this connection."""
        return order_id in self._queue or order_id in self._unanswered

    async def start(self) -> None:
        """Begin to connect; orders may be sent from now on."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(
            keep_conversing(
                self._peer,
                self.stats,
                self._live.say,
                on_connected=self._after_reconnect,
                write_all=self._write,
                take=self._take,
            ),
            name="execution gateway",
        )

    async def stop(self, timeout_s: float = 2.0) -> None:
        """Take no more orders, let what is queued out and be answered for at most ``timeout_s``, and disconnect.

        What never left by then is rejected, what has no answer is unknown.
        """
        self._is_stopping = True
        if self._task is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                while self._queue or self._again or self._cancels or self._answers_are_due():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            self._live.say("warning", "stopped before the execution service answered everything", target=self.target)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        if self._checker is not None:
            self._checker.cancel()
        for outgoing in self._queue.values():
            self._refuse(outgoing.order, "the engine stopped before the order was sent")
        self._queue.clear()
        for outgoing in self._unanswered.values():
            self._overdue(outgoing, "the engine stopped before the answer came")
        self._unanswered.clear()
        self.stats.queue_depth = 0
        self.stats.state = "disconnected"
        # What was told soon is told now, while there still is somebody to tell.
        await asyncio.sleep(0)

    def _answers_are_due(self) -> bool:
        return any(not outgoing.is_overdue for outgoing in self._unanswered.values())

    # The stream.

    async def _write(self, write: Write) -> None:
        stats = self.stats
        while True:
            # What was sent before comes before its cancellation, and a cancellation before new orders.
            if self._again:
                again = self._again.popleft()
                if again.order.order_id in self._unanswered:
                    stats.retried += 1
                    stats.wrote()
                    await write(submit_command(again.order, again.book_crc))
            elif self._cancels.is_due:
                cancel = self._cancels.next()
                if cancel is not None:
                    stats.cancels += 1
                    stats.wrote()
                    await write(cancel_command(*cancel))
            elif self._queue:
                _, outgoing = self._queue.popitem(last=False)
                stats.queue_depth = len(self._queue)
                stats.sent += 1
                # From here on it may have left, whatever becomes of the connection.
                outgoing.written_ns, outgoing.late_before_ns = perf_counter_ns(), self._late_ns
                stats.wrote()
                self._remember(outgoing)
                await write(submit_command(outgoing.order, outgoing.book_crc))
                stats.tick_to_order.record(perf_counter_ns() - outgoing.began_ns)
                self._fold()
            else:
                self._changed.set()
                self._wake.clear()
                await self._wake.wait()

    def _remember(self, outgoing: _Outgoing) -> None:
        self._unanswered[outgoing.order.order_id] = outgoing
        if len(self._unanswered) > UNANSWERED_KEPT:
            _, oldest = self._unanswered.popitem(last=False)
            self._overdue(oldest, "too many orders wait for an answer")

    def _after_reconnect(self) -> None:
        """Sort what the last connection left unanswered: young orders go again, old ones are unknown."""
        self._again.clear()
        self.stats.owed_since_ns = 0
        now_ns = since_boot_ns()
        for order_id, outgoing in list(self._unanswered.items()):
            if now_ns - outgoing.created_ns < self._retry_for_ns:
                self._again.append(outgoing)
            else:
                del self._unanswered[order_id]
                self._overdue(outgoing, "the connection broke before the answer came, and it is too old to send again")
        self._cancels.begin_again()
        self._wake.set()
        if self.stats.reconnects:
            self.on_reconnected()

    # What comes back.

    def _take(self, report: pb.OrderReport) -> None:
        self.stats.owed_since_ns = 0
        order_id = report.client_order_id
        status: OrderStatus | None = STATUS.get(report.status)
        if not order_id or status is None:
            self.stats.malformed += 1
            self._live.say(
                "warning", "the execution service sent a report without an order or status", order_id=order_id
            )
            return
        outgoing = self._unanswered.get(order_id)
        cause = report.cause
        if cause == pb.REPORT_CAUSE_UNSPECIFIED:
            if outgoing is not None:
                cause = pb.REPORT_CAUSE_SUBMIT
            elif self._cancels.waits(order_id):
                cause = pb.REPORT_CAUSE_CANCEL
        timestamp_ns = report.timestamp_ns or self._live.engine.now_ns
        reason = report.reason[:500]
        if cause == pb.REPORT_CAUSE_CANCEL:
            asked_ns = self._cancels.answered(order_id)
            if status is OrderStatus.REJECTED:
                status = OrderStatus.UNKNOWN
                reason = f"the execution service refused to cancel it: {reason or 'it gave no reason'}"
            elif status is OrderStatus.ACCEPTED:
                # On its way, or too late because all is filled: nothing new about the order itself.
                if report.status == pb.ORDER_STATUS_ACCEPTED and asked_ns is not None:
                    self._cancels.adopt(order_id, asked_ns)
                status = None
        else:
            if outgoing is not None:
                self._answered(outgoing, status)
            elif report.status == pb.ORDER_STATUS_FILLED:
                status = None
        if report.status != pb.ORDER_STATUS_ACCEPTED:
            self._cancels.ended(order_id)
        if status is not None:
            self._live.process(OrderUpdate(order_id, status, timestamp_ns, reason))
        filled = inf if report.status == pb.ORDER_STATUS_FILLED else report.filled_quantity
        if filled > 0.0:
            self.on_filled(order_id, filled)
        self._changed.set()

    def _answered(self, outgoing: _Outgoing, status: OrderStatus) -> None:
        stats = self.stats
        del self._unanswered[outgoing.order.order_id]
        stats.ack.record(perf_counter_ns() - outgoing.written_ns)
        if outgoing.is_overdue:
            stats.late += 1
        if status is OrderStatus.REJECTED:
            stats.rejected += 1
        else:
            stats.accepted += 1

    # Age.

    def _watch(self) -> None:
        """Look at ages regularly while anything can get too old."""
        if self._checker is None:
            due_ns = perf_counter_ns() + int(self._check_every_s * NS_PER_S)
            self._checker = self._loop.call_later(self._check_every_s, self._check_ages, due_ns)

    def _check_ages(self, due_ns: int) -> None:
        self._checker = None
        now_ns, now_since_boot_ns = perf_counter_ns(), since_boot_ns()
        if now_ns - due_ns > _LATE_LOOK_NS:
            self._late_ns += now_ns - due_ns
        connected = self.stats.state == "connected"
        # On a working connection an order in the queue is about to be written; it gets a deadline's time for that.
        longest_ns = max(self._retry_for_ns, self._deadline_ns) if connected else self._retry_for_ns
        while self._queue:
            outgoing = next(iter(self._queue.values()))
            if now_since_boot_ns - outgoing.created_ns < longest_ns:
                break
            del self._queue[outgoing.order.order_id]
            self._refuse(
                outgoing.order,
                f"it could not be sent to {self.target} for {longest_ns / NS_PER_MS:g} ms and certainly did not leave",
            )
        self.stats.queue_depth = len(self._queue)
        waits = bool(self._queue)
        for outgoing in self._unanswered.values():
            if outgoing.is_overdue:
                continue
            if now_ns - outgoing.written_ns - (self._late_ns - outgoing.late_before_ns) < self._deadline_ns:
                waits = True
                break
            self._overdue(outgoing, f"no answer from {self.target} within {self._deadline_ns / NS_PER_MS:g} ms")
        if waits:
            self._watch()
        self._changed.set()

    def _overdue(self, outgoing: _Outgoing, reason: str) -> None:
        if not outgoing.is_overdue:
            outgoing.is_overdue = True
            self.stats.unknown += 1
            self._tell_soon(outgoing.order, OrderStatus.UNKNOWN, reason)

    def _refuse(self, order: Order, reason: str) -> None:
        self.stats.rejected += 1
        self._tell_soon(order, OrderStatus.REJECTED, reason, never_left=True)

    def _tell_soon(self, order: Order, status: OrderStatus, reason: str, never_left: bool = False) -> None:
        """Not at once: ``send`` and ``cancel`` are called while the engine passes on an outcome."""
        at_ns = max(order.timestamp_ns, self._live.engine.now_ns)
        self._loop.call_soon(self._live.process, OrderUpdate(order.order_id, status, at_ns, reason, never_left))

    def _fold(self) -> None:
        """Keep the histograms' pending samples few also when nobody scrapes."""
        self._until_fold -= 1
        if not self._until_fold:
            self._until_fold = _FOLD_EVERY
            self.stats.ack.fold()
            self.stats.tick_to_order.fold()
