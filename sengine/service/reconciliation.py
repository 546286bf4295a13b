"""Orders whose fate is not known are asked about: at a start, and each time the execution service is back.

What it leads to is events like any other, so a recorded session runs again the same.
"""

from __future__ import annotations

import asyncio

from sengine.adapters.execution.gateway import ExecutionGateway
from sengine.adapters.execution.peer import execution_peer
from sengine.adapters.execution.reconcile import reconcile
from sengine.config import Config
from sengine.domain.events import KillSwitch
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceFacts


class Reconciliation:
    """Holds orders in flight against the record of the execution service that ``gateway`` sends to."""

    def __init__(self, live: LiveEngine, facts: ServiceFacts, config: Config, gateway: ExecutionGateway) -> None:
        self._live = live
        self._orders = live.engine.orders
        self._facts = facts
        self._on_mismatch = config.recovery.on_mismatch
        self._peer = execution_peer(gateway.target, config.execution)
        self._gateway = gateway
        self._reconnected = asyncio.Event()
        gateway.on_reconnected = self._reconnected.set

    async def at_start(self) -> bool:
        """Ask before anything is traded; whether trading may go on as it was. Where a person must look first, the kill
        switch is pulled."""
        self._facts.waits_for = "the execution service's record of orders in flight"
        try:
            return await self._reconcile()
        finally:
            self._facts.waits_for = ""

    async def watch(self) -> None:
        """After each broken connection ask about the orders that were left without an answer, and about those that
        rest, for as long as the engine runs. Trading goes on meanwhile: they count as in flight."""
        while True:
            await self._reconnected.wait()
            self._reconnected.clear()
            if any(not self._gateway.is_under_way(each.order.order_id) for each in self._orders.open_orders()):
                await self._reconcile()

    async def _reconcile(self) -> bool:
        live = self._live
        mismatches = await reconcile(self._peer, live, self._gateway.is_under_way)
        if mismatches is None:
            live.say(
                "warning",
                "the execution service cannot be asked what became of orders (it has no Reconcile); those in flight "
                "stay in flight until it reports on them",
                in_flight=self._orders.count,
            )
            return True
        for mismatch in mismatches:
            live.say("error", mismatch)
        if not mismatches or self._on_mismatch != "halt":
            return True
        self._facts.mismatches = mismatches
        more = f" (and {len(mismatches) - 1} more)" if len(mismatches) > 1 else ""
        live.take(KillSwitch(f"reconciliation: {mismatches[0]}{more}; look, then `sengine reconcile --adopt`"))
        return False
