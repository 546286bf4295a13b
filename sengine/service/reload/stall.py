"""How long an event loop was held up."""

from __future__ import annotations

import asyncio
from time import perf_counter
from types import TracebackType
from typing import Final, Self

_BEAT_S: Final = 0.001


class LoopStall:
    """``with LoopStall() as stall``: beats once a millisecond meanwhile and keeps the longest delay of a beat,
    whatever caused it. ``longest_us`` is microseconds."""

    def __init__(self) -> None:
        self.longest_us = 0.0
        self._beating: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        self._beating = asyncio.create_task(self._beat(), name="loop-stall")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._beating is not None
        self._beating.cancel()

    async def _beat(self) -> None:
        last_s = perf_counter()
        while True:
            await asyncio.sleep(_BEAT_S)
            now_s = perf_counter()
            self.longest_us = max(self.longest_us, (now_s - last_s - _BEAT_S) * 1e6)
            last_s = now_s
