"""A flatten that does not come to an end is told of once, and so is its end."""

from __future__ import annotations

from sengine.adapters.control.flatten_watch import TOLD_AFTER_S, FlattenWatch
from sengine.domain.events import Flatten
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.runtime.live_engine import LiveEngine
from tests.engine.conftest import Actor, engine_with, long, ns, quote, simulated_engine


def test_flatten_that_waits_is_told_once_and_so_is_its_end() -> None:
    live = LiveEngine(engine_with(Actor("a", long()), venue=SimulatedVenue(ns(1))))
    watch = FlattenWatch(live)
    for event in (quote(1), quote(2.5), Flatten()):
        live.process(event)
    live.logs.history.clear()
    for step in range(4):
        watch.look(step * TOLD_AFTER_S)
    assert [(line.level, line.event) for line in live.logs.history] == [
        ("warning", "the flatten of a BTC waits for the next book of BTC")
    ]
    live.logs.history.clear()
    live.process(quote(4))
    watch.look(99.0)
    watch.look(100.0)
    assert [line.event for line in live.logs.history] == ["the flatten of a BTC is over: 0 held"]


def test_flatten_that_is_done_at_once_is_not_told_of() -> None:
    live = LiveEngine(simulated_engine(Actor("a", long())))
    watch = FlattenWatch(live)
    for event in (quote(1), Flatten()):
        live.process(event)
    live.logs.history.clear()
    watch.look(0.0)
    watch.look(99.0)
    assert not live.logs.history
