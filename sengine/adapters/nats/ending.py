"""Ends tasks that talk to the broker."""

from __future__ import annotations

import asyncio
from typing import Any, Final

_AGAIN_S: Final = 0.2


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they are over; what they raise is nobody's any more.

    They are cancelled again and again: nats-py swallows a cancellation while it flushes, and so does
    ``asyncio.wait_for`` of Python 3.11 when what it waits for comes at the same moment.
    """
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_AGAIN_S)
    await asyncio.gather(*tasks, return_exceptions=True)
