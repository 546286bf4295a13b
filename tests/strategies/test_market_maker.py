"""Two-sided quotes with inventory skew (semantics, section 8)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.assembly import strategy_spec
from sengine.config.schema import StrategyConfig
from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.plugins.loader import load_plugin
from sengine.resources import resource_path
from sengine.strategy import Signal
from tests.strategies.conftest import bench, show


def quotes_at(position: float, mid: float = 100.0, **config: float) -> dict[str, Signal]:
    strategy = bench("market_maker", **config)
    strategy.strategy.position = position
    return {signal.direction: signal for signal in show(strategy, mid)}


def test_it_quotes_both_sides_around_mid() -> None:
    quotes = quotes_at(0.0, spread=0.01, target_size=0.25, max_position=1.0)
    assert quotes["LONG"].limit_price == pytest.approx(99.5, rel=1e-12)
    assert quotes["SHORT"].limit_price == pytest.approx(100.5, rel=1e-12)
    assert [quote.size for quote in quotes.values()] == [0.25, 0.25]


@given(
    st.floats(1.0, 1e5),
    st.floats(0.0001, 0.1),
    st.floats(0.1, 2.0),
    st.floats(1.0, 10.0),
    st.floats(-1.0, 1.0),
)
def test_quotes_are_half_a_spread_around_a_mid_that_leans_against_the_inventory(
    mid: float, spread: float, size: float, largest: float, part: float
) -> None:
    position = part * largest
    quotes = quotes_at(position, mid, spread=spread, target_size=size, max_position=largest)
    leaning = mid * (1 - spread / 2 * position / largest)
    expected = {}
    if abs(position + size) <= largest:
        expected["LONG"] = leaning - mid * spread / 2
    if abs(position - size) <= largest:
        expected["SHORT"] = leaning + mid * spread / 2
    assert {direction: quote.limit_price for direction, quote in quotes.items()} == pytest.approx(expected, rel=1e-9)


def test_long_inventory_moves_both_quotes_down_and_short_inventory_up() -> None:
    prices = [
        [quote.limit_price for quote in quotes_at(position, spread=0.01, max_position=5.0).values()]
        for position in (3.0, 0.0, -3.0)
    ]
    assert prices[0] < prices[1] < prices[2]
    assert prices[0][1] < prices[1][1] < prices[2][1]


@pytest.mark.parametrize(
    ("position", "sides"),
    [
        (0.0, ["LONG", "SHORT"]),
        (4.0, ["LONG", "SHORT"]),
        (4.5, ["SHORT"]),
        (5.0, ["SHORT"]),
        (-4.5, ["LONG"]),
        (-5.0, ["LONG"]),
    ],
)
def test_a_side_that_would_take_the_position_over_its_limit_is_not_quoted(position: float, sides: list[str]) -> None:
    assert list(quotes_at(position, target_size=1.0, max_position=5.0)) == sides


def test_the_defaults_are_a_spread_of_a_tenth_of_a_percent_size_1_and_position_5() -> None:
    strategy = bench("market_maker")
    assert strategy.strategy.get_state() == {
        "strategy_id": "market_maker",
        "is_active": True,
        "position": 0.0,
        "spread": 0.001,
        "target_size": 1.0,
        "max_position": 5.0,
    }


def test_in_the_engine_it_keeps_one_quote_a_side_and_trades_both_ways() -> None:
    config = {"spread": 0.01, "target_size": 1.0, "max_position": 2.0}
    plugin = load_plugin(resource_path("strategies", "market_maker.py"))
    engine = Engine(VoteBook("unanimous", 1), RiskPipeline([]), Portfolio(1e5), SimulatedVenue())
    engine.registry.load(strategy_spec(StrategyConfig(id="maker", plugin="market_maker", config=config), plugin))
    sides: list[str] = []
    held = []
    for at_ns, mid in enumerate([100.0, 100.0, 98.0, 96.0, 94.0, 96.0, 98.0, 100.0, 102.0, 104.0]):
        book = OrderBook((PriceLevel(mid - 0.1, 1.0),), (PriceLevel(mid + 0.1, 1.0),))
        outcome = engine.process(BookEvent("BTC", at_ns, book))
        sides += [str(fill.side) for fill in outcome.fills]
        held.append(engine.portfolio.quantity("maker", "BTC"))
        open_sides = [str(working.order.side) for working in engine.orders.open_orders()]
        assert len(open_sides) == len(set(open_sides))
        assert open_sides == [] or all(working.order.limit_price for working in engine.orders.open_orders())
    assert {"buy", "sell"} == set(sides)
    assert max(map(abs, held)) == 2.0
    assert engine.registry.get("maker").errors == {}
