"""The execution service is asked whenever fills may have been missed and of orders whose fate is not known: at a start,
each time the broker or the service is back, and when the service speaks of fills that have not come.

What it leads to is events like any other, so a recorded session runs again the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from sengine.adapters.execution.gateway import ExecutionGateway
from sengine.adapters.execution.missing_fills import MissingFills
from sengine.adapters.execution.peer import execution_peer
from sengine.adapters.execution.reconcile import Taking, reconcile
from sengine.adapters.nats.feed import NatsFeed
from sengine.config import Config
from sengine.domain.events import HoldFill, KillSwitch
from sengine.domain.order import OrderStatus, OrderUpdate
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus

_BETWEEN_S: Final = 0.25
"""What asks again and again is answered no more often than this."""


class Reconciliation:
    """Holds orders against the record of the execution service that ``gateway`` sends to, and whose fills ``feed``
    brings."""

    def __init__(
        self, live: LiveEngine, facts: ServiceStatus, config: Config, gateway: ExecutionGateway, feed: NatsFeed
    ) -> None:
        self._live = live
        self._orders = live.engine.orders
        self._facts = facts
        self._on_mismatch = config.recovery.on_mismatch
        self._peer = execution_peer(gateway.target, config.execution)
        self._gateway = gateway
        self._feed = feed
        self._wanted = asyncio.Event()
        self._missed_since_ns: int | None = None
        """Event time since when fills may have been missed; ``None`` where none can have been."""
        self._losses = 0
        self._missing = MissingFills(live.engine, config.execution.fill_grace_ms, self._wanted.set, live.say)
        facts.missing_fills, facts.on_adopt = self._missing.sentences, self._adopt
        gateway.on_reconnected = self._service_is_back
        gateway.on_filled = self._missing.announced
        feed.tell(self._broker_is_back, self._broker_is_lost)
        feed.on_unread_fill = self._fill_was_not_taken

    async def at_start(self, past_session: str = "") -> bool:
        """Ask before anything is traded; whether trading may go on as it was. Where a person must look first, the kill
        switch is pulled.

        The broker comes first: a fill that is published from then on comes to the feed, one from before is in the
        service's record, and one that is in both counts once. ``past_session`` is the prefix of the order ids of the
        session that is taken up.
        """
        if self._missed_since_ns is None:
            self._missed_since_ns = self._live.engine.now_ns
        self._facts.waits_for = "the broker, so that no fill is missed while the execution service is asked"
        await self._feed.connected()
        self._facts.waits_for = "the execution service's record of orders in flight"
        try:
            may_go_on = await self._ask()
            may_go_on = await self._hold_lost_fills(past_session) and may_go_on
        finally:
            self._facts.waits_for = ""
        if self._missed_since_ns is None:
            self._wanted.clear()  # what it was wanted for is done
        self._feed.release()
        return may_go_on

    async def watch(self) -> None:
        """Ask again whenever there is a reason to, for as long as the engine runs. Trading goes on meanwhile: orders
        without an answer count as in flight."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                try:
                    await self._ask()
                except BaseException:
                    self._wanted.set()
                    raise
                await asyncio.sleep(_BETWEEN_S)
        finally:
            self._missing.close()

    def _adopt(self) -> None:
        """Go on with the books as they are: what the service says has ended is in flight no longer."""
        for order_id in self._missing.give_up():
            if self._orders.is_open(order_id):
                reason = "the execution service says that it has ended; adopted with the fills that came"
                now_ns = self._live.engine.now_ns
                self._live.process(OrderUpdate(order_id, OrderStatus.CANCELLED, now_ns, reason))

    # Reasons to ask.

    def _service_is_back(self) -> None:
        # Also where every order is under way to it anew: it may hold orders that are not on record here.
        self._wanted.set()

    def _broker_is_lost(self) -> None:
        self._losses += 1
        if self._missed_since_ns is None:
            self._missed_since_ns = self._live.engine.now_ns
        self._facts.unreconciled = (
            "positions may miss fills: the execution service has not been asked yet since the broker was away"
        )

    def _broker_is_back(self) -> None:
        if self._missed_since_ns is not None:
            self._wanted.set()

    def _fill_was_not_taken(self) -> None:
        self._losses += 1
        if self._missed_since_ns is None:
            self._missed_since_ns = self._live.engine.now_ns
        self._wanted.set()

    async def _ask(self) -> bool:
        losses = self._losses
        may_go_on = True
        if self._live.engine.orders_sent:
            may_go_on = await self._reconcile()
        if losses == self._losses:
            # Also where it cannot be asked: that was said, and will not change.
            self._missed_since_ns = None
            self._facts.unreconciled = ""
        return may_go_on

    async def _hold_lost_fills(self, past_session: str) -> bool:
        """Fills that were acknowledged to the broker, and so were on record, and are not: whether there are none."""
        engine = self._live.engine
        lost = [each for each in await self._feed.acknowledged_fills() if engine.lacks(each, past_session)]
        for each in lost:
            self._live.process(HoldFill(each, "it was acknowledged to the broker, and the journal does not have it"))
        return self._may_go_on(
            [f"the end of the journal is lost: it lacks {len(lost)} of the last fills that the broker has"]
            if lost
            else []
        )

    async def _reconcile(self) -> bool:
        live = self._live
        mismatches = await reconcile(
            self._peer,
            live,
            self._gateway.is_under_way,
            self._missed_since_ns,
            self._missing.late,
            Taking(self._feed.expect_again, self._missing.not_there),
        )
        if mismatches is None:
            missed = "" if self._missed_since_ns is None else "; fills may be missing, compare positions with the venue"
            live.say(
                "warning",
                "the execution service cannot be asked what became of orders (it has no Reconcile); those in flight "
                f"stay in flight until it reports on them{missed}",
                in_flight=self._orders.count,
            )
            return True
        return self._may_go_on(mismatches)

    def _may_go_on(self, mismatches: Sequence[str]) -> bool:
        """Tell what does not fit, and pull the kill switch where a person is to look."""
        for mismatch in mismatches:
            self._live.say("error", mismatch)
        if not mismatches:
            return True
        if self._on_mismatch != "halt":
            self._adopt()
            return True
        self._facts.mismatches = list(dict.fromkeys((*self._facts.mismatches, *mismatches)))
        more = f" (and {len(mismatches) - 1} more)" if len(mismatches) > 1 else ""
        self._live.process(KillSwitch(f"reconciliation: {mismatches[0]}{more}; look, then `sengine reconcile --adopt`"))
        return False
