"""What the engine is told of a strategy that it is to run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from sengine.domain.market import DataKind
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.strategy import BaseStrategy


class StrategySpec(msgspec.Struct, frozen=True):
    """What the engine needs to run a strategy. ``create`` makes one configured instance; ``source`` is the file that
    errors are located in; ``prepare`` validates a new configuration and returns (typed parameters, dict).
    ``loaded_from`` is what ``create`` makes instances of; the engine only passes it on.
    ``max_signal_age_ns`` is for a strategy in another process that nobody waits for, ``None`` for all others."""

    strategy_id: str
    create: Callable[[], BaseStrategy]
    symbols: Sequence[str] = (ANY_SYMBOL,)
    route: str = "vote"
    default_size: float = 1.0
    kinds: Sequence[DataKind] = (DataKind.BOOK,)
    config: Mapping[str, Any] = {}
    prepare: Callable[[dict[str, Any]], tuple[Any, dict[str, Any]]] = lambda config: (None, config)
    source: str = ""
    version: str = ""
    one_instance_per_symbol: bool = True
    max_signal_age_ns: int | None = None
    loaded_from: Any = None

    def wants(self, symbol: str) -> bool:
        return symbol in self.symbols or ANY_SYMBOL in self.symbols


class LoadStrategy(msgspec.Struct, frozen=True):
    """Command: take a new strategy in and activate it. ``spare`` is a first instance that is made already."""

    spec: StrategySpec
    spare: BaseStrategy | None = None
