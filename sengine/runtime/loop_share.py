"""Long reports in short pieces: what runs on the tick loop and takes milliseconds lets ticks through in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from time import perf_counter_ns
from typing import Final, TypeVar

HOLD_NS: Final = 300_000
"""How long a report holds the loop at a time."""

T = TypeVar("T")


class LoopShare:
    """How much of its present turn a report has used."""

    __slots__ = ("_since_ns",)

    def __init__(self) -> None:
        self._since_ns = perf_counter_ns()

    @property
    def is_used_up(self) -> bool:
        return perf_counter_ns() - self._since_ns > HOLD_NS

    async def give_way(self) -> None:
        """Let everything else that is ready run once."""
        await asyncio.sleep(0)
        self._since_ns = perf_counter_ns()

    async def over(self, items: Iterable[T]) -> AsyncIterator[T]:
        """The items, with a pause whenever the turn is used up. They must not change meanwhile: pass a copy."""
        for item in items:
            yield item
            if perf_counter_ns() - self._since_ns > HOLD_NS:
                await self.give_way()
