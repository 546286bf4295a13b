"""Orders in flight, and how each fill is shared out among those who asked for it (semantics 2.10 and 2.11)."""

from __future__ import annotations

from fractions import Fraction
from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.domain.order import Side
from sengine.engine.state.orders import CLOSED_ORDERS_KEPT, FILL_IDS_KEPT, OrderTracker
from tests.engine.conftest import fill, order

sizes = st.integers(1, 10**6).map(lambda thousandths: thousandths / 1000)


def tracker(*orders) -> OrderTracker:
    orders_out = OrderTracker()
    for each in orders:
        orders_out.sent(each)
    return orders_out


def split(orders: OrderTracker, *args, **rest) -> list[tuple[str, float]]:
    shares = orders.shares(fill(*args, **rest))
    assert shares is not None
    return [(share.strategy_id, share.quantity) for share in shares]


def test_an_order_is_in_flight_from_the_moment_it_is_sent() -> None:
    orders = tracker(order("1", Side.BUY, 4.0, parts=[("a", 3.0), ("b", 1.0)]), order("2", Side.SELL, 0.5))
    assert orders.in_flight("a", "BTC") == 2.5
    assert orders.in_flight("b", "BTC") == 1.0
    assert orders.in_flight("a", "ETH") == 0.0
    assert orders.in_flight("nobody", "BTC") == 0.0
    assert [each.order.order_id for each in orders.open_orders()] == ["1", "2"]


def test_a_fill_is_shared_pro_rata() -> None:
    orders = tracker(order("1", Side.BUY, 4.0, parts=[("a", 3.0), ("b", 1.0)]))
    assert split(orders, "1", 2.0) == [("a", 1.5), ("b", 0.5)]
    assert orders.in_flight("a", "BTC") == 1.5
    assert orders.in_flight("b", "BTC") == 0.5


def test_each_share_is_a_fill_of_its_own_strategy() -> None:
    orders = tracker(order("1", Side.SELL, 4.0, parts=[("a", 3.0), ("b", 1.0)]))
    whole = fill("1", 4.0, 101.5, "sell", commission=2.0, fill_id="f-1", at_s=3.0)
    shares = orders.shares(whole)
    assert shares is not None
    assert [(share.strategy_id, share.commission) for share in shares] == [("a", 1.5), ("b", 0.5)]
    for share in shares:
        assert (share.order_id, share.fill_id, share.side, share.price) == ("1", "f-1", "sell", 101.5)
        assert (share.symbol, share.timestamp_ns) == ("BTC", whole.timestamp_ns)


def test_a_fill_without_an_id_is_named_by_its_order_and_number() -> None:
    orders = tracker(order("1", quantity=2.0))
    ids = [share.fill_id for _ in range(2) for share in orders.shares(fill("1", 1.0)) or ()]
    assert ids == ["1/1", "1/2"]


@given(
    st.lists(sizes, min_size=1, max_size=5),
    st.lists(st.integers(1, 100), min_size=1, max_size=6),
    st.sampled_from(list(Side)),
)
def test_shares_add_up_to_the_fill_and_nothing_stays_in_flight(
    wanted: list[float], weights: list[int], side: Side
) -> None:
    parts = [(f"s{place}", size) for place, size in enumerate(wanted)]
    total = fsum(wanted)
    orders = tracker(order("1", side, total, parts=parts))
    received = dict.fromkeys([name for name, _ in parts], 0.0)
    for weight in weights:
        quantity = total * weight / sum(weights)
        shares = orders.shares(fill("1", quantity, side=side, commission=quantity))
        assert shares is not None
        assert fsum(share.quantity for share in shares) == pytest.approx(quantity, rel=1e-15)
        assert fsum(share.commission for share in shares) == pytest.approx(quantity, rel=1e-15)
        for share, (name, size) in zip(shares, parts, strict=True):
            exact = Fraction(quantity) * Fraction(size) / sum(map(Fraction, wanted))
            assert share.strategy_id == name
            # The last takes the remainder, so its share may carry the rounding of all the others.
            assert share.quantity == pytest.approx(float(exact), rel=1e-12, abs=1e-15 * total)
            received[name] += share.quantity
    assert list(orders.open_orders()) == []
    for name, size in parts:
        assert orders.in_flight(name, "BTC") == 0.0
        assert received[name] == pytest.approx(size, rel=1e-11, abs=1e-14 * total)


@given(sizes, st.lists(st.integers(1, 100), min_size=1, max_size=5))
def test_in_flight_and_filled_are_the_order_at_every_moment(quantity: float, weights: list[int]) -> None:
    orders = tracker(order("1", Side.SELL, quantity))
    filled = 0.0
    for weight in weights[:-1]:
        part = quantity * weight / sum(weights)
        orders.shares(fill("1", part, side="sell"))
        filled += part
        assert orders.in_flight("a", "BTC") == pytest.approx(filled - quantity, rel=1e-9, abs=1e-12 * quantity)


def test_more_filled_than_ordered_leaves_nothing_in_flight() -> None:
    orders = tracker(order("1", quantity=1.0))
    assert split(orders, "1", 1.5) == [("a", 1.5)]
    assert orders.in_flight("a", "BTC") == 0.0
    assert list(orders.open_orders()) == []


def test_a_fill_for_an_order_that_was_never_sent_has_no_shares() -> None:
    orders = tracker(order("1"))
    assert orders.shares(fill("2")) is None
    assert orders.in_flight("a", "BTC") == 1.0


def test_a_closed_order_is_not_in_flight() -> None:
    orders = tracker(order("1", quantity=2.0))
    working = orders.close("1")
    assert working is not None
    assert working.remaining == 2.0
    assert orders.in_flight("a", "BTC") == 0.0
    assert orders.close("1") is None
    assert orders.close("unknown") is None


def test_a_fill_that_a_cancellation_overtook_is_still_shared_out() -> None:
    orders = tracker(order("1", Side.BUY, 2.0, parts=[("a", 1.0), ("b", 1.0)]))
    orders.close("1")
    assert split(orders, "1", 1.0) == [("a", 0.5), ("b", 0.5)]
    assert split(orders, "1", 1.0) == [("a", 0.5), ("b", 0.5)]
    assert orders.in_flight("a", "BTC") == 0.0


def test_closed_orders_are_remembered_up_to_a_bound() -> None:
    orders = OrderTracker()
    for number in range(CLOSED_ORDERS_KEPT + 1):
        orders.sent(order(str(number)))
        orders.close(str(number))
    assert orders.shares(fill("0")) is None
    assert orders.shares(fill("1")) is not None


def test_a_fill_that_was_booked_is_known_by_its_id() -> None:
    orders = tracker(order("1", quantity=9.0))
    assert not orders.has_seen(fill("1", 1.0, fill_id="f1"))
    orders.remember(fill("1", 1.0, fill_id="f1"))
    assert orders.has_seen(fill("1", 1.0, fill_id="f1"))
    assert not orders.has_seen(fill("1", 1.0, fill_id="f2"))


def test_a_fill_without_an_id_is_known_by_what_it_says() -> None:
    orders = tracker(order("1", quantity=9.0))
    orders.remember(fill("1", 1.0, at_s=1.0))
    assert orders.has_seen(fill("1", 1.0, at_s=1.0))
    for other in (
        fill("1", 2.0, at_s=1.0),
        fill("1", 1.0, at_s=2.0),
        fill("1", 1.0, 99.0, at_s=1.0),
        fill("2", at_s=1),
    ):
        assert not orders.has_seen(other)


def test_fill_ids_are_remembered_up_to_a_bound() -> None:
    orders = OrderTracker()
    for number in range(FILL_IDS_KEPT + 1):
        orders.remember(fill(fill_id=str(number)))
    assert orders.has_seen(fill(fill_id=str(FILL_IDS_KEPT)))
    assert orders.has_seen(fill(fill_id="1"))
    assert not orders.has_seen(fill(fill_id="0"))


def test_filled_orders_are_remembered_up_to_a_bound_of_their_own() -> None:
    orders = tracker(order("early"))
    orders.close("early")
    for number in range(CLOSED_ORDERS_KEPT + 1):
        orders.sent(order(str(number)))
        orders.shares(fill(str(number)))
    assert orders.is_filled("1")
    assert not orders.is_filled("0")
    assert orders.shares(fill("1")) is not None
    assert orders.shares(fill("0")) is None
    assert orders.ended_early("early")
    assert not orders.ended_early("1")


def test_ended_orders_survive_a_checkpoint() -> None:
    orders = tracker(order("1"), order("2"))
    orders.shares(fill("1", 0.6))
    orders.shares(fill("1", 0.6))
    orders.close("2")
    again = OrderTracker()
    again.restore(orders.state())
    assert again.is_filled("1")
    assert again.ended_early("2")
    assert again.state() == orders.state()


def test_resting_are_the_open_limit_orders_of_a_strategy_on_one_side() -> None:
    orders = tracker(
        order("1", Side.BUY, limit=99.0),
        order("2", Side.SELL, limit=101.0),
        order("3", Side.BUY),
        order("4", Side.BUY, limit=98.0),
        order("5", Side.BUY, limit=98.0, parts=[("b", 1.0)]),
        order("6", Side.BUY, limit=98.0, symbol="ETH"),
    )
    assert list(orders.resting("a", "BTC", Side.BUY)) == ["1", "4"]
    assert list(orders.resting("a", "BTC", Side.SELL)) == ["2"]
    orders.close("1")
    orders.shares(fill("4"))
    assert list(orders.resting("a", "BTC", Side.BUY)) == []
    assert list(orders.resting("nobody", "BTC", Side.BUY)) == []
