"""Loading the example strategies as the engine does, and showing them mids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from replay.synthetic import quote_rows
from sengine.clock import NS_PER_MS, NS_PER_S
from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.engine.strategies.spec import StrategySpec
from sengine.plugins.loader import load_plugin
from sengine.resources import resource_path
from sengine.strategy import Signal
from sengine.testing import StrategyBench

HALF_SPREAD = 0.5


def bench(name: str, **config: Any) -> StrategyBench:
    return StrategyBench(resource_path("strategies", f"{name}.py"), config)


def show(strategy: StrategyBench, mid: float) -> Sequence[Signal]:
    """A tick whose mid is exactly ``mid``, for mids that are multiples of 1/1024."""
    return strategy.tick(mid - HALF_SPREAD, mid + HALF_SPREAD)


def run_with_latency(name: str, latency_ms: float, **config: Any) -> tuple[float, int]:
    """A strategy in an engine whose fills take their time, over a generated market: the largest |position| that it ever
    had, and how many orders it sent."""
    plugin = load_plugin(resource_path("strategies", f"{name}.py"))
    venue = SimulatedVenue(round(latency_ms * NS_PER_MS))
    engine = Engine(VoteBook("majority_vote", NS_PER_S), RiskPipeline([]), Portfolio(1e5), venue)
    engine.registry.load(StrategySpec(name, lambda: plugin.create(name, dict(config), "config")))
    largest = 0.0
    for row in quote_rows(5_000, ["BTC"], 7):
        time_ns, symbol, bid, bid_quantity, ask, ask_quantity = row
        touch = OrderBook((PriceLevel(bid, bid_quantity),), (PriceLevel(ask, ask_quantity),))
        engine.process(BookEvent(symbol, time_ns, touch))
        largest = max(largest, abs(engine.portfolio.quantity(name, symbol)))
    return largest, engine.orders_sent


def directions(strategy: StrategyBench, mids: Sequence[float]) -> list[str]:
    """What the strategy says tick by tick: a direction, or nothing; its position never changes."""
    return [signals[0].direction if (signals := show(strategy, mid)) else "" for mid in mids]
