"""Loading the example strategies as the engine does, and showing them mids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sengine.resources import resource_path
from sengine.strategy import Signal
from sengine.testing import StrategyBench

HALF_SPREAD = 0.5


def bench(name: str, **config: Any) -> StrategyBench:
    return StrategyBench(resource_path("strategies", f"{name}.py"), config)


def show(strategy: StrategyBench, mid: float) -> Sequence[Signal]:
    """A tick whose mid is exactly ``mid``, for mids that are multiples of 1/1024."""
    return strategy.tick(mid - HALF_SPREAD, mid + HALF_SPREAD)


def directions(strategy: StrategyBench, mids: Sequence[float]) -> list[str]:
    """What the strategy says tick by tick: a direction, or nothing; its position never changes."""
    return [signals[0].direction if (signals := show(strategy, mid)) else "" for mid in mids]
