"""Streams of the control API: history first, then batches at most ten times a second, and never a slow engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import grpc

from sengine.runtime.live_engine import HISTORY, Stream, Subscription

BATCH_INTERVAL_S: Final = 0.1
MOST_IN_BATCH: Final = 500
MOST_STREAMS: Final = 32

T = TypeVar("T")


class Batches(Subscription[T]):
    """A subscription that is read in batches, since one message for each item would cost the tick loop."""

    async def batch(self) -> Sequence[T]:
        """What has arrived, at least one item and at most ``MOST_IN_BATCH``; waits for the first."""
        items = [await anext(self)]
        while self._items and len(items) < MOST_IN_BATCH:
            items.append(self._items.popleft())
        return items


class StreamLimit:
    """Counts the open streams. Entering one too many is refused with RESOURCE_EXHAUSTED."""

    def __init__(self, most: int = MOST_STREAMS) -> None:
        self.open = 0
        self._most = most

    @asynccontextmanager
    async def entered(self, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[None]:
        if self.open >= self._most:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"{self.open} streams are open and {self._most} are the most; close a screen that is attached",
            )
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


async def batches(
    stream: Stream[T], history: int, wanted: Callable[[T], bool], limit: int = HISTORY
) -> AsyncGenerator[tuple[Sequence[T], int], None]:
    """The last ``history`` wanted items, then new ones; with each batch how many were dropped so far.

    The reader's pace is its own: what does not fit into ``limit`` waiting items is dropped, oldest first, and counted.
    The first batch comes at once, empty or not, so that the reader knows it is heard.
    """
    subscription = Batches(stream, limit)
    stream.subscriptions.add(subscription)
    try:
        past = [item for item in stream.history if wanted(item)]
        past = past[len(past) - history :] if history < len(past) else past
        yield past[:MOST_IN_BATCH], 0
        for start in range(MOST_IN_BATCH, len(past), MOST_IN_BATCH):
            yield past[start : start + MOST_IN_BATCH], subscription.dropped
        reported = 0
        while True:
            items = [item for item in await subscription.batch() if wanted(item)]
            if items or subscription.dropped != reported:
                reported = subscription.dropped
                yield items, reported
                await asyncio.sleep(BATCH_INTERVAL_S)
    finally:
        subscription.close()
