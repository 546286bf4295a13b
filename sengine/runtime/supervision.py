"""Children and tasks of the service that are started again when they die."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from time import monotonic
from traceback import extract_tb
from typing import Final

from sengine.errors import SengineError

_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_TASK_WAIT_S: Final = 1.0
_LONGEST_TASK_WAIT_S: Final = 60.0


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


async def keep_doing(what: str, do: Callable[[], Awaitable[None]], say: Callable[..., None]) -> None:
    """Do it until it ends by itself or is cancelled. What it raises is said at once, and it is begun again.

    Between failures that follow each other the pause grows from 1 s to a minute.
    """
    wait_s = _TASK_WAIT_S
    while True:
        began_s = monotonic()
        try:
            await do()
            return
        except Exception as error:
            # The process's edge: a task that nobody waits for would be gone unnoticed until the engine ends.
            if monotonic() - began_s > _LONGEST_TASK_WAIT_S:
                wait_s = _TASK_WAIT_S
            at = extract_tb(error.__traceback__)[-1]
            say(
                "error",
                f"the {what} failed; it is begun again in {wait_s:g} s",
                reason=f"{type(error).__name__}: {error}",
                where=f"{at.filename}:{at.lineno}",
            )
        await asyncio.sleep(wait_s)
        wait_s = min(2 * wait_s, _LONGEST_TASK_WAIT_S)
