"""When the engine's process looks for garbage: between two turns of its loop, as a collection of Python's own choosing
would come in the middle of a tick."""

from __future__ import annotations

import asyncio
import gc
from itertools import count
from typing import Final

EVERY_S: Final = 1.0
_ALL_EVERY: Final = 60


async def collect_between_turns() -> None:
    """Until it is cancelled: what there is now stays, what is young is looked through once a second, and all that came
    since once a minute."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for turn in count(1):
            await asyncio.sleep(EVERY_S)
            gc.collect(2 if turn % _ALL_EVERY == 0 else 1)
    finally:
        gc.enable()
        gc.unfreeze()
