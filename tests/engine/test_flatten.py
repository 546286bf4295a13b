"""Flatten: positions to zero on an operator's word, whatever is in flight, whatever limits say, and no further."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.domain.events import CancelOrder, Flatten, KillSwitch, Rearm
from sengine.domain.order import Contribution, Fill, OrderStatus, OrderUpdate, ProposedOrder, Side
from sengine.domain.signal import Disposition
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.limit import Refusal
from sengine.engine.risk.limits import PositionLimit
from sengine.engine.risk.pipeline import approve_reducing
from sengine.errors import EngineError
from tests.engine.conftest import Actor, endings, engine_with, fill, long, ns, quote, sent, short, simulated_engine


def update(order_id: str, status: OrderStatus, reason: str = "") -> OrderUpdate:
    return OrderUpdate(order_id, status, 0, reason)


def held(engine: Engine, strategy_id: str = "a", symbol: str = "BTC") -> float:
    return engine.portfolio.quantity(strategy_id, symbol)


def holding(*quantities: tuple[str, float]) -> Engine:
    """An engine whose strategies hold these, without a venue."""
    actors = [Actor(name, route="direct") for name, _ in quantities]
    engine = engine_with(*actors)
    for actor, (_, quantity) in zip(actors, quantities, strict=True):
        actor.says(long(size=quantity) if quantity > 0 else short(size=-quantity))
    for order in engine.process(quote(1)).orders:
        engine.process(fill(order.order_id, order.quantity, side=order.side))
    return engine


def test_what_rests_is_cancelled_and_what_is_held_is_sold() -> None:
    maker = Actor("maker", [long(size=2.0), long(limit_price=90.0), short(limit_price=120.0)], route="direct")
    engine = simulated_engine(maker)
    engine.process(quote(1))
    outcome = engine.process(Flatten(reason="going home"))
    assert outcome.cancels == ["2", "3"]
    assert sent(outcome) == [("sell", 2.0)]
    assert held(engine, "maker") == 0.0
    assert list(engine.orders.open_orders()) == []
    assert outcome.notices == ["flatten of everything (going home): cancels 2 orders, sells 2 BTC"]


def test_each_symbol_is_one_order_shared_out_among_the_strategies() -> None:
    engine = holding(("a", 2.0), ("b", 3.0))
    outcome = engine.process(Flatten())
    (sell,) = outcome.orders
    assert [(part.strategy_id, part.quantity) for part in sell.contributions] == [("a", -2.0), ("b", -3.0)]
    engine.process(fill(sell.order_id, sell.quantity, side=sell.side))
    assert [held(engine, name) for name in "ab"] == [0.0, 0.0]


def test_opposite_positions_are_crossed_inside_and_only_the_net_is_traded() -> None:
    engine = holding(("a", 2.0), ("b", 3.0), ("c", -1.5), ("d", -1.0))
    assert engine.flatten_plan().in_words == "crosses 2.5 BTC inside at the mid, sells 2.5 BTC"
    outcome = engine.process(Flatten())
    assert [(each.order_id, each.strategy_id, each.side, each.quantity, each.fill_id) for each in outcome.crosses] == [
        ("x1", "a", "sell", 1.5, "x1-1"), ("x1", "c", "buy", 1.5, "x1-2"),
        ("x2", "a", "sell", 0.5, "x2-1"), ("x2", "d", "buy", 0.5, "x2-2"),
        ("x3", "b", "sell", 0.5, "x3-1"), ("x3", "d", "buy", 0.5, "x3-2"),
    ]  # fmt: skip
    assert {(each.price, each.commission) for each in outcome.fills} == {(100.0, 0.0)}
    (sell,) = outcome.orders
    assert [(part.strategy_id, part.quantity) for part in sell.contributions] == [("b", -2.5)]
    assert [held(engine, name) for name in "abcd"] == [0.0, 2.5, 0.0, 0.0]
    assert outcome.notices == ["flatten of everything (operator): crosses 2.5 BTC inside at the mid, sells 2.5 BTC"]
    engine.process(fill(sell.order_id, 2.5, side="sell"))
    assert (held(engine, "b"), engine.flattening) == (0.0, {})


def test_positions_that_cancel_out_need_no_order_and_each_strategy_has_its_result_at_the_mid() -> None:
    first, second = Actor("a", long(), route="direct"), Actor("b", short(), route="direct")
    engine = simulated_engine(first, second)
    engine.process(quote(1, 99.0, 101.0))
    engine.process(quote(2, 109.0, 111.0))
    outcome = engine.process(Flatten())
    assert (outcome.orders, engine.flattening, engine.orders.count) == ([], {}, 0)
    assert [(share.strategy_id, gross) for share, gross in outcome.shares] == [("a", 9.0), ("b", -11.0)]
    assert [engine.portfolio.equity_of(name).realized for name in "ab"] == [9.0, -11.0]
    assert (engine.portfolio.total.realized, engine.portfolio.total.unrealized) == (-2.0, 0.0)
    told = [(share.side, share.price) for share in (first.fills[-1], second.fills[-1])]
    assert told == [("sell", 110.0), ("buy", 110.0)]
    assert [actor.instances[0].position for actor in (first, second)] == [0.0, 0.0]


def test_a_flatten_of_one_strategy_crosses_with_nobody() -> None:
    engine = holding(("a", 1.0), ("b", -1.0))
    outcome = engine.process(Flatten("a"))
    assert (outcome.crosses, sent(outcome)) == ([], [("sell", 1.0)])


def test_late_fills_on_both_sides_are_crossed_as_well() -> None:
    one, two = (Actor(name, route="direct") for name in "ab")
    engine = engine_with(one, two)
    one.says(long(limit_price=98.0))
    two.says(short(limit_price=102.0))
    engine.process(quote(1))
    assert engine.process(Flatten()).cancels == ["1", "2"]
    assert sent(engine.process(fill("1", 1.0))) == [("sell", 1.0)]
    engine.process(fill("3", 0.25, side="sell"))
    assert sent(engine.process(fill("2", 1.0, side="sell"))) == [("buy", 1.0)], "what is in flight cannot be crossed"
    engine.process(fill("3", 0.75, side="sell", fill_id="rest"))
    engine.process(fill("4", 1.0))
    assert (held(engine, "a"), held(engine, "b"), engine.flattening) == (0.0, 0.0, {})


@settings(max_examples=60)
@given(st.lists(st.integers(-50, 50).filter(bool).map(lambda tenths: tenths / 10), min_size=1, max_size=6))
def test_whatever_is_held_one_order_at_most_leaves_and_all_end_flat(quantities: list[float]) -> None:
    names = "abcdef"[: len(quantities)]
    engine = holding(*zip(names, quantities, strict=True))
    outcome = engine.process(Flatten())
    assert len(outcome.orders) <= 1
    assert sum(each.quantity for each in outcome.orders) == pytest.approx(abs(sum(quantities)), abs=1e-9)
    for order in outcome.orders:
        engine.process(fill(order.order_id, order.quantity, side=order.side))
    assert [held(engine, name) for name in names] == [0.0] * len(names)
    assert engine.flattening == {}


@pytest.mark.parametrize(
    ("command", "left"),
    [
        (Flatten("a"), {"a": 0.0, "b": 1.0}),
        (Flatten("", "BTC"), {"a": 0.0, "b": 0.0}),
        (Flatten("b", "BTC"), {"a": 1.0, "b": 0.0}),
    ],
)
def test_only_what_matches_is_traded(command: Flatten, left: dict[str, float]) -> None:
    engine = simulated_engine(Actor("a", long(), route="direct"), Actor("b", long(), route="direct"))
    engine.process(quote(1))
    engine.process(command)
    assert {name: held(engine, name) for name in left} == left


def test_the_kill_switch_and_the_limits_do_not_stand_in_the_way_of_getting_out() -> None:
    engine = simulated_engine(Actor("a", long(size=5.0)), checks=[PositionLimit(5.0)])
    engine.process(quote(1))
    engine.process(KillSwitch("stop"))
    assert sent(engine.process(Flatten())) == [("sell", 5.0)]
    assert (held(engine), engine.kill_reason) == (0.0, "stop")


def test_the_position_of_an_unloaded_strategy_can_be_flattened() -> None:
    engine = simulated_engine(Actor("a", long()))
    engine.process(quote(1))
    engine.registry.unload("a", 0)
    engine.process(Flatten("a"))
    assert held(engine) == 0.0


def test_flatten_twice_trades_once() -> None:
    engine = holding(("a", 2.0))
    assert sent(engine.process(Flatten())) == [("sell", 2.0)]
    assert sent(engine.process(Flatten())) == []


def test_what_cannot_trade_before_the_next_book_says_so() -> None:
    engine = engine_with(Actor("a", long()), venue=SimulatedVenue(ns(1)))
    engine.process(quote(1))
    engine.process(quote(2.5))
    assert held(engine) == 1.0
    outcome = engine.process(Flatten())
    assert outcome.notices == ["flatten of everything (operator): sells 1 BTC; waits for the next book of BTC"]
    assert engine.flatten_waits_for("a", "BTC") == "waits for the next book of BTC"
    assert engine.flatten_waits_for("b") == ""
    again = engine.process(Flatten(reason="again"))
    assert again.notices == ["flatten of everything (again): waits for the next book of BTC"]
    engine.process(quote(4))
    assert (held(engine), engine.flatten_waits_for()) == (0.0, "")


def test_a_flat_engine_has_nothing_to_do_and_unknown_names_are_refused() -> None:
    engine = simulated_engine(Actor("a"))
    engine.process(quote(1))
    outcome = engine.process(Flatten())
    assert (outcome.orders, outcome.notices) == ([], ["flatten of everything (operator): nothing to do"])
    assert engine.process(Flatten("a", "BTC")).orders == []
    with pytest.raises(EngineError, match='there is no strategy "z"; loaded: a'):
        engine.process(Flatten("z"))
    with pytest.raises(EngineError, match='there is no market data of "DOGE"; symbols: BTC'):
        engine.process(Flatten("", "DOGE"))


def test_the_plan_says_what_the_flatten_then_does() -> None:
    maker = Actor("maker", [long(size=2.0), long(limit_price=90.0)], route="direct")
    engine = simulated_engine(maker)
    engine.process(quote(1))
    plan = engine.flatten_plan()
    assert plan.in_words == "cancels 1 order, sells 2 BTC"
    assert held(engine, "maker") == 2.0
    assert engine.process(Flatten()).cancels == list(plan.cancels)
    assert engine.flatten_plan().in_words == ""


def test_signals_are_filtered_until_the_position_is_zero_and_pass_again_then() -> None:
    actor = Actor("a", long(size=2.0), route="direct")
    engine = engine_with(actor)
    engine.process(quote(1))
    engine.process(fill("1", 2.0))
    engine.process(Flatten())
    actor.says(long(), long())
    outcome = engine.process(quote(2))
    assert endings(outcome) == [("a", Disposition.FILTERED)]
    assert outcome.signals[0].code == "being_flattened"
    engine.process(fill("2", 2.0, side="sell"))
    assert endings(engine.process(quote(3))) == [("a", Disposition.PASSED)]


def test_votes_are_withdrawn() -> None:
    a, b = Actor("a", long(0.9)), Actor("b", None, short(0.5))
    engine = simulated_engine(a, b)
    engine.process(quote(1))
    engine.process(Flatten("a"))
    assert endings(engine.process(quote(2))) == [("b", Disposition.PASSED)]


def test_a_fill_that_outruns_its_cancellation_is_traded_away_as_well() -> None:
    maker = Actor("maker", long(limit_price=98.0, size=3.0), route="direct")
    engine = engine_with(maker)
    engine.process(quote(1))
    outcome = engine.process(Flatten())
    assert (outcome.cancels, outcome.orders) == (["1"], [])
    assert sent(engine.process(fill("1", 1.0, 98.0))) == [("sell", 1.0)]
    assert engine.process(update("1", OrderStatus.CANCELLED)).orders == []
    engine.process(fill("2", 1.0, side="sell"))
    assert held(engine, "maker") == 0.0
    maker.says(long())
    assert endings(engine.process(quote(2))) == [("maker", Disposition.PASSED)]


def test_a_market_order_in_flight_is_left_to_fill_and_then_undone() -> None:
    engine = engine_with(Actor("a", long(size=2.0)))
    engine.process(quote(1))
    outcome = engine.process(Flatten())
    assert (outcome.cancels, outcome.orders) == ([], [])
    assert sent(engine.process(fill("1", 0.5))) == [("sell", 0.5)]
    assert sent(engine.process(fill("1", 1.5))) == [("sell", 1.5)]


def test_a_reducing_order_that_fills_after_all_does_not_leave_the_other_side_open() -> None:
    maker = Actor("maker", [long(size=2.0), short(limit_price=120.0, size=1.0)], route="direct")
    engine = engine_with(maker)
    engine.process(quote(1))
    engine.process(fill("1", 2.0))
    assert sent(engine.process(Flatten())) == [("sell", 2.0)]
    engine.process(fill("2", 1.0, 120.0, side="sell"))
    assert sent(engine.process(fill("3", 2.0, side="sell"))) == [("buy", 1.0)]
    engine.process(fill("4", 1.0))
    assert held(engine, "maker") == 0.0


def test_a_refused_order_ends_the_flatten_with_a_warning_and_is_not_sent_again() -> None:
    engine = holding(("a", 2.0))
    engine.process(Flatten())
    outcome = engine.process(update("2", OrderStatus.REJECTED, "no margin"))
    assert outcome.orders == []
    assert outcome.warnings == [
        "flatten of a BTC is not done: order 2 did not fill, and 2 are held; flatten again",
    ]
    assert sent(engine.process(Flatten())) == [("sell", 2.0)]


def test_an_unknown_outcome_keeps_the_position_closed_to_signals() -> None:
    actor = Actor("a", long())
    engine = engine_with(actor)
    engine.process(quote(1))
    engine.process(fill("1"))
    engine.process(Flatten())
    engine.process(update("2", OrderStatus.UNKNOWN))
    actor.says(long())
    assert endings(engine.process(quote(2))) == [("a", Disposition.FILTERED)]


def test_the_kill_switch_ends_a_flatten_that_is_not_done() -> None:
    engine = holding(("a", 2.0))
    engine.process(Flatten())
    outcome = engine.process(KillSwitch("stop"))
    assert outcome.cancels == ["2"]
    assert "the kill switch ends the flatten of 1 positions; flatten again" in outcome.notices
    engine.process(Rearm())
    # The first order may yet fill, so nothing more is sent until it has ended.
    assert engine.process(Flatten()).orders == []
    assert sent(engine.process(update("2", OrderStatus.CANCELLED))) == [("sell", 2.0)]


def test_a_delayed_venue_is_flat_once_the_books_have_come() -> None:
    maker = Actor("maker", [long(size=2.0), long(limit_price=90.0)], route="direct")
    engine = engine_with(maker, venue=SimulatedVenue(latency_ns=1_000_000_000))
    engine.process(quote(1))
    engine.process(quote(3))
    assert held(engine, "maker") == 2.0
    engine.process(Flatten())
    engine.process(quote(4))
    assert held(engine, "maker") == 0.0
    assert list(engine.orders.open_orders()) == []


def test_only_what_reduces_is_approved_past_the_checks() -> None:
    for quantity, is_approved in ((-2.0, True), (-1.0, True), (-3.0, False), (1.0, False)):
        side = Side.BUY if quantity > 0 else Side.SELL
        proposal = ProposedOrder("BTC", side, abs(quantity), 0, (Contribution("a", quantity, 0),))
        verdict = approve_reducing(proposal, lambda *_: 2.0, "1")
        assert isinstance(verdict, Refusal) is not is_approved


def test_one_order_can_be_cancelled() -> None:
    maker = Actor("maker", [long(limit_price=90.0), long(limit_price=91.0)], route="direct")
    engine = engine_with(maker)
    engine.process(quote(1))
    assert engine.process(CancelOrder("2")).cancels == ["2"]
    assert engine.process(CancelOrder("2")).cancels == []
    with pytest.raises(EngineError, match='no order "9" is open'):
        engine.process(CancelOrder("9"))


# Whatever was held and open, and however its venue splits, delays and cancels: in the end nothing is held.

quantities = st.sampled_from([-3.0, -1.5, -0.1, 0.1, 0.3, 1.0, 2.7])
books = st.lists(st.tuples(st.sampled_from("abc"), quantities, st.booleans(), st.booleans()), min_size=1, max_size=8)


@settings(max_examples=150)
@given(books, st.data())
def test_after_its_fills_every_position_is_zero(
    orders: list[tuple[str, float, bool, bool]], data: st.DataObject
) -> None:
    actors = {name: Actor(name, route="direct") for name in "abc"}
    engine = engine_with(*actors.values())
    at = 0
    for name, quantity, is_limit, is_filled in orders:
        at += 1
        said = long(size=quantity) if quantity > 0 else short(size=-quantity)
        if is_limit:
            said = long(size=quantity, limit_price=98.0) if quantity > 0 else short(size=-quantity, limit_price=102.0)
        actors[name].says(said)
        for order in engine.process(quote(at)).orders:
            if is_filled:
                part = data.draw(st.sampled_from([0.25, 0.5, 1.0])) * order.quantity
                engine.process(fill(order.order_id, part, side=order.side, fill_id=f"f{at}"))
    outcomes = [engine.process(Flatten())]
    for number in range(200):
        working = list(engine.orders.open_orders())
        if not working:
            break
        chosen = data.draw(st.sampled_from(working))
        order = chosen.order
        if chosen.is_cancelling and data.draw(st.booleans()):
            outcomes.append(engine.process(update(order.order_id, OrderStatus.CANCELLED)))
        else:
            part = chosen.remaining * (data.draw(st.sampled_from([0.5, 1.0])) if number < 30 else 1.0)
            news = Fill(order.order_id, "", "BTC", order.side, 100.0, part, 0.0, at, f"late{number}")
            outcomes.append(engine.process(news))
    assert list(engine.orders.open_orders()) == []
    assert [held(engine, name) for name in "abc"] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert not any(outcome.warnings for outcome in outcomes)
