"""New instances on their way to take over: made and shown the market aside, until only a few ticks are left."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from time import perf_counter
from typing import Any, Final, TypeAlias

from sengine.engine.core import Engine
from sengine.engine.state.recent_ticks import ANY_SYMBOL, Tick, recent_ticks
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.swap import Warmed, warm
from sengine.strategy import BaseStrategy

# What is left for the loop may take about this long, and is at most so many ticks.
_LAST_TICKS_US: Final = 500.0
_MOST_LAST_TICKS: Final = 32
_MOST_ROUNDS: Final = 10
_ATTEMPTS: Final = 3
_TICKS_PER_LOOK: Final = 16
Aside: TypeAlias = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs work in a thread."""


class Candidate:
    """A new instance, and what it has been shown."""

    def __init__(self, key: str, spec: StrategySpec, position: float, most: int) -> None:
        self.key = key
        self.instance = spec.create()
        self.position = position
        self.shown = 0
        self._spec = spec
        self._most = most
        self._last = 0

    @property
    def warmed(self) -> Warmed:
        return Warmed(self.shown, self.position)

    def missed(self, engine: Engine) -> Sequence[Tick]:
        """Ticks it has not seen; the first time, the most recent ones."""
        ticks = recent_ticks(engine.markets, self.key, self._spec.symbols, self._spec.kinds, self._last)
        return ticks if self._last else ticks[-self._most :] if self._most else ()

    def show(self, ticks: Sequence[Tick], number: int) -> None:
        """Show them; ``number`` is that of the engine's last tick when they were taken."""
        warm(self.instance, ticks, self.position)
        self.shown += len(ticks)
        self._last = number

    def catch_up(self, engine: Engine, until_s: float) -> bool:
        """Show what it has missed, between two ticks. Whether that was done by ``until_s``, a time of the clock
        ``perf_counter``."""
        ticks = self.missed(engine)
        for start in range(0, len(ticks), _TICKS_PER_LOOK):
            if perf_counter() > until_s:
                return False
            self.show(ticks[start : start + _TICKS_PER_LOOK], engine.ticks)
        return True

    def is_outrun(self, engine: Engine) -> bool:
        """Whether ticks that it was shown, and so perhaps some that it was not, are not kept any more: what it is
        could not be made again."""
        kept = recent_ticks(engine.markets, self.key, self._spec.symbols, self._spec.kinds)
        return len(kept) < self.shown + len(self.missed(engine))


async def made_aside(
    engine: Engine, spec: StrategySpec, positions: Mapping[str, float], most: int, on_tick_us: float, aside: Aside
) -> Sequence[Candidate]:
    """One candidate for each position, which has seen all but a few of the ticks, by how long ``on_tick_us`` one takes.

    Ticks may come faster than that, and outrun those that are kept. After a few attempts the candidates have seen
    nothing yet: they are then shown all of it between two ticks, when nothing can come in between.
    """
    few = min(_MOST_LAST_TICKS, int(_LAST_TICKS_US / max(on_tick_us, 1.0)))

    def make() -> Sequence[Candidate]:
        return [Candidate(key, spec, held, most) for key, held in positions.items()]

    for _ in range(_ATTEMPTS):
        candidates: Sequence[Candidate] = await aside(make)
        await _warm_aside(engine, candidates, few, aside)
        if not any(each.is_outrun(engine) for each in candidates):
            return candidates
    unwarmed: Sequence[Candidate] = await aside(make)
    return unwarmed


async def _warm_aside(engine: Engine, candidates: Sequence[Candidate], few: int, aside: Aside) -> None:
    """Show them what comes until that is ``few`` ticks."""
    for _ in range(_MOST_ROUNDS):
        missed: list[tuple[Candidate, Sequence[Tick], int]] = []
        for each in candidates:
            missed.append((each, each.missed(engine), engine.ticks))
            # Many symbols keep many ticks, and the loop has others to serve.
            await asyncio.sleep(0)
        if sum(len(ticks) for _, ticks, _ in missed) <= few:
            return
        await aside(partial(_show, missed))


def _show(missed: Sequence[tuple[Candidate, Sequence[Tick], int]]) -> None:
    for each, ticks, number in missed:
        each.show(ticks, number)


def keys_of(spec: StrategySpec, running: Mapping[str, BaseStrategy] | None, engine: Engine) -> Sequence[str]:
    """The instances that a version begins with: those that there are in ``running``, or, where it divides symbols
    another way or none runs, one for each symbol of the market that it wants, or one for all."""
    symbols = list(engine.markets)
    if running is not None:
        if not running:
            return ()
        symbols = symbols if ANY_SYMBOL in running else list(running)
    wanted = [symbol for symbol in symbols if symbol in spec.symbols or ANY_SYMBOL in spec.symbols]
    if spec.one_instance_per_symbol:
        return wanted
    return (ANY_SYMBOL,) if wanted or running is not None else ()
