"""What a new version remembers less of than the one before it, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.strategies.runtime import Guest
from sengine.engine.strategies.windows import lost_windows, window_sizes

Sizes: TypeAlias = Mapping[str, Mapping[str, int]]
"""By instance and name, as of ``window_sizes``."""
_MOST_TOLD: Final = 3


def sizes_of(guest: Guest) -> Sizes:
    """How much each running instance remembers; nothing of one that does not tell."""
    sizes: dict[str, dict[str, int]] = {}
    for key, instance in guest.instances.items():
        try:
            with guest.guard.calling(guest):
                sizes[key] = window_sizes(instance)
        except BaseException as error:
            guest.guard.contain(error)
    return sizes


def lost_in_words(had: Sizes, has: Sizes) -> str:
    """``BTCUSDT: mids had 200, has 120``, one instance after the other; empty where nothing was lost."""
    lost = {key: lost_windows(sizes, has[key]) for key, sizes in had.items() if key in has}
    told = [f"{key}: {words}" if key != ANY_SYMBOL else words for key, words in lost.items() if words]
    more = [f"and of {len(told) - _MOST_TOLD} more symbols"] if len(told) > _MOST_TOLD else []
    return "; ".join([*told[:_MOST_TOLD], *more])
