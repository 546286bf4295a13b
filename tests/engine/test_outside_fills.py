"""Fills from outside (semantics, section 11): booked, not booked, or held for a person, each with the true sentence."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.domain.events import AcceptFill, HoldFill, RefuseFill
from sengine.domain.order import Fill, OrderStatus, OrderUpdate, Side
from sengine.engine.checkpoint.checkpoint import checkpoint, restore
from sengine.engine.core import Engine
from sengine.engine.orders.fill_doubts import LARGEST_AMOUNT, FillBounds, doubt_of
from sengine.engine.state.held_fills import HELD_KEPT
from sengine.engine.state.orders import WorkingOrder
from sengine.errors import EngineError
from sengine.runtime.live_engine import LiveEngine
from tests.engine.conftest import Actor, engine_with, fill, long, ns, order, quote


def live_engine(*actors: Actor) -> LiveEngine:
    """One whose order ``1``, to buy 1, has just been sent at a mid of 100."""
    live = LiveEngine(engine_with(*(actors or (Actor("a", long()),))))
    live.process(quote(1))
    return live


def held(live: LiveEngine) -> float:
    return live.engine.portfolio.quantity("a", "BTC")


def said(live: LiveEngine) -> list[str]:
    return [line.event for line in live.logs.history]


def cancel(live: LiveEngine) -> None:
    live.process(OrderUpdate("1", OrderStatus.CANCELLED, ns(2)))


def test_an_overfill_is_booked_and_told_with_both_numbers() -> None:
    live = live_engine()
    live.process(fill("1", 0.6, fill_id="f1"))
    assert not live.engine.anomalies
    live.process(fill("1", 0.6, fill_id="f2"))
    assert held(live) == pytest.approx(1.2)
    assert live.engine.anomalies == {"overfill": 1}
    assert said(live)[-1] == "fill f2 of order 1 makes 1.2 filled of 1 that were ordered; booked"


def test_a_fill_after_an_order_was_filled_whole_is_late_and_booked() -> None:
    actor = Actor("a", long())
    live = live_engine(actor)
    live.process(fill("1", 1.0, fill_id="f1"))
    live.process(fill("1", 3.0, fill_id="f2"))
    assert held(live) == 4.0
    assert [share.quantity for share in actor.fills] == [1.0, 3.0]
    assert live.engine.anomalies == {"late_fill": 1, "overfill": 1}
    assert "fill f2 of order 1 came after that order was filled whole; booked" in said(live)


def test_a_fill_that_a_cancellation_overtook_is_late_and_no_overfill() -> None:
    live = live_engine()
    cancel(live)
    live.process(fill("1", 0.5, fill_id="f1"))
    assert held(live) == 0.5
    assert live.engine.anomalies == {"late_fill": 1}
    assert said(live)[-1] == "fill f1 of order 1 came after that order was cancelled or rejected; booked"


@pytest.mark.parametrize(
    ("wrong", "anomaly", "sentence"),
    [
        (fill("1", 1.0, side="sell", fill_id="f1"), "wrong_side", "it is a sell, and the order a buy"),
        (fill("1", 1.0, symbol="ETH", fill_id="f1"), "wrong_symbol", "it is of ETH, and the order of BTC"),
        (fill("1", math.nan, fill_id="f1"), "bad_fill", "expected a quantity above 0, got nan"),
        (fill("9", 1.0, fill_id="f1"), "unknown_order_fill", "no such order is on record here"),
    ],
)
def test_what_is_not_booked_is_not_remembered_and_the_corrected_one_is(
    wrong: Fill, anomaly: str, sentence: str
) -> None:
    live = live_engine()
    live.process(wrong)
    assert (held(live), live.engine.anomalies) == (0.0, {anomaly: 1})
    assert "is not booked" in said(live)[-1]
    assert sentence in said(live)[-1]
    live.process(fill("1", 1.0, fill_id="f1"))
    assert held(live) == 1.0


def test_fills_without_end_on_a_cancelled_order_stop_at_a_bound() -> None:
    live = live_engine()
    cancel(live)
    for number in range(100):
        live.process(fill("1", 1.0, fill_id=f"f{number}"))
    assert held(live) == 5.0
    assert live.engine.anomalies == {"late_fill": 5, "overfill": 4, "held_fill": 95}
    assert "order 1 of 1 would be filled 6, more than execution.max_overfill 5 times" in said(live)[-1]


@pytest.mark.parametrize("price", [1e300, 1e-300, 151.0, 49.0])
def test_an_absurd_price_waits_for_a_person(price: float) -> None:
    live = live_engine()
    live.process(fill("1", 1.0, price, fill_id="f1"))
    assert held(live) == 0.0
    assert live.engine.portfolio.total.equity == 0.0
    assert live.engine.orders.in_flight("a", "BTC") == 1.0
    assert [each.fill.price for each in live.engine.held_fills.waiting] == [price]
    assert "`sengine fills accept f1` or `sengine fills refuse f1`" in said(live)[-1]


@pytest.mark.parametrize("price", [149.0, 51.0])
def test_a_price_within_the_band_is_booked(price: float) -> None:
    live = live_engine()
    live.process(fill("1", 1.0, price, fill_id="f1"))
    assert held(live) == 1.0


def test_a_fill_at_the_limit_is_booked_however_far_the_market_has_gone() -> None:
    live = live_engine(Actor("a", long(limit_price=90.0), route="direct"))
    live.process(quote(2, 20.0, 22.0))
    live.process(fill("1", 1.0, 90.0, fill_id="f1"))
    assert held(live) == 1.0


def test_a_fill_at_the_price_of_its_decision_is_booked_however_far_the_market_has_gone() -> None:
    live = live_engine()
    live.process(quote(2, 20.0, 22.0))
    live.process(fill("1", 1.0, 101.0, fill_id="f1"))
    assert held(live) == 1.0


def test_a_price_is_not_judged_where_none_is_known_but_what_ruins_the_books_is() -> None:
    working = WorkingOrder(order("1"))
    assert doubt_of(fill("1", 1.0, 7e9), working, 0.0, FillBounds()) == ""
    assert "beyond all measure" in doubt_of(fill("1", 1.0, 1e300), working, 0.0, FillBounds())
    assert "beyond all measure" in doubt_of(fill("1", 1.0, commission=-1e300), working, 0.0, FillBounds())
    assert "its commission of 5000" in doubt_of(fill("1", 1.0, commission=5000.0), working, 0.0, FillBounds())


positive = st.floats(min_value=5e-324, allow_nan=False, allow_infinity=False)


@given(positive, positive, st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_booked_without_a_question_leaves_the_books_finite(
    price: float, quantity: float, commission: float
) -> None:
    live = live_engine()
    live.process(fill("1", quantity, price, commission=commission, fill_id="f1"))
    live.process(quote(2))
    assert math.isfinite(live.engine.portfolio.total.equity)
    assert abs(live.engine.portfolio.total.equity) <= 12 * LARGEST_AMOUNT


def test_an_accepted_fill_is_booked_once() -> None:
    actor = Actor("a", long())
    live = live_engine(actor)
    live.process(fill("1", 1.0, 160.0, fill_id="f1"))
    outcome = live.process(AcceptFill("f1"))
    assert [each.price for each in outcome.fills] == [160.0]
    assert (held(live), len(actor.fills)) == (1.0, 1)
    live.process(fill("1", 1.0, 160.0, fill_id="f1"))
    assert (held(live), live.engine.anomalies["duplicate_fill"]) == (1.0, 1)
    with pytest.raises(EngineError, match='no fill "f1" waits for you; those that do: none'):
        live.process(AcceptFill("f1"))


def test_a_refused_fill_stays_refused_and_a_corrected_one_is_taken() -> None:
    live = live_engine()
    live.process(fill("1", 1.0, 160.0, fill_id="f1"))
    live.process(RefuseFill("f1"))
    assert not live.engine.held_fills.waiting
    live.process(quote(2, 159.0, 161.0))  # where it would no longer be doubted
    live.process(fill("1", 1.0, 160.0, fill_id="f1"))
    assert (held(live), live.engine.anomalies["refused_fill"]) == (0.0, 2)
    live.process(fill("1", 1.0, 159.0, fill_id="f1"))
    assert held(live) == 1.0


def test_a_corrected_fill_takes_the_place_of_the_one_that_waits() -> None:
    live = live_engine()
    live.process(fill("1", 1.0, 1010.0, fill_id="f1"))
    live.process(fill("1", 1.0, 101.0, fill_id="f1"))
    assert held(live) == 1.0
    assert not live.engine.held_fills.waiting


def test_a_second_absurd_fill_of_one_id_does_not_replace_the_first() -> None:
    """Or a person would accept another one than they have looked at."""
    live = live_engine()
    live.process(fill("1", 1.0, 160.0, fill_id="f1"))
    live.process(fill("1", 1.0, 999.0, fill_id="f1"))
    assert [each.fill.price for each in live.engine.held_fills.waiting] == [160.0]


def test_what_ruins_the_books_cannot_be_accepted() -> None:
    live = live_engine()
    live.process(fill("1", 1.0, 1e300, fill_id="f1"))
    with pytest.raises(EngineError, match=r"cannot be booked, .* beyond all measure; refuse it"):
        live.process(AcceptFill("f1"))
    live.process(RefuseFill("f1"))
    assert not live.engine.held_fills.waiting


def test_held_fills_are_bounded() -> None:
    live = live_engine()
    for number in range(HELD_KEPT + 1):
        live.process(fill("1", 1.0, 999.0, fill_id=f"f{number}"))
    assert len(live.engine.held_fills) == HELD_KEPT
    assert "not kept" in said(live)[-1]


def test_the_bounds_are_as_configured() -> None:
    live = live_engine()
    live.fill_bounds = FillBounds(max_deviation=10.0, max_overfill=1.0)
    live.process(fill("1", 1.0, 999.0, fill_id="f1"))
    assert held(live) == 1.0
    live.process(fill("1", 0.1, 100.0, fill_id="f2"))
    assert held(live) == 1.0


def test_held_and_refused_fills_survive_a_checkpoint() -> None:
    live = live_engine()
    live.process(fill("1", 1.0, 160.0, fill_id="f1"))
    live.process(fill("1", 1.0, 170.0, fill_id="f2"))
    live.process(RefuseFill("f2"))
    again = LiveEngine(engine_with(Actor("a")))
    restore(again.engine, checkpoint(live.engine))
    again.process(fill("1", 1.0, 170.0, fill_id="f2"))
    assert again.engine.anomalies["refused_fill"] == 2
    again.process(AcceptFill("f1"))
    assert held(again) == 1.0


def test_the_engine_alone_books_what_the_way_in_let_through() -> None:
    """A journal says of each fill whether it was held: whoever runs it again need not judge again."""
    engine: Engine = engine_with(Actor("a", long()))
    engine.process(quote(1))
    engine.process(fill("1", 1.0, 999.0, fill_id="f1"))
    assert engine.portfolio.quantity("a", "BTC") == 1.0
    engine.process(HoldFill(fill("1", 1.0, 100.0, fill_id="f2"), "somebody doubted it"))
    assert engine.portfolio.quantity("a", "BTC") == 1.0


def test_a_fill_dated_tomorrow_counts_as_executed_now() -> None:
    live = live_engine(Actor("a", long(limit_price=98.0), route="direct"))
    live.process(fill("1", 1.0, 98.0, fill_id="f1", at_s=86_400.0))
    assert live.engine.record.runs["a", "BTC"].times_ns == [ns(1)]


def test_a_sell_order_is_judged_alike() -> None:
    working = WorkingOrder(order("1", Side.SELL, 2.0, limit=100.0))
    assert doubt_of(fill("1", 10.0, 100.0, "sell"), working, 0.0, FillBounds()) == ""
    assert "would be filled 10.5" in doubt_of(fill("1", 10.5, 100.0, "sell"), working, 0.0, FillBounds())
    assert "away from 100" in doubt_of(fill("1", 1.0, 40.0, "sell"), working, 0.0, FillBounds())
