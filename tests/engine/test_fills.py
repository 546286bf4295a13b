"""Step 11 (semantics, section 2) and section 6: fills update the books, then each strategy hears of its own share."""

from __future__ import annotations

import pytest

from sengine.domain.events import PauseStrategy, UnloadStrategy
from sengine.domain.order import OrderStatus, OrderUpdate
from sengine.domain.signal import Disposition
from tests.engine.conftest import Actor, close, endings, engine_with, fill, long, ns, quote, short, simulated_engine


def in_flight_engine(*actors: Actor):
    """An engine whose order ``1`` has just been sent."""
    engine = engine_with(*actors)
    engine.process(quote(1))
    return engine


def test_each_contributing_strategy_hears_of_its_own_share() -> None:
    first, second, other = Actor("a", long(size=3.0)), Actor("b", long(size=1.0)), Actor("c")
    engine = in_flight_engine(first, second, other)
    outcome = engine.process(fill("1", 2.0, 100.0, commission=0.5, fill_id="f1", at_s=2))
    assert [(share.strategy_id, share.quantity, share.commission) for share in first.fills] == [("a", 1.5, 0.375)]
    assert [(share.strategy_id, share.quantity) for share in second.fills] == [("b", 0.5)]
    assert other.fills == []
    assert outcome.fills == [fill("1", 2.0, 100.0, commission=0.5, fill_id="f1", at_s=2)]
    assert [(share.strategy_id, gross) for share, gross in outcome.shares] == [("a", None), ("b", None)]
    assert (first.instances[0].position, second.instances[0].position) == (1.5, 0.5)


def test_the_books_are_updated_before_on_fill_is_called() -> None:
    seen: list[tuple[float, float, float]] = []
    actor = Actor("a", long(size=2.0))
    engine = in_flight_engine(actor)
    actor.on_fill = lambda share: seen.append(
        (
            engine.portfolio.quantity("a", "BTC"),
            engine.orders.in_flight("a", "BTC"),
            engine.portfolio.equity_of("a").equity,
        )
    )
    engine.process(fill("1", 1.5, 101.0))
    assert seen == [(1.5, 0.5, -1.5)]


def test_all_shares_are_booked_before_the_first_strategy_hears_of_its_own() -> None:
    seen: list[float] = []
    first, second = Actor("a", long(size=1.0)), Actor("b", long(size=1.0))
    engine = in_flight_engine(first, second)
    first.on_fill = lambda share: seen.append(engine.portfolio.quantity("b", "BTC"))
    engine.process(fill("1", 2.0))
    assert seen == [1.0]


def test_a_strategy_is_flat_when_its_books_are() -> None:
    actor = Actor("a", long(size=0.1), long(size=0.2), short(size=0.3))
    engine = simulated_engine(actor)
    for at_s in (1, 2, 3):
        engine.process(quote(at_s))
    assert engine.portfolio.quantity("a", "BTC") == 0.0
    assert actor.instances[0].position == 0.0


def test_what_many_small_sells_leave_of_a_large_buy_is_flat_and_a_close_then_changes_nothing() -> None:
    actor = Actor("a", long(size=26.0), *[short(size=0.1)] * 260, close())
    engine = simulated_engine(actor)
    for at_s in range(1, 262):
        engine.process(quote(at_s * 10))
    assert engine.portfolio.quantity("a", "BTC") == actor.instances[0].position == 0.0
    assert endings(engine.process(quote(2620))) == [("a", Disposition.NO_CHANGE)]


def test_a_rest_in_flight_that_is_rounding_is_nothing_to_close() -> None:
    actor = Actor("a", long(size=2.6), short(size=2.6), close(), route="direct")
    engine = in_flight_engine(actor)
    engine.process(quote(2))
    for number in range(13):
        engine.process(fill("1", 0.1, fill_id=f"b{number}"))
        engine.process(fill("2", 0.1, side="sell", fill_id=f"s{number}"))
    assert endings(engine.process(quote(3))) == [("a", Disposition.NO_CHANGE)]


def test_one_instance_for_all_symbols_measures_each_by_itself() -> None:
    actor = Actor("a", long(size=1e9), one_instance_per_symbol=False, symbols=("BTC", "ETH"))
    engine = simulated_engine(actor)
    engine.process(quote(1))
    actor.says(long(size=0.5))
    engine.process(quote(2, symbol="ETH"))
    actor.says(close())
    engine.process(quote(10))
    assert engine.portfolio.quantity("a", "ETH") == actor.instances[0].position == 0.5


def test_a_fill_tells_what_it_realized_before_commission() -> None:
    engine = simulated_engine(Actor("a", long(size=2.0), close()))
    engine.process(quote(1, 99.0, 101.0))
    outcome = engine.process(quote(2, 111.0, 113.0))
    assert [gross for _, gross in outcome.shares] == [20.0]
    assert engine.portfolio.equity_of("a").realized == 20.0


def test_unrealized_pnl_marks_at_mid_from_the_fill_on() -> None:
    engine = in_flight_engine(Actor("a", long(size=2.0)))
    engine.process(fill("1", 2.0, 107.0))
    assert engine.portfolio.equity_of("a").unrealized == -14.0


@pytest.mark.parametrize("fill_id", ["f1", ""])
def test_a_fill_seen_twice_counts_once(fill_id: str) -> None:
    actor = Actor("a", long(size=2.0))
    engine = in_flight_engine(actor)
    report = fill("1", 1.0, fill_id=fill_id, at_s=2)
    engine.process(report)
    outcome = engine.process(report)
    assert (engine.portfolio.quantity("a", "BTC"), engine.orders.in_flight("a", "BTC")) == (1.0, 1.0)
    assert (outcome.fills, outcome.shares, len(actor.fills)) == ([], [], 1)
    assert engine.anomalies == {"duplicate_fill": 1}
    assert len(outcome.notices) == 1
    assert "counted once" in outcome.notices[0]


def test_a_fill_for_an_order_that_was_not_sent_is_not_applied() -> None:
    actor = Actor("a", long(size=2.0))
    engine = in_flight_engine(actor)
    outcome = engine.process(fill("77", 1.0, fill_id="f1"))
    assert (outcome.fills, outcome.shares, actor.fills) == ([], [], [])
    assert list(engine.portfolio.positions()) == []
    assert engine.anomalies == {"unknown_order_fill": 1}
    assert "77" in outcome.notices[0]


def test_fills_reach_a_paused_strategy() -> None:
    actor = Actor("a", long(size=2.0))
    engine = in_flight_engine(actor)
    engine.process(PauseStrategy("a"))
    engine.process(fill("1", 2.0))
    assert [share.quantity for share in actor.fills] == [2.0]
    assert actor.instances[0].position == 2.0


def test_fills_of_an_unloaded_strategy_are_booked_and_its_positions_stay() -> None:
    actor = Actor("a", long(size=2.0))
    engine = in_flight_engine(actor, Actor("b"))
    engine.process(UnloadStrategy("a"))
    outcome = engine.process(fill("1", 2.0))
    assert (len(outcome.fills), actor.fills) == (1, [])
    assert engine.portfolio.quantity("a", "BTC") == 2.0
    engine.process(quote(2, 109.0, 111.0))
    assert engine.portfolio.equity_of("a").unrealized == 20.0


@pytest.mark.parametrize("status", [OrderStatus.REJECTED, OrderStatus.CANCELLED])
def test_an_order_that_ended_is_not_in_flight(status: OrderStatus) -> None:
    engine = in_flight_engine(Actor("a", long(size=2.0)))
    outcome = engine.process(OrderUpdate("1", status, ns(2), "no margin"))
    assert engine.orders.in_flight("a", "BTC") == 0.0
    assert outcome.notices == [f"order 1 {status}: no margin"]


@pytest.mark.parametrize("status", [OrderStatus.ACCEPTED, OrderStatus.UNKNOWN])
def test_an_order_of_which_nobody_knows_the_end_stays_in_flight(status: OrderStatus) -> None:
    engine = in_flight_engine(Actor("a", long(size=2.0)))
    engine.process(OrderUpdate("1", status, ns(2)))
    assert engine.orders.in_flight("a", "BTC") == 2.0


@pytest.mark.parametrize("status", [OrderStatus.REJECTED, OrderStatus.CANCELLED])
def test_news_of_an_order_that_is_not_open_is_counted(status: OrderStatus) -> None:
    engine = in_flight_engine(Actor("a", long(size=2.0)))
    engine.process(OrderUpdate("77", status, ns(2)))
    assert engine.anomalies == {"unknown_order_update": 1}
    assert engine.orders.in_flight("a", "BTC") == 2.0


def test_a_fill_that_a_cancellation_overtook_is_applied() -> None:
    actor = Actor("a", long(size=2.0))
    engine = in_flight_engine(actor)
    engine.process(OrderUpdate("1", OrderStatus.CANCELLED, ns(2)))
    engine.process(fill("1", 0.5))
    assert (engine.portfolio.quantity("a", "BTC"), engine.orders.in_flight("a", "BTC")) == (0.5, 0.0)
    assert len(actor.fills) == 1
