"""A CLOSE withdraws what rests and then flattens; what fills of it all the same is traded back."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.events import Flatten, KillSwitch
from sengine.domain.order import OrderStatus, OrderUpdate
from sengine.domain.signal import Disposition
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint, restore
from sengine.engine.checkpoint.follower import Follower, Happened
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.limits import ConfidenceLimit, SelfCrossLimit
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

PASSED, FILTERED, NO_CHANGE = Disposition.PASSED, Disposition.FILTERED, Disposition.NO_CHANGE


def direct(*answers: object) -> Actor:
    return Actor("a", *answers, route="direct")


def held(engine: Engine) -> float:
    return engine.portfolio.quantity("a", "BTC")


def with_take_profit(*then: object, **rest: Any) -> tuple[Actor, Engine]:
    """An engine whose strategy is long 1 and has a sell of 1 resting (order 2); without a venue, as live."""
    actor = direct(long(), short(limit_price=110.0), *then)
    engine = engine_with(actor, **rest)
    engine.process(quote(1))
    engine.process(fill("1", fill_id="f1"))
    engine.process(quote(2))
    return actor, engine


def test_a_close_withdraws_the_take_profit_and_sells_the_position() -> None:
    engine = simulated_engine(direct(long(), short(limit_price=110.0), close()))
    engine.process(quote(1))
    engine.process(quote(2))
    outcome = engine.process(quote(3))
    assert (endings(outcome), outcome.cancels, sent(outcome)) == ([("a", PASSED)], ["2"], [("sell", 1.0)])
    assert (held(engine), engine.orders.count, outcome.withdrawn) == (0.0, 0, {})


def test_a_close_that_votes_withdraws_what_its_strategy_left_resting() -> None:
    actor, engine = with_take_profit()
    runtime = engine.registry.get("a")
    runtime.become(
        runtime.current.described_as(msgspec.structs.replace(runtime.spec, route="vote"), dict(runtime.config))
    )
    actor.says(close())
    outcome = engine.process(quote(3))
    assert (outcome.cancels, sent(outcome)) == (["2"], [("sell", 1.0)])


@pytest.mark.parametrize("entry", [long(limit_price=90.0), short(limit_price=110.0)])
def test_when_flat_a_close_withdraws_an_entry_and_changes_nothing_else(entry) -> None:
    engine = simulated_engine(direct(entry, close()))
    engine.process(quote(1))
    outcome = engine.process(quote(2))
    assert (endings(outcome), outcome.cancels, outcome.orders) == ([("a", NO_CHANGE)], ["1"], [])


def test_a_close_leaves_the_orders_of_other_strategies_and_symbols_alone() -> None:
    actor, other = direct(long(limit_price=90.0)), Actor("b", long(limit_price=91.0), route="direct")
    engine = simulated_engine(actor, other)
    engine.process(quote(1))
    actor.says(long(limit_price=92.0), close(symbol="ETH"))
    engine.process(quote(2, symbol="ETH"))
    assert engine.process(quote(3, symbol="ETH")).cancels == ["3"]
    assert [each.order.order_id for each in engine.orders.open_orders()] == ["1", "2"]


def test_a_close_with_a_limit_replaces_the_one_before_although_that_is_still_being_cancelled() -> None:
    _, engine = with_take_profit(close(limit_price=105.0), close(limit_price=104.0))
    assert sent(engine.process(quote(3))) == [("sell", 1.0)]
    outcome = engine.process(quote(4))
    assert (endings(outcome), outcome.cancels, sent(outcome)) == ([("a", PASSED)], ["3"], [("sell", 1.0)])


def test_what_the_same_answer_sent_before_a_close_stays_and_counts() -> None:
    engine = simulated_engine(direct(long(), [short(limit_price=110.0), close()]))
    engine.process(quote(1))
    outcome = engine.process(quote(2))
    assert (endings(outcome), outcome.cancels) == ([("a", PASSED), ("a", NO_CHANGE)], [])


def test_a_close_that_a_check_refuses_withdraws_nothing() -> None:
    _, engine = with_take_profit(close(0.1), checks=[ConfidenceLimit(0.6)])
    outcome = engine.process(quote(3))
    assert (endings(outcome), outcome.cancels) == ([("a", FILTERED)], [])


def test_a_withdrawn_entry_does_not_stand_in_the_way_of_the_close() -> None:
    engine = simulated_engine(direct(long(), long(limit_price=99.0), close()), checks=[SelfCrossLimit()])
    engine.process(quote(1))
    engine.process(quote(2, 99.5, 101.0))
    assert endings(engine.process(quote(3, 99.0, 101.0))) == [("a", PASSED)]
    assert held(engine) == 0.0


def test_a_second_close_before_any_news_changes_nothing() -> None:
    _, engine = with_take_profit(close(), close())
    assert sent(engine.process(quote(3))) == [("sell", 1.0)]
    outcome = engine.process(quote(4))
    assert (endings(outcome), outcome.cancels, outcome.orders) == ([("a", NO_CHANGE)], [], [])


@pytest.mark.parametrize("order", [("2", "3"), ("3", "2")])
def test_a_take_profit_that_fills_while_it_is_cancelled_is_bought_back_whatever_fills_first(order) -> None:
    _, engine = with_take_profit(close())
    outcome = engine.process(quote(3))
    assert (outcome.withdrawn, sent(outcome)) == ({"2": 3}, [("sell", 1.0)])
    outcomes = [engine.process(fill(each, side="sell", fill_id=f"f{each}")) for each in order]
    assert sorted(each for outcome in outcomes for each in sent(outcome)) == [("buy", 1.0)]
    notices = [notice for outcome in outcomes for notice in outcome.notices]
    assert notices == ["order 2 of a filled 1 BTC after a CLOSE had withdrawn it; buys 1 instead"]
    assert held(engine) == -1.0
    engine.process(fill("4", side="buy", fill_id="f4"))
    assert held(engine) == 0.0


def test_an_entry_that_fills_in_part_while_it_is_cancelled_is_sold_again() -> None:
    engine = engine_with(direct(long(size=2.0, limit_price=99.0), close()))
    engine.process(quote(1))
    assert endings(engine.process(quote(2))) == [("a", NO_CHANGE)]
    assert sent(engine.process(fill("1", 0.5, fill_id="f1"))) == [("sell", 0.5)]
    engine.process(OrderUpdate("1", OrderStatus.CANCELLED, ns(3)))
    assert sent(engine.process(fill("1", 0.25, fill_id="f2"))) == [("sell", 0.25)], "overtaken by its cancellation"
    for order_id, quantity in (("2", 0.5), ("3", 0.25)):
        engine.process(fill(order_id, quantity, side="sell", fill_id=f"s{order_id}"))
    assert (held(engine), engine.orders.count) == (0.0, 0)


def test_what_was_asked_for_after_the_close_is_not_taken_for_what_was_unwanted() -> None:
    actor, engine = with_take_profit(close())
    engine.process(quote(3))
    actor.says(long())
    assert sent(engine.process(quote(4))) == [("buy", 1.0)]
    assert sent(engine.process(fill("2", side="sell", fill_id="f2"))) == [("buy", 1.0)]
    for order_id, side in (("3", "sell"), ("4", "buy"), ("5", "buy")):
        engine.process(fill(order_id, side=side, fill_id=f"f{order_id}"))
    assert held(engine) == 1.0


def test_a_resting_close_that_a_late_fill_overtakes_is_traded_back_at_market() -> None:
    _, engine = with_take_profit(close(limit_price=105.0))
    engine.process(quote(3))
    engine.process(fill("3", 0.5, side="sell", fill_id="f3"))
    outcome = engine.process(fill("2", side="sell", fill_id="f2"))
    assert (outcome.cancels, sent(outcome), outcome.orders[0].limit_price) == (["3"], [("buy", 0.5)], None)


def test_when_the_close_itself_was_rejected_a_late_take_profit_has_done_its_work() -> None:
    _, engine = with_take_profit(close())
    engine.process(quote(3))
    engine.process(OrderUpdate("3", OrderStatus.REJECTED, ns(3), "no"))
    outcome = engine.process(fill("2", side="sell", fill_id="late"))
    assert (held(engine), outcome.orders) == (0.0, [])


def test_a_late_take_profit_makes_a_resting_close_anew_for_what_is_left() -> None:
    _, engine = with_take_profit(close(limit_price=105.0))
    engine.process(quote(3))
    outcome = engine.process(fill("2", 0.25, side="sell", fill_id="late"))
    assert (outcome.cancels, sent(outcome)) == (["3"], [("sell", 0.75)])
    assert outcome.orders[0].limit_price == 105.0
    engine.process(OrderUpdate("3", OrderStatus.CANCELLED, ns(4)))
    engine.process(fill("4", 0.75, side="sell", fill_id="f4"))
    assert held(engine) == 0.0


def test_with_the_kill_switch_pulled_a_late_fill_is_not_traded_back_and_says_what_is_held() -> None:
    _, engine = with_take_profit(close())
    engine.process(quote(3))
    engine.process(KillSwitch("stop"))
    engine.process(fill("3", side="sell", fill_id="f3"))
    outcome = engine.process(fill("2", side="sell", fill_id="f2"))
    assert outcome.orders == []
    assert outcome.warnings == [
        "order 2 of a filled 1 BTC after a CLOSE had withdrawn it, and trading it back is refused: "
        "the kill switch is pulled: stop; -1 is held"
    ]


def test_a_flatten_under_way_sees_to_late_fills_and_they_are_traded_back_once() -> None:
    _, engine = with_take_profit(close())
    engine.process(quote(3))
    engine.process(Flatten())
    engine.process(fill("3", side="sell", fill_id="f3"))
    assert sent(engine.process(fill("2", side="sell", fill_id="f2"))) == [("buy", 1.0)]
    engine.process(fill("4", fill_id="f4"))
    assert (held(engine), engine.flattening) == (0.0, {})


def test_with_latency_a_replay_trades_a_late_fill_back_as_well() -> None:
    actor = direct(long(), None, short(limit_price=110.0), None, None, close())
    engine = engine_with(actor, venue=SimulatedVenue(ns(2)))
    for at_s in range(1, 7):
        engine.process(quote(at_s))
    outcome = engine.process(quote(7, 111.0, 112.0))
    assert [each.order_id for each in outcome.fills] == ["2"]
    assert sent(outcome) == [("buy", 1.0)]
    engine.process(quote(8))
    engine.process(quote(9))
    assert (held(engine), engine.orders.count) == (0.0, 0)


def test_after_a_restart_a_late_fill_is_still_known_to_be_unwanted() -> None:
    _, first = with_take_profit(close())
    first.process(quote(3))
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(checkpoint(first), enc_hook=repr), type=Checkpoint)
    second = engine_with(direct())
    restore(second, state)
    assert sent(second.process(fill("2", side="sell", fill_id="f2"))) == [("buy", 1.0)]


def test_a_follower_of_a_recorded_session_knows_it_too_and_trades_nothing_itself() -> None:
    _, first = with_take_profit(close())
    before = first.process(quote(3))
    after = first.process(fill("2", side="sell", fill_id="f2"))
    _, second = with_take_profit()
    follower = Follower(second)
    follower.event(quote(3))
    follower.happened(Happened(before.signals, before.orders, before.cancels, withdrawn=before.withdrawn))
    follower.event(fill("2", side="sell", fill_id="f2"))
    follower.happened(Happened(after.signals, after.orders, after.cancels, withdrawn=after.withdrawn))
    follower.end()
    assert second.orders.state() == first.orders.state()


@settings(max_examples=100)
@given(
    st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]),
    st.lists(st.tuples(st.booleans(), st.sampled_from([0.5, 1.0, 3.0])), max_size=3),
    st.randoms(use_true_random=False),
)
def test_whatever_fills_of_what_was_withdrawn_and_in_whatever_order_the_position_ends_flat(
    start, quotes, random
) -> None:
    """As live: each order open at the CLOSE may fill in part before its cancellation, in any order with all others."""
    actor = direct(*([long(size=start)] if start > 0 else [short(size=-start)] if start < 0 else [None]))
    engine = engine_with(actor)
    engine.process(quote(1))
    if start:
        engine.process(fill("1", abs(start), side="buy" if start > 0 else "sell", fill_id="start"))
    actor.says([(long if buys else short)(size=size, limit_price=90.0 if buys else 110.0) for buys, size in quotes])
    engine.process(quote(2))
    actor.says(close())
    engine.process(quote(3))
    numbers = iter(range(1000))
    while engine.orders.count:
        working = random.choice(list(engine.orders.open_orders()))
        order_id, side = working.order.order_id, str(working.order.side)
        if working.is_cancelling and random.random() < 0.5:
            engine.process(OrderUpdate(order_id, OrderStatus.CANCELLED, ns(4)))
            continue
        share = working.remaining * random.choice([0.5, 1.0]) if working.remaining > 0.1 else working.remaining
        engine.process(fill(order_id, share, side=side, fill_id=f"f{next(numbers)}"))
    assert held(engine) == 0.0
