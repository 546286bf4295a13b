"""The kill switch: nothing goes out until a person re-arms, and what is open is asked to cancel."""

from __future__ import annotations

from sengine.domain.events import KillSwitch, Rearm, Shutdown
from sengine.domain.signal import Disposition
from tests.engine.conftest import Actor, close, endings, engine_with, fill, long, quote, simulated_engine


def test_a_pulled_switch_filters_what_would_be_sent() -> None:
    actor, maker = Actor("a"), Actor("maker", route="direct")
    engine = engine_with(actor, maker)
    engine.process(KillSwitch("fat finger"))
    assert engine.kill_reason == "fat finger"
    actor.says(long())
    maker.says(long())
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("a", Disposition.FILTERED), ("maker", Disposition.FILTERED)]
    assert (outcome.orders, engine.orders_sent, engine.filtered_by) == ([], 0, {"kill_switch": 2})
    assert all("fat finger" in result.reason for result in outcome.signals)


def test_strategies_still_see_the_market_and_their_fills() -> None:
    actor = Actor("a", long())
    engine = engine_with(actor)
    engine.process(quote(1))
    engine.process(KillSwitch())
    engine.process(fill("1"))
    engine.process(quote(2))
    assert (len(actor.seen), len(actor.fills)) == (2, 1)
    assert engine.portfolio.quantity("a", "BTC") == 1.0


def test_a_kill_without_a_reason_is_still_a_kill() -> None:
    engine = engine_with(Actor("a", long()))
    engine.process(KillSwitch(""))
    assert engine.process(quote(1)).orders == []


def test_what_is_open_is_cancelled() -> None:
    maker = Actor("maker", [long(limit_price=90.0), long(limit_price=80.0)], route="direct")
    engine = simulated_engine(maker)
    engine.process(quote(1))
    outcome = engine.process(KillSwitch("stop"))
    assert outcome.cancels == ["1", "2"]
    assert outcome.notices == ["kill switch pulled: stop; 2 orders to cancel"]
    assert list(engine.orders.open_orders()) == []


def test_rearming_lets_orders_out_again() -> None:
    actor = Actor("a")
    engine = engine_with(actor)
    engine.process(KillSwitch("stop"))
    assert engine.process(Rearm()).notices == ["re-armed; the kill switch had been pulled: stop"]
    assert engine.kill_reason == ""
    actor.says(long())
    assert len(engine.process(quote(1)).orders) == 1
    assert engine.process(Rearm()).notices == []


def test_shutdown_cancels_what_is_open_when_asked_to() -> None:
    for asked, cancels in ((False, []), (True, ["1"])):
        engine = simulated_engine(Actor("maker", long(limit_price=90.0), route="direct"))
        engine.process(quote(1))
        assert engine.process(Shutdown(cancel_orders=asked)).cancels == cancels


def test_a_close_is_not_let_through_either() -> None:
    engine = simulated_engine(Actor("a", long(), close()))
    engine.process(quote(1))
    engine.process(KillSwitch())
    assert endings(engine.process(quote(2))) == [("a", Disposition.FILTERED)]
