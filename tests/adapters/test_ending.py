"""Tasks end also where a library swallows their cancellation."""

from __future__ import annotations

import asyncio

from sengine.adapters.nats.connection import OrderedConnection
from sengine.adapters.nats.ending import end
from sengine.adapters.paper.fills import FillPublisher
from sengine.domain.order import Fill


async def test_task_that_swallows_a_cancellation_ends() -> None:
    """As ``asyncio.wait_for`` of Python 3.11 lets it, when the answer comes at the moment of the cancellation."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[None] = loop.create_future()

    async def ask_again_and_again() -> None:
        while True:
            await asyncio.wait_for(asyncio.shield(answer) if not answer.done() else asyncio.Event().wait(), 60.0)

    task = asyncio.create_task(ask_again_and_again())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answer.set_result(None)
    async with asyncio.timeout(30.0):
        await end(task)
    assert task.done()


async def test_what_a_task_raised_is_not_raised_again() -> None:
    async def fails() -> None:
        raise ValueError("on purpose")

    await end(asyncio.create_task(fails()))


class TalkingConnection(OrderedConnection):
    """A broker at hand, whose second connection comes while the first one's publications are being confirmed."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[bytes] = []
        self.before_flush = lambda: None

    @property
    def is_connected(self) -> bool:
        return True

    async def publish(self, subject: str, payload: bytes = b"", *_: object, **__: object) -> None:
        self.published.append(payload)

    async def flush(self, timeout: int = 10) -> None:
        self.before_flush()
        # What is put back is sent again before the first confirmation is over.
        for _ in range(5):
            await asyncio.sleep(0)


async def test_fill_that_is_published_again_on_a_new_connection_is_confirmed() -> None:
    confirmed: list[str] = []
    fills = FillPublisher("fills", confirmed.append)
    first, second = TalkingConnection(), TalkingConnection()

    def reconnect() -> None:
        first.before_flush = lambda: None
        fills.connected(second)

    first.before_flush = reconnect
    fills.connected(first)
    tasks = fills.start()
    fills.publish(Fill("o-1", "", "BTC", "buy", 1.0, 1.0, 0.0, 1, "f-1"))
    try:
        assert await fills.drain(30.0)
        assert confirmed == ["f-1"]
        assert (len(first.published), len(second.published)) == (1, 1)
    finally:
        await end(*tasks)
