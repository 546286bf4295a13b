"""A strategy written from the plan's template (section 4.3) runs here when only its import line is changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sengine.assembly import build_engine, build_venue, strategy_spec
from sengine.config import Config
from sengine.config.schema import StrategyConfig
from sengine.domain.events import BookEvent, ReloadParameters, UnloadStrategy
from sengine.domain.market import OrderBook, PriceLevel
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from sengine.plugins.loader import load_plugin
from sengine.strategy import BaseStrategy, Fill, MarketData, Plugin, Signal

# In the words of the plan: its imports of typing, numpy and datetime, a config that is a plain dict, every field of
# Signal given by name, time from the wall clock, a constructor without parameters.
PLAN_STYLE = """
import numpy as np
from sengine.strategy import BaseStrategy, MarketData, Signal
from typing import Optional, Dict, Any
from datetime import datetime


class ReversionStrategy(BaseStrategy):
    def __init__(self):
        super().__init__("reversion_strategy")
        self.period = 14
        self.upper = 70
        self.lower = 30
        self.prices = []
        self.closed = False

    def initialize(self, config: Dict[str, Any]) -> None:
        self.period = config.get("period", 14)
        self.upper = config.get("upper", 70)
        self.lower = config.get("lower", 30)

    def on_tick(self, data: MarketData) -> Optional[Signal]:
        self.prices.append((data.orderbook.bids[0].price + data.orderbook.asks[0].price) / 2)
        self.prices = self.prices[-(self.period + 1):]
        if len(self.prices) < self.period + 1:
            return None
        index = self._index()
        if index < self.lower and self.position <= 0:
            return self._signal(data, "LONG", (self.lower - index) / self.lower, index)
        elif index > self.upper and self.position >= 0:
            return self._signal(data, "SHORT", (index - self.upper) / (100 - self.upper), index)
        return None

    def _signal(self, data, direction, confidence, index):
        return Signal(
            strategy_id=self.strategy_id,
            symbol=data.symbol,
            direction=direction,
            confidence=min(1.0, confidence),
            size=1.0,
            metadata={"index": index},
            timestamp=datetime.now(),
        )

    def _index(self) -> float:
        deltas = np.diff(self.prices)
        gain = np.mean(np.where(deltas > 0, deltas, 0))
        loss = np.mean(np.where(deltas < 0, -deltas, 0))
        if loss == 0:
            return 100
        return 100 - 100 / (1 + gain / loss)

    def shutdown(self) -> None:
        self.closed = True


def create_strategy():
    return ReversionStrategy()
"""


def run_engine(path: Path, **config: Any) -> Engine:
    engine = build_engine(Config(), build_venue(Config()))
    engine.registry.load(strategy_spec(StrategyConfig(id="mine", plugin=str(path), **config), load_plugin(path)))
    return engine


def show(engine: Engine, *mids: float) -> list[Outcome]:
    outcomes = []
    for mid in mids:
        book = OrderBook((PriceLevel(mid - 0.5, 1.0),), (PriceLevel(mid + 0.5, 1.0),))
        outcomes.append(engine.process(BookEvent("BTC", engine.now_ns + 1_000_000_000, book)))
    return outcomes


def instance(engine: Engine) -> Any:
    return engine.registry.get("mine").instances["BTC"]


@pytest.fixture
def plan_style(tmp_path: Path) -> Path:
    path = tmp_path / "reversion.py"
    path.write_text(PLAN_STYLE)
    return path


def test_a_strategy_in_the_plans_words_trades(plan_style: Path) -> None:
    engine = run_engine(plan_style, config={"period": 3})
    outcomes = show(engine, 100.0, 101.0, 102.0, 103.0)
    (result,) = outcomes[-1].signals
    assert (result.disposition, result.signal.direction, result.signal.confidence) == ("passed", "SHORT", 1.0)
    # Author and time are the engine's, whatever the strategy's own clock and constructor said.
    assert (result.signal.strategy_id, result.signal.timestamp_ns) == ("mine", engine.now_ns)
    assert result.signal.metadata == {"index": 100}
    assert [(fill.side, fill.price, fill.quantity) for fill in outcomes[-1].fills] == [("sell", 102.5, 1.0)]
    assert instance(engine).position == -1.0

    outcomes = show(engine, 102.0, 101.0, 100.0)
    assert [str(order.side) for outcome in outcomes for order in outcome.orders] == ["buy"]
    assert engine.portfolio.equity_of("mine").realized == pytest.approx(102.5 - 100.5)
    assert engine.registry.get("mine").errors == {}


def test_its_state_reload_and_shutdown_are_the_plans(plan_style: Path) -> None:
    engine = run_engine(plan_style, config={"period": 3})
    show(engine, 100.0, 101.0, 102.0, 103.0)
    assert instance(engine).get_state() == {"strategy_id": "mine", "is_active": True, "position": -1.0}
    assert engine.process(ReloadParameters("mine", {"period": 2, "upper": 101})).faults == []
    assert (instance(engine).period, instance(engine).upper, instance(engine).position) == (2, 101, -1.0)
    leaving = instance(engine)
    engine.process(UnloadStrategy("mine"))
    assert leaving.closed


def test_fill_has_the_plans_names() -> None:
    fill = Fill(
        order_id="1",
        strategy_id="mine",
        symbol="BTC",
        side="buy",
        price=100.0,
        quantity=2.0,
        commission=0.1,
        timestamp_ns=1_500_000_000,
    )
    assert fill.timestamp == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)


def test_market_data_has_the_plans_names() -> None:
    book = OrderBook(bids=[PriceLevel(price=99.0, quantity=1.0)], asks=[PriceLevel(price=101.0, quantity=1.0)])
    data = MarketData(symbol="BTC", timestamp_ns=0, orderbook=book, recent_trades=[])
    assert (data.timestamp, data.orderbook.bids[0].price) == (datetime(1970, 1, 1, tzinfo=UTC), 99.0)


def test_on_tick_is_all_that_must_be_written() -> None:
    class Silent(BaseStrategy):
        def on_tick(self, data: MarketData) -> None:
            return None

    with pytest.raises(TypeError, match="abstract"):
        BaseStrategy("a")  # type: ignore[abstract]
    strategy = Silent("a")
    strategy.initialize({})
    strategy.shutdown()
    assert (strategy.position, strategy.route, list(strategy.market_data)) == (0.0, "vote", ["book"])


def test_the_position_is_kept_from_the_fills_of_either_side() -> None:
    class Silent(BaseStrategy):
        def on_tick(self, data: MarketData) -> None:
            return None

    strategy = Silent("a")
    for side, quantity in (("buy", 3.0), ("sell", 5.0)):
        strategy.on_fill(Fill("1", "a", "BTC", side, 100.0, quantity, 0.0, 0))
    assert strategy.position == -2.0


def test_what_is_rounding_beside_the_largest_position_is_flat() -> None:
    class Silent(BaseStrategy):
        def on_tick(self, data: MarketData) -> None:
            return None

    strategy = Silent("a")
    strategy.on_fill(Fill("1", "a", "BTC", "buy", 100.0, 26.0, 0.0, 0))
    for _ in range(260):
        strategy.on_fill(Fill("2", "a", "BTC", "sell", 100.0, 0.1, 0.0, 0))
    assert strategy.position == 0.0


def test_hot_reload_is_initialize_unless_written() -> None:
    class Counting(BaseStrategy):
        seen: tuple[dict[str, Any], ...] = ()

        def initialize(self, config: dict[str, Any]) -> None:
            self.seen += (config,)

        def on_tick(self, data: MarketData) -> None:
            return None

    strategy = Counting("a")
    strategy.initialize({"x": 1})
    strategy.hot_reload({"x": 2})
    assert strategy.seen == ({"x": 1}, {"x": 2})


def test_a_signal_needs_no_more_than_direction_and_confidence() -> None:
    signal = Signal(direction="LONG", confidence=0.8)
    assert (signal.symbol, signal.size, signal.limit_price, signal.metadata) == ("", 0.0, None, None)


def test_a_plugin_record_needs_a_name_only() -> None:
    assert Plugin("mine") == Plugin("mine", "0.0.0", "")


DIRECT = """
from sengine.strategy import BaseStrategy, Signal

class Quoter(BaseStrategy):
    route = "direct"
    market_data = ("book", "trade")
    one_instance_per_symbol = False

    def on_tick(self, data):
        return [
            Signal(direction="LONG", confidence=0.9, limit_price=data.mid - 1),
            Signal(direction="SHORT", confidence=0.9, limit_price=data.mid + 1),
        ]

def create_strategy():
    return Quoter("quoter")
"""


def test_a_strategy_declares_its_route_its_data_and_its_instances(tmp_path: Path) -> None:
    path = tmp_path / "quoter.py"
    path.write_text(DIRECT)
    spec = strategy_spec(StrategyConfig(id="q", plugin="quoter"), load_plugin(path))
    assert (spec.route, list(spec.kinds), spec.one_instance_per_symbol) == ("direct", ["book", "trade"], False)
    (outcome,) = show(run_engine(path), 100.0)
    assert [(str(order.side), order.limit_price) for order in outcome.orders] == [("buy", 99.0), ("sell", 101.0)]


def test_the_configuration_overrides_what_a_strategy_declares(tmp_path: Path) -> None:
    path = tmp_path / "quoter.py"
    path.write_text(DIRECT)
    config = StrategyConfig(id="q", plugin="quoter", route="vote", data=["bar"], default_size=0.5)
    spec = strategy_spec(config, load_plugin(path))
    assert (spec.route, list(spec.kinds), spec.default_size) == ("vote", ["bar"], 0.5)
