from __future__ import annotations

from datetime import UTC, datetime

from sengine.domain.order import Contribution, Fill, Order, OrderType, ProposedOrder, Side

PARTS = (Contribution("a", 1.5, 7), Contribution("b", 0.5, 8))


def test_an_order_is_a_limit_order_when_it_has_a_limit() -> None:
    assert ProposedOrder("BTC", Side.BUY, 2.0, 1, PARTS).order_type is OrderType.MARKET
    assert ProposedOrder("BTC", Side.BUY, 2.0, 1, PARTS, 99.0).order_type is OrderType.LIMIT


def test_an_approved_order_is_the_proposal_with_an_id() -> None:
    proposal = ProposedOrder("BTC", Side.SELL, 2.0, 5, PARTS, 99.0)
    order = Order.approved(proposal, "17")
    assert order == Order("BTC", Side.SELL, 2.0, 5, PARTS, 99.0, order_id="17")
    assert not isinstance(proposal, Order)


def test_a_sell_is_negative() -> None:
    fill = Fill("1", "a", "BTC", "sell", 100.0, 2.0, 0.1, 1_500_000_000)
    assert fill.signed_quantity == -2.0
    assert Fill("1", "a", "BTC", Side.BUY, 100.0, 2.0, 0.1, 0).signed_quantity == 2.0
    assert fill.timestamp == datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)
