"""Tells operators of flattens that do not come to an end, as when the market data has."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from sengine.adapters.containment.standstill import STANDSTILLS
from sengine.engine.core import Engine
from sengine.runtime.live_engine import LiveEngine

TOLD_AFTER_S: Final = 2.0
_LOOK_EVERY_S: Final = 1.0
_SOON_S: Final = 0.5
_POLL_S: Final = 0.02


async def until_flat(engine: Engine, strategy_id: str, symbol: str) -> None:
    """Wait a little for what a flatten sent: fills mostly come at once, and what does not come is worth saying."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_SOON_S):
            while engine.flatten_waits_for(strategy_id, symbol):
                await asyncio.sleep(_POLL_S)


class FlattenWatch:
    """Says once of each strategy and symbol that is being brought to zero for long, and again when it is there."""

    def __init__(self, live: LiveEngine) -> None:
        self._live = live
        self._since_s: dict[tuple[str, str], float] = {}
        self._told: set[tuple[str, str]] = set()

    async def run(self) -> None:
        while True:
            self.look(STANDSTILLS.awake_s())
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self, now_s: float) -> None:
        """What is to be seen at ``now_s``, of a clock in seconds that stands still with this process."""
        engine = self._live.engine
        for pair in [each for each in self._since_s if each not in engine.flattening]:
            del self._since_s[pair]
            if pair in self._told:
                self._told.remove(pair)
                held = engine.portfolio.quantity(*pair)
                self._live.say("info", f"the flatten of {pair[0]} {pair[1]} is over: {held:.10g} held")
        for pair in engine.flattening:
            since_s = self._since_s.setdefault(pair, now_s)
            if pair not in self._told and now_s - since_s >= TOLD_AFTER_S:
                self._told.add(pair)
                waits_for = engine.flatten_waits_for(*pair) or "waits for news of its orders"
                self._live.say("warning", f"the flatten of {pair[0]} {pair[1]} {waits_for}")
