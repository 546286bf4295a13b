"""Builders that the tests of a run share: quotes, strategies that follow a script, and whole runs of both."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest

from replay.result import RunResult
from replay.session import ReplaySession
from sengine.domain.events import BookEvent, MarketEvent
from sengine.domain.market import MarketData, OrderBook, PriceLevel
from sengine.domain.signal import Signal
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.limits import ConfidenceLimit
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.spec import StrategySpec
from sengine.strategy import BaseStrategy

S = 1_000_000_000
CAPITAL = 1_000.0

Script = Sequence[object]


class Scripted(BaseStrategy):
    """Gives one answer a tick, then is silent: a signal is returned, an exception raised."""

    def __init__(self, strategy_id: str, script: Script, log: list[str]) -> None:
        super().__init__(strategy_id)
        self.script = deque(script)
        self.log = log

    def on_tick(self, data: MarketData) -> Any:
        answer = self.script.popleft() if self.script else None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def shutdown(self) -> None:
        self.log.append(f"shutdown {self.strategy_id}")


class Lab:
    """Quotes, signals, engines and runs. Orders go out one by one, so each strategy does what its script says."""

    def __init__(self) -> None:
        self.log: list[str] = []

    def quote(self, at_s: float, bid: float = 99.0, ask: float = 101.0, symbol: str = "BTC") -> BookEvent:
        return BookEvent(symbol, round(at_s * S), OrderBook((PriceLevel(bid, 1.0),), (PriceLevel(ask, 1.0),)))

    def quotes(self, *mids: float, symbol: str = "BTC") -> list[BookEvent]:
        """One quote a second, a unit to each side of the mid."""
        return [self.quote(at_s, mid - 1.0, mid + 1.0, symbol) for at_s, mid in enumerate(mids)]

    def buy(self, size: float = 1.0, **rest: Any) -> Signal:
        return Signal(direction="LONG", confidence=0.8, size=size, **rest)

    def sell(self, size: float = 1.0, **rest: Any) -> Signal:
        return Signal(direction="SHORT", confidence=0.8, size=size, **rest)

    def engine(self, scripts: Mapping[str, Script], *, commission_bps: float = 0.0, max_errors: int = 10) -> Engine:
        engine = Engine(
            VoteBook("weighted_average", 5 * S),
            RiskPipeline([ConfidenceLimit(0.6)]),
            Portfolio(CAPITAL),
            SimulatedVenue(commission_bps=commission_bps),
            max_errors=max_errors,
        )
        for name, script in scripts.items():
            engine.registry.load(self._spec(name, script))
        return engine

    def run(
        self,
        scripts: Mapping[str, Script],
        events: Iterable[MarketEvent],
        *,
        commission_bps: float = 0.0,
        max_errors: int = 10,
        on_chunk: Callable[[int], None] | None = None,
        **session: Any,
    ) -> RunResult:
        engine = self.engine(scripts, commission_bps=commission_bps, max_errors=max_errors)
        return ReplaySession(engine, **session).run(events, on_chunk)

    def _spec(self, name: str, script: Script) -> StrategySpec:
        return StrategySpec(name, lambda: Scripted(name, script, self.log), route="direct", source=__file__)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture(scope="session")
def new_lab() -> Callable[[], Lab]:
    """For property tests, where each example needs one of its own."""
    return Lab
