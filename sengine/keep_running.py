"""Children of the service that are started again when they die."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from sengine.errors import SengineError

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0


async def keep_running(
    what: str, wait: Callable[[], Awaitable[int]], start: Callable[[], Awaitable[None]], say: Callable[..., None]
) -> None:
    """Start ``what`` again whenever ``wait`` says that it has ended, until cancelled.

    Between attempts that fail the pause grows to 5 s; ``start`` fails with ``SengineError`` or ``OSError``.
    """
    while True:
        code = await wait()
        say("error", f"{what} ended; starting it again", exit_code=code)
        wait_s = _FIRST_WAIT_S
        while True:
            await asyncio.sleep(wait_s)
            try:
                await start()
                break
            except (SengineError, OSError) as error:
                say("error", f"{what} cannot be started again yet", reason=str(error))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
        say("warning", f"{what} runs again")
