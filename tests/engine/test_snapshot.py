"""The whole engine at one moment, as values."""

from __future__ import annotations

from sengine.adapters.control.strategy_state import snapshot
from sengine.domain.events import KillSwitch, PauseStrategy
from tests.engine.conftest import Actor, engine_with, fill, long, ns, quote, trade


def test_a_snapshot_shows_what_the_engine_did() -> None:
    engine = engine_with(Actor("a", long(0.9, 2.0), version="1.0.0+abc"), Actor("b", ValueError("bad day")))
    engine.process(quote(1, 99.0, 101.0))
    engine.process(fill("1", 0.5, 101.0))
    engine.process(quote(2, 101.0, 99.0))
    shot = snapshot(engine)
    assert (shot.now_ns, shot.ticks, shot.rejected, shot.kill_reason) == (ns(1), 1, {"crossed_book": 1}, "")
    assert (shot.signals, shot.dispositions, shot.orders_sent) == (1, {"passed": 1}, 1)
    assert (shot.realized_pnl, shot.unrealized_pnl) == (0.0, -0.5)
    (order,) = shot.orders
    assert (order.order_id, order.side, order.quantity, order.filled, order.strategy_ids) == (
        "1",
        "buy",
        2.0,
        0.5,
        ("a",),
    )
    (symbol,) = shot.symbols
    assert (symbol.symbol, symbol.bid, symbol.ask, symbol.last_ns) == ("BTC", 99.0, 101.0, ns(1))
    first, second = shot.strategies
    assert (first.strategy_id, first.position, first.signal_count, first.version) == ("a", 0.5, 1, "1.0.0+abc")
    assert (first.unrealized_pnl, first.last_signal_ns) == (-0.5, ns(1))
    assert (second.error_count, second.last_error, second.tick_count) == (1, "ValueError: bad day", 1)
    assert first.metadata["BTC"]["position"] == 0.5


def test_a_snapshot_does_not_change_with_the_engine() -> None:
    engine = engine_with(Actor("a", long()))
    engine.process(quote(1))
    engine.process(fill("1"))
    before = snapshot(engine)
    engine.process(quote(2, 199.0, 201.0))
    engine.process(PauseStrategy("a", "lunch"))
    engine.process(KillSwitch("stop"))
    assert (before.ticks, before.kill_reason, before.positions[0].mark_price) == (1, "", 100.0)
    after = snapshot(engine)
    assert (after.kill_reason, after.positions[0].mark_price) == ("stop", 200.0)
    state = after.strategies[0]
    assert (state.is_active, state.state, state.pause_reason) == (False, "PAUSED", "lunch")


def test_a_symbol_without_a_book_has_no_prices() -> None:
    engine = engine_with(Actor("a"))
    engine.process(trade(1))
    (symbol,) = snapshot(engine).symbols
    assert (symbol.bid, symbol.ask) == (0.0, 0.0)


def test_a_strategy_that_cannot_tell_its_state_shows_why() -> None:
    actor = Actor("a")
    engine = engine_with(actor)
    engine.process(quote(1))
    actor.instances[0].get_state = lambda: 1 / 0  # type: ignore[method-assign,assignment]
    (state,) = snapshot(engine).strategies
    assert state.metadata == {"BTC": {"error": "get_state failed: ZeroDivisionError: division by zero"}}
