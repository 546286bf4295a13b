"""Steps 6 to 10 for ``route: vote`` (semantics, section 2): vote, contributions, risk, one order a side, send."""

from __future__ import annotations

import pytest

from sengine.domain.order import Contribution, OrderType
from sengine.domain.signal import Disposition
from sengine.engine.risk.limits import ConfidenceLimit, DrawdownLimit, OrderQuantityLimit, PositionLimit
from sengine.engine.state.votes import VoteBook
from tests.engine.conftest import (
    Actor,
    close,
    endings,
    engine_with,
    fill,
    long,
    ns,
    quote,
    sent,
    short,
    simulated_engine,
)

PASSED, OVERRULED, FILTERED, NO_CHANGE = (
    Disposition.PASSED,
    Disposition.OVERRULED,
    Disposition.FILTERED,
    Disposition.NO_CHANGE,
)


def test_the_signals_of_one_event_are_aggregated_once_after_all_strategies_ran() -> None:
    engine = engine_with(Actor("a", long(1.0, 2.0)), Actor("b", short(0.2)), Actor("c", long(1.0, 3.0)))
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("a", PASSED), ("b", OVERRULED), ("c", PASSED)]
    assert sent(outcome) == [("buy", 5.0)]


def test_votes_last_for_the_window_and_sizes_are_executed_once() -> None:
    lasting, late = Actor("lasting", long(1.0, 7.0)), Actor("late")
    engine = engine_with(lasting, late)
    assert sent(engine.process(quote(1))) == [("buy", 7.0)]
    late.says(long(0.5, 2.0))
    outcome = engine.process(quote(3))
    assert sent(outcome) == [("buy", 2.0)]
    assert outcome.orders[0].contributions == (Contribution("late", 2.0, 2),)


def test_an_earlier_vote_within_the_window_can_overrule_a_new_signal() -> None:
    strong, weak = Actor("strong", long(1.0)), Actor("weak")
    engine = engine_with(strong, weak)
    engine.process(quote(1))
    weak.says(short(0.25), short(0.25))
    assert endings(engine.process(quote(5.9))) == [("weak", OVERRULED)]
    assert endings(engine.process(quote(6.0))) == [("weak", PASSED)]


def test_an_event_without_a_new_vote_decides_nothing() -> None:
    actor = Actor("a", long())
    engine = engine_with(actor)
    engine.process(quote(1))
    outcome = engine.process(quote(2))
    assert (outcome.signals, outcome.orders) == ([], [])


def test_a_tied_vote_trades_nothing_and_overrules_the_new_signals() -> None:
    engine = engine_with(Actor("a", long(0.5)), Actor("b", short(0.5)), method="majority_vote")
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("a", OVERRULED), ("b", OVERRULED)]
    assert outcome.orders == []


@pytest.mark.parametrize(
    ("method", "expected"),
    [("majority_vote", "sell"), ("weighted_average", "none"), ("unanimous", "none"), ("first_signal", "buy")],
)
def test_the_configured_method_decides(method: str, expected: str) -> None:
    first, second = Actor("first", long(0.5)), Actor("second")
    engine = engine_with(first, second, method=method)
    engine.process(quote(1))
    first.says(long(0.5))
    engine.process(quote(2))
    second.says(short(0.6))
    first.says(long(0.5))
    orders = sent(engine.process(quote(3)))
    assert [side for side, _ in orders] == [] if expected == "none" else [expected]


def test_the_confidence_check_looks_at_the_confidence_of_the_decision() -> None:
    engine = engine_with(Actor("sure", long(1.0)), Actor("unsure", long(0.4)), checks=[ConfidenceLimit(0.65)])
    assert endings(engine.process(quote(1))) == [("sure", PASSED), ("unsure", PASSED)]
    engine = engine_with(Actor("sure", long(1.0)), Actor("unsure", long(0.2)), checks=[ConfidenceLimit(0.65)])
    assert endings(engine.process(quote(1))) == [("sure", FILTERED), ("unsure", FILTERED)]


def test_a_filtered_signal_says_which_check_refused_it_and_why() -> None:
    engine = engine_with(Actor("a", long(0.3)), checks=[ConfidenceLimit(0.6)])
    (result,) = engine.process(quote(1)).signals
    assert (result.disposition, result.check, result.code) == (FILTERED, "confidence", "below_min_confidence")
    assert "0.3" in result.reason
    assert (engine.dispositions, engine.filtered_by) == ({FILTERED: 1}, {"confidence": 1})


def test_a_refused_contribution_leaves_the_sum_and_the_rest_goes_on() -> None:
    large, small = Actor("large", long(0.9, 11.0)), Actor("small", long(0.9, 2.0))
    engine = engine_with(large, small, checks=[PositionLimit(10.0)])
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("large", FILTERED), ("small", PASSED)]
    assert sent(outcome) == [("buy", 2.0)]


def test_the_position_limit_counts_what_is_in_flight() -> None:
    actor = Actor("a", long(size=6.0), long(size=6.0))
    engine = engine_with(actor, checks=[PositionLimit(10.0)])
    assert endings(engine.process(quote(1))) == [("a", PASSED)]
    assert engine.portfolio.quantity("a", "BTC") == 0.0
    assert endings(engine.process(quote(2))) == [("a", FILTERED)]


def test_the_position_limit_is_for_each_strategy_and_symbol() -> None:
    engine = engine_with(Actor("a", *[long(size=6.0)] * 2), Actor("b", long(size=6.0)), checks=[PositionLimit(10.0)])
    assert endings(engine.process(quote(1, symbol="BTC"))) == [("a", PASSED), ("b", PASSED)]
    assert endings(engine.process(quote(1, symbol="ETH"))) == [("a", PASSED)]


def test_the_drawdown_of_one_strategy_does_not_stop_another() -> None:
    loser, other = Actor("loser", long(size=10.0), long()), Actor("other", None, long())
    engine = simulated_engine(loser, other, checks=[DrawdownLimit(0.2)], capital=1_000.0)
    engine.process(quote(1, 99.0, 101.0))
    assert endings(engine.process(quote(2, 74.0, 76.0))) == [("loser", FILTERED), ("other", PASSED)]


def test_the_drawdown_check_stops_a_strategy_that_lost_too_much_and_lets_it_reduce() -> None:
    actor = Actor("a", long(size=10.0), None, long(), close())
    engine = simulated_engine(actor, checks=[DrawdownLimit(0.2)], capital=1_000.0)
    engine.process(quote(1, 99.0, 101.0))
    engine.process(quote(2, 79.0, 81.0))
    assert engine.portfolio.equity_of("a").equity == -210.0
    outcome = engine.process(quote(3, 79.0, 81.0))
    assert [(result.disposition, result.check) for result in outcome.signals] == [(FILTERED, "drawdown")]
    assert sent(engine.process(quote(4, 79.0, 81.0))) == [("sell", 10.0)]


def test_a_refused_order_filters_every_contribution_in_it() -> None:
    engine = engine_with(Actor("a", long(0.9, 3.0)), Actor("b", long(0.9, 2.0)), checks=[OrderQuantityLimit(4.0)])
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("a", FILTERED), ("b", FILTERED)]
    assert {result.check for result in outcome.signals} == {"max_order_quantity"}
    assert "5 BTC" in outcome.signals[0].reason
    assert (outcome.orders, engine.orders_sent) == ([], 0)
    assert engine.filtered_by == {"max_order_quantity": 2}


@pytest.mark.parametrize(("direction", "side"), [(long, "buy"), (short, "sell")])
def test_contributions_of_one_side_are_summed_into_one_market_order(direction, side: str) -> None:
    engine = engine_with(Actor("a", direction(0.9, 1.5)), Actor("b", direction(0.9, 0.5)))
    outcome = engine.process(quote(1))
    assert sent(outcome) == [(side, 2.0)]
    (order,) = outcome.orders
    sign = 1.0 if side == "buy" else -1.0
    assert order.contributions == (Contribution("a", sign * 1.5, 1), Contribution("b", sign * 0.5, 2))
    assert (order.order_type, order.symbol, order.timestamp_ns) == (OrderType.MARKET, "BTC", ns(1))


def opened(*sizes: float, **rest) -> tuple[list[Actor], object]:
    """Strategies that hold these signed quantities, bought and sold one after the other."""
    actors = [Actor(f"s{place}") for place in range(len(sizes))]
    engine = simulated_engine(*actors, window_s=0.5, **rest)
    for at_s, (actor, size) in enumerate(zip(actors, sizes, strict=True)):
        actor.says(*[None] * at_s, long(size=size) if size > 0 else short(size=-size) if size < 0 else None)
    for at_s in range(len(sizes)):
        engine.process(quote(at_s))
    assert [engine.portfolio.quantity(actor.strategy_id, "BTC") for actor in actors] == list(sizes)
    return actors, engine


def test_close_trades_away_the_position_of_its_own_strategy() -> None:
    (first, second), engine = opened(3.0, -2.0)
    first.says(close())
    assert sent(engine.process(quote(10))) == [("sell", 3.0)]
    second.says(close())
    assert sent(engine.process(quote(20))) == [("buy", 2.0)]
    assert [engine.portfolio.quantity(name, "BTC") for name in ("s0", "s1")] == [0.0, 0.0]


def test_one_event_leads_to_at_most_one_buy_and_one_sell() -> None:
    actors, engine = opened(3.0, -2.0, 1.0, -4.0)
    for actor in actors:
        actor.says(close())
    outcome = engine.process(quote(10))
    assert sent(outcome) == [("buy", 6.0), ("sell", 4.0)]
    assert [result.disposition for result in outcome.signals] == [PASSED] * 4
    assert engine.portfolio.open == {}


def test_close_counts_what_is_in_flight() -> None:
    actor = Actor("a", long(size=3.0), close(), close())
    engine = engine_with(actor)
    engine.process(quote(1))
    assert sent(engine.process(quote(2))) == [("sell", 3.0)]
    engine.process(fill("1", 3.0))
    assert endings(engine.process(quote(3))) == [("a", NO_CHANGE)]


def test_close_when_flat_is_no_change() -> None:
    engine = engine_with(Actor("a", close()), checks=[ConfidenceLimit(1.0)])
    outcome = engine.process(quote(1))
    assert endings(outcome) == [("a", NO_CHANGE)]
    assert outcome.orders == []


def test_two_signals_of_one_strategy_in_one_event_are_one_vote_and_both_contribute() -> None:
    votes = VoteBook("majority_vote", ns(5))
    engine = engine_with(Actor("a", [long(0.9, 6.0), long(0.7, 6.0)]), checks=[PositionLimit(10.0)], votes=votes)
    outcome = engine.process(quote(1))
    # The second one is reviewed with the first one counted in.
    assert endings(outcome) == [("a", PASSED), ("a", FILTERED)]
    assert sent(outcome) == [("buy", 6.0)]
    assert [vote.confidence for vote in votes.live()] == [0.7]


def test_two_closes_in_one_event_close_once() -> None:
    (actor,), engine = opened(3.0)
    actor.says([close(), close()])
    outcome = engine.process(quote(10))
    assert endings(outcome) == [("s0", PASSED), ("s0", NO_CHANGE)]
    assert sent(outcome) == [("sell", 3.0)]


def test_votes_on_two_symbols_are_two_decisions() -> None:
    actor = Actor("a", [long(symbol="BTC"), short(symbol="ETH")], one_instance_per_symbol=False)
    outcome = engine_with(actor).process(quote(1))
    assert [(order.symbol, str(order.side)) for order in outcome.orders] == [("BTC", "buy"), ("ETH", "sell")]
    assert endings(outcome) == [("a", PASSED), ("a", PASSED)]


def test_order_ids_count_up_and_carry_the_prefix_of_the_session() -> None:
    engine = engine_with(Actor("a", long(), long()), order_prefix="s7-")
    ids = [order.order_id for at_s in (1, 2) for order in engine.process(quote(at_s)).orders]
    assert ids == ["s7-1", "s7-2"]


def test_a_sent_order_is_in_flight_until_it_fills() -> None:
    engine = engine_with(Actor("a", long(size=3.0)), Actor("b", long(size=1.0)))
    engine.process(quote(1))
    assert engine.orders.in_flight("a", "BTC") == 3.0
    assert engine.orders.in_flight("b", "BTC") == 1.0
    engine.process(fill("1", 2.0))
    assert engine.orders.in_flight("a", "BTC") == 1.5
    engine.process(fill("1", 2.0, at_s=2))
    assert engine.orders.in_flight("a", "BTC") == 0.0


def test_a_bypassed_check_is_left_out() -> None:
    engine = engine_with(Actor("a", long(0.1)), checks=[ConfidenceLimit(0.6)], bypass=["confidence"])
    assert endings(engine.process(quote(1))) == [("a", PASSED)]


def test_an_overruled_signal_says_what_the_vote_was_and_whose() -> None:
    actors = [Actor(name) for name in ("ema", "momentum", "stopper")]
    engine = engine_with(*actors)
    for actor, word in zip(actors, (long(0.7), long(0.9), close()), strict=True):
        actor.says(word)
    (*_, overruled) = engine.process(quote(1)).signals
    assert (overruled.disposition, overruled.check) == (OVERRULED, "")
    assert overruled.reason == "the vote is LONG 0.80: LONG of ema, momentum against CLOSE of stopper"


def test_a_vote_that_decides_nothing_is_told_as_undecided_and_many_names_are_cut() -> None:
    actors = [Actor(f"s{number}") for number in range(8)]
    engine = engine_with(*actors, method="unanimous")
    for number, actor in enumerate(actors):
        actor.says(long(0.5) if number else close())
    overruled, *_ = engine.process(quote(1)).signals
    assert overruled.reason == "the vote is undecided: CLOSE of s0 against LONG of s1, s2, s3, s4, s5 and 2 more"


def test_a_close_of_what_is_held_that_is_overruled_is_told_once_and_counted() -> None:
    stopper, other = Actor("stopper"), Actor("other")
    engine = simulated_engine(stopper, other)
    stopper.says(long(0.7))
    engine.process(quote(1))
    told = []
    for at_s in (2, 3, 4):
        stopper.says(close())
        other.says(long(0.9))
        told += engine.process(quote(at_s)).notices
    assert engine.state.overruled_closes == {("stopper", "BTC"): 3}
    (sentence,) = told
    assert sentence.startswith("stopper holds 1 BTC, and its CLOSE is overruled: the vote is LONG")
    assert "set route: direct" in sentence


def test_a_close_without_a_position_that_is_overruled_is_nothing_to_tell() -> None:
    stopper, other = Actor("stopper"), Actor("other")
    engine = engine_with(stopper, other)
    stopper.says(close())
    other.says(long(0.9))
    assert not engine.process(quote(1)).notices
    assert not engine.state.overruled_closes
