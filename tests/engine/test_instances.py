"""Which instance of a strategy trades a symbol."""

from __future__ import annotations

from tests.engine.conftest import Actor, engine_with, fill, long, quote


def test_there_is_one_instance_per_symbol() -> None:
    actor = Actor("a", long(), long())
    engine = engine_with(actor)
    engine.process(quote(1, symbol="BTC"))
    engine.process(quote(1, symbol="ETH"))
    engine.process(quote(2, symbol="BTC"))
    assert len(actor.instances) == 2
    engine.process(fill("1", 2.0, symbol="BTC"))
    engine.process(fill("2", 3.0, symbol="ETH"))
    assert [instance.position for instance in actor.instances] == [2.0, 3.0]


def test_the_instance_that_loading_made_is_the_first_symbols() -> None:
    actor = Actor("a")
    engine = engine_with(actor)
    (loaded,) = actor.instances
    engine.process(quote(1))
    assert actor.instances == [loaded]
    assert engine.registry.get("a").instances == {"BTC": loaded}


def test_a_strategy_of_several_symbols_can_have_one_instance_for_all() -> None:
    actor = Actor("pairs", long(symbol="ETH"), symbols=("BTC", "ETH"), one_instance_per_symbol=False)
    engine = engine_with(actor)
    engine.process(quote(1, symbol="BTC"))
    engine.process(quote(1, symbol="ETH"))
    (instance,) = actor.instances
    assert [data.symbol for data in actor.seen] == ["BTC", "ETH"]
    engine.process(fill("1", 2.0, symbol="ETH"))
    assert instance.position == 2.0
    assert engine.portfolio.quantity("pairs", "ETH") == 2.0


def test_an_order_for_another_symbol_meets_that_symbols_book() -> None:
    from sengine.engine.orders.simulated_venue import SimulatedVenue

    actor = Actor("pairs", None, long(symbol="ETH"), symbols=("BTC", "ETH"), one_instance_per_symbol=False)
    engine = engine_with(actor, venue=SimulatedVenue())
    engine.process(quote(1, 9.0, 11.0, "ETH"))
    outcome = engine.process(quote(2, 99.0, 101.0, "BTC"))
    assert [(report.symbol, report.price) for report in outcome.fills] == [("ETH", 11.0)]


def test_the_star_is_every_symbol_that_comes() -> None:
    actor = Actor("a", symbols=("*",))
    engine = engine_with(actor)
    for symbol in ("BTC", "ETH", "DOGE"):
        assert engine.process(quote(1, symbol=symbol)).rejected == ""
    assert set(engine.registry.get("a").instances) == {"BTC", "ETH", "DOGE"}


def test_no_instance_is_made_for_a_symbol_that_the_strategy_does_not_want() -> None:
    one, every = Actor("one", symbols=("BTC",)), Actor("every")
    engine = engine_with(one, every)
    engine.process(quote(1, symbol="ETH"))
    engine.process(quote(1, symbol="BTC"))
    assert set(engine.registry.get("one").instances) == {"BTC"}
