"""``route: direct`` (semantics 2.6): strategies that own their orders, their limit quotes above all."""

from __future__ import annotations

import pytest

from sengine.domain.signal import Disposition
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.limits import ConfidenceLimit, PositionLimit
from sengine.engine.state.votes import VoteBook
from tests.engine.conftest import (
    Actor,
    close,
    endings,
    engine_with,
    long,
    ns,
    quote,
    sent,
    short,
    simulated_engine,
)

PASSED, OVERRULED, FILTERED = Disposition.PASSED, Disposition.OVERRULED, Disposition.FILTERED


def maker(*answers: object, strategy_id: str = "maker") -> Actor:
    return Actor(strategy_id, *answers, route="direct")


def limits(engine) -> list[tuple[str, float | None]]:
    """Side and limit of what is in flight, oldest first."""
    return [(str(working.order.side), working.order.limit_price) for working in engine.orders.open_orders()]


def test_a_direct_signal_is_its_own_order_and_no_vote() -> None:
    votes = VoteBook("unanimous", ns(5))
    engine = engine_with(maker(long(0.9, 2.0)), Actor("voter", short(0.9, 3.0)), votes=votes)
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("maker", PASSED), ("voter", PASSED)]
    assert sent(outcome) == [("buy", 2.0), ("sell", 3.0)]
    assert [vote.strategy_id for vote in votes.live()] == ["voter"]


def test_results_are_in_the_order_of_the_signals_whatever_their_route() -> None:
    engine = engine_with(Actor("voter", long()), maker(long()))
    outcome = engine.process(quote(1))
    assert [result.signal.sequence for result in outcome.signals] == [1, 2]
    assert endings(outcome) == [("voter", PASSED), ("maker", PASSED)]


def test_direct_signals_are_never_summed_or_overruled() -> None:
    engine = engine_with(maker(long(), strategy_id="a"), maker([short(), long()], strategy_id="b"))
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("a", PASSED), ("b", PASSED), ("b", PASSED)]
    assert sent(outcome) == [("buy", 1.0), ("sell", 1.0), ("buy", 1.0)]


def test_direct_signals_pass_the_risk_checks_with_their_own_confidence() -> None:
    engine = engine_with(maker([long(0.5), long(0.7)]), checks=[ConfidenceLimit(0.6)])
    assert endings(engine.process(quote(1))) == [("maker", FILTERED), ("maker", PASSED)]


def test_the_position_limit_counts_the_direct_orders_of_the_same_event() -> None:
    engine = engine_with(maker([long(size=6.0), long(size=6.0)]), checks=[PositionLimit(10.0)])
    assert endings(engine.process(quote(1))) == [("maker", PASSED), ("maker", FILTERED)]


def test_a_limit_price_makes_a_limit_order() -> None:
    engine = simulated_engine(maker([long(limit_price=98.0), short(limit_price=102.0)]))
    outcome = engine.process(quote(1))
    assert [(str(order.order_type), order.limit_price) for order in outcome.orders] == [
        ("limit", 98.0),
        ("limit", 102.0),
    ]
    assert outcome.fills == []


def test_a_new_limit_quote_replaces_the_old_one_on_its_side() -> None:
    actor = maker([long(limit_price=98.0), short(limit_price=102.0)], long(limit_price=97.0), short(limit_price=103.0))
    engine = simulated_engine(actor)
    engine.process(quote(1))
    outcome = engine.process(quote(2))
    assert outcome.cancels == ["1"]
    assert limits(engine) == [("sell", 102.0), ("buy", 97.0)]
    assert engine.process(quote(3)).cancels == ["2"]
    assert limits(engine) == [("buy", 97.0), ("sell", 103.0)]


def test_several_quotes_on_one_side_in_one_event_all_stay() -> None:
    layers = [long(limit_price=98.0), long(limit_price=97.0)]
    engine = simulated_engine(maker(layers, layers))
    engine.process(quote(1))
    assert engine.process(quote(2)).cancels == ["1", "2"]
    assert limits(engine) == [("buy", 98.0), ("buy", 97.0)]


def test_a_market_order_leaves_the_quotes_alone() -> None:
    engine = simulated_engine(maker(long(limit_price=98.0), long()))
    engine.process(quote(1))
    assert engine.process(quote(2)).cancels == []
    assert limits(engine) == [("buy", 98.0)]


def test_quotes_of_other_strategies_and_symbols_are_not_replaced() -> None:
    one = Actor("one", long(limit_price=98.0), None, long(limit_price=97.0), route="direct")
    engine = simulated_engine(one, maker(long(limit_price=96.0)))
    engine.process(quote(1, symbol="BTC"))
    engine.process(quote(1, symbol="ETH"))
    assert engine.process(quote(2, symbol="ETH")).cancels == []
    assert limits(engine) == [("buy", 98.0), ("buy", 96.0), ("buy", 97.0)]


@pytest.mark.parametrize(("opening", "side"), [(long(size=3.0), "sell"), (short(size=3.0), "buy")])
def test_a_close_with_a_limit_quotes_on_the_side_that_flattens(opening, side: str) -> None:
    limit, better = (110.0, 109.0) if side == "sell" else (90.0, 91.0)
    engine = simulated_engine(maker(opening, close(limit_price=limit), close(limit_price=better)))
    engine.process(quote(1))
    assert sent(engine.process(quote(2))) == [(side, 3.0)]
    assert limits(engine) == [(side, limit)]


def test_a_refused_quote_has_still_taken_the_old_one_down() -> None:
    engine = simulated_engine(
        maker(long(0.9, limit_price=98.0), long(0.1, limit_price=97.0)), checks=[ConfidenceLimit(0.6)]
    )
    engine.process(quote(1))
    outcome = engine.process(quote(2))
    assert (outcome.cancels, endings(outcome)) == (["1"], [("maker", FILTERED)])
    assert limits(engine) == []


def test_a_filled_quote_is_not_cancelled() -> None:
    engine = simulated_engine(maker(long(limit_price=98.0), long(limit_price=90.0)))
    engine.process(quote(1))
    outcome = engine.process(quote(2, 95.0, 97.0))
    assert [fill.price for fill in outcome.fills] == [98.0]
    assert outcome.cancels == []


def test_with_latency_quotes_that_were_replaced_do_not_pile_up() -> None:
    """One quote a millisecond, ten milliseconds of latency: what was replaced is gone ten milliseconds later."""
    actor = maker(*[long(limit_price=50.0)] * 100)
    engine = engine_with(actor, venue=SimulatedVenue(latency_ns=10_000_000))
    for tick in range(100):
        engine.process(quote(tick / 1_000))
    assert len(list(engine.orders.open_orders())) <= 12


def test_an_order_is_asked_to_cancel_once() -> None:
    engine = engine_with(maker(*[long(limit_price=50.0)] * 3))
    cancels = [engine.process(quote(at_s)).cancels for at_s in range(3)]
    assert cancels == [[], ["1"], ["2"]]
