"""``self.in_flight``: what a strategy's open orders may still fill, read by the strategy itself."""

from __future__ import annotations

from typing import Any

import msgspec

from sengine.domain.events import CancelOrder, UnloadStrategy
from sengine.domain.order import OrderStatus, OrderUpdate
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint, restore
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.strategies.spec import LoadStrategy
from sengine.engine.strategies.swap import SwapStrategy, Warmed
from sengine.strategy import BaseStrategy
from tests.engine.conftest import Actor, engine_with, fill, long, ns, quote, short, simulated_engine


class Watching(Actor):
    """Notes what its instance sees as in flight, on each tick and on each fill."""

    def __init__(self, *answers: object, **rest: Any) -> None:
        super().__init__("a", *answers, on_fill=lambda share: self.on_fills.append(self.now), **rest)
        self.on_fills: list[float] = []

    @property
    def now(self) -> float:
        return self.instances[-1].in_flight


def test_an_order_is_in_flight_from_its_tick_on_until_it_has_filled() -> None:
    actor = Watching(long(size=3.0))
    engine = engine_with(actor)
    engine.process(quote(1))
    assert actor.now == 3.0
    engine.process(fill("1", 1.0, fill_id="f1"))
    assert (actor.on_fills, actor.now, actor.instances[0].position) == ([2.0], 2.0, 1.0)
    engine.process(fill("1", 2.0, fill_id="f2"))
    assert (actor.on_fills, actor.now) == ([2.0, 0.0], 0.0)


def test_without_latency_nothing_is_ever_in_flight_but_what_rests() -> None:
    actor = Watching(long(), short(size=2.0, limit_price=110.0), route="direct")
    engine = simulated_engine(actor)
    engine.process(quote(1))
    assert (actor.on_fills, actor.now) == ([0.0], 0.0)
    engine.process(quote(2))
    assert actor.now == -2.0
    engine.process(CancelOrder("2"))
    assert actor.now == 0.0


def test_with_latency_it_is_there_until_the_fill_comes() -> None:
    actor = Watching(long())
    engine = engine_with(actor, venue=SimulatedVenue(ns(2)))
    seen = []
    for at_s in (1, 2, 3, 4):
        engine.process(quote(at_s))
        seen.append((actor.instances[0].position, actor.now))
    assert seen == [(0.0, 1.0), (0.0, 1.0), (1.0, 0.0), (1.0, 0.0)]


def test_a_rejected_order_is_not_in_flight_and_one_being_cancelled_is() -> None:
    actor = Watching([long(), short(limit_price=110.0)], route="direct")
    engine = engine_with(actor)
    engine.process(quote(1))
    engine.process(OrderUpdate("1", OrderStatus.REJECTED, 0, "no"))
    engine.process(CancelOrder("2"))
    assert actor.now == -1.0
    engine.process(OrderUpdate("2", OrderStatus.CANCELLED, 0))
    assert actor.now == 0.0


def test_each_symbol_has_its_own_and_an_instance_of_all_the_sum() -> None:
    answers = [long(size=2.0), short(size=0.5, symbol="ETH")]
    apart, together = Watching(), Actor("b", answers, one_instance_per_symbol=False, route="direct")
    engine = engine_with(apart, together)
    engine.process(quote(1, symbol="ETH"))
    together.says(answers)
    apart.says(long(size=3.0))
    engine.process(quote(2))
    assert [each.in_flight for each in apart.instances] == [0.0, 3.0]
    assert together.instances[0].in_flight == 2.0 - 0.5 + 2.0 - 0.5


def test_what_others_have_in_flight_is_theirs() -> None:
    one, other = Watching(), Actor("b", long())
    engine = engine_with(one, other)
    engine.process(quote(1))
    assert (one.now, other.instances[0].in_flight) == (0.0, 1.0)


def test_new_code_a_strategy_loaded_again_and_a_restart_know_what_is_in_flight() -> None:
    actor, later, again, restarted = Watching(long()), Watching(), Watching(), Watching()
    engine = engine_with(actor)
    engine.process(quote(1))
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(checkpoint(engine), enc_hook=repr), type=Checkpoint)
    engine.process(SwapStrategy(later.spec, {"BTC": Warmed()}, rollback_ticks=5))
    assert (later.now, actor.now) == (1.0, 1.0)
    engine.process(UnloadStrategy("a"))
    engine.process(LoadStrategy(again.spec))
    engine.process(quote(2))
    assert again.now == 1.0
    second = engine_with(restarted)
    restore(second, state)
    second.process(quote(2))
    assert restarted.now == 1.0


def test_outside_of_an_engine_it_is_nothing_and_a_strategy_may_keep_one_of_its_own() -> None:
    class Own(BaseStrategy):
        def on_tick(self, data: object) -> None:
            return None

    strategy = Own("a")
    assert strategy.in_flight == 0.0
    strategy.in_flight = 7.0  # type: ignore[assignment, misc]
    assert strategy.in_flight == 7.0
