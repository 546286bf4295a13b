"""How much a strategy remembers, counted: the lengths of what it keeps, for a comparison of two of its instances."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.strategy import BaseStrategy

_SIZED: Final = (list, tuple, deque, dict, set, array)
_MOST_NAMES: Final = 200
_MOST_TOLD: Final = 5
_MOST_SYMBOLS: Final = 3
Sizes: TypeAlias = Mapping[str, Mapping[str, int]]
"""By instance and name, as of ``window_sizes``."""


class _Bare(BaseStrategy):
    def on_tick(self, data: Any) -> None:
        return None


# What BaseStrategy and the engine keep on an instance.
_OURS: Final = frozenset({*vars(_Bare("")), "params", "loaded_from", "is_active"})


def window_sizes(instance: BaseStrategy) -> dict[str, int]:
    """Lengths of the containers that an instance holds, and that objects it holds hold, by name: ``mids``,
    ``channel.bars``. Of one that does not show what it holds, as a compiled one, what ``get_state`` tells.

    Raises what ``get_state`` raises: this is a call into the strategy.
    """
    held = getattr(instance, "__dict__", None)
    own = {name: value for name, value in held.items() if name not in _OURS} if type(held) is dict else {}
    sizes = _sizes(own)
    for name, value in list(own.items())[:_MOST_NAMES]:
        inner = getattr(value, "__dict__", None)
        if type(inner) is dict and not isinstance(value, type):
            sizes |= {f"{name}.{each}": size for each, size in _sizes(inner).items()}
    return sizes if own else sizes_told(instance.get_state())


def sizes_told(state: Mapping[str, Any]) -> dict[str, int]:
    """The same of a strategy that only says of itself what it wants to: lengths, and whole numbers as they are."""
    told = {name: value for name, value in state.items() if isinstance(name, str) and name not in _OURS}
    return _sizes(told) | {name: value for name, value in list(told.items())[:_MOST_NAMES] if type(value) is int}


def lost_windows(before: Mapping[str, int], now: Mapping[str, int]) -> str:
    """``mids had 200, has 120``: what is shorter now than it was; empty where nothing is. What is not there any more is
    other code's matter."""
    lost = [f"{name} had {had}, has {now[name]}" for name, had in before.items() if name in now and now[name] < had]
    more = [f"and {len(lost) - _MOST_TOLD} more"] if len(lost) > _MOST_TOLD else []
    return "; ".join([*lost[:_MOST_TOLD], *more])


def sizes_of(runtime: StrategyRuntime) -> Sizes:
    """``window_sizes`` of each running instance; nothing of one that does not tell."""
    sizes: dict[str, dict[str, int]] = {}
    for key, instance in runtime.instances.items():
        try:
            with runtime.guard.calling(runtime):
                sizes[key] = window_sizes(instance)
        except BaseException as error:
            runtime.guard.contain(error)
    return sizes


def lost_in_words(had: Sizes, has: Sizes) -> str:
    """``BTCUSDT: mids had 200, has 120``, one instance after the other; empty where nothing was lost."""
    lost = {key: lost_windows(sizes, has[key]) for key, sizes in had.items() if key in has}
    told = [f"{key}: {words}" if key != ANY_SYMBOL else words for key, words in lost.items() if words]
    more = [f"and of {len(told) - _MOST_SYMBOLS} more symbols"] if len(told) > _MOST_SYMBOLS else []
    return "; ".join([*told[:_MOST_SYMBOLS], *more])


def _sizes(held: Mapping[str, Any]) -> dict[str, int]:
    # Only of Python's own containers: the length of another's is its author's code.
    return {name: len(value) for name, value in list(held.items())[:_MOST_NAMES] if type(value) in _SIZED}
