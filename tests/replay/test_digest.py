from __future__ import annotations

import hashlib
from math import inf, nextafter

import msgspec

from replay.digest import RunDigest
from sengine.domain.order import Contribution, Fill, Order, ProposedOrder, Side
from sengine.engine.outcome import Outcome
from tests.outcomes import outcome_of


def order(quantity: float = 1.5, limit_price: float | None = None, order_id: str = "1") -> Order:
    parts = (Contribution("a", 1.0, 1), Contribution("b", 0.5, 2))
    return Order.approved(ProposedOrder("BTC", Side.BUY, quantity, 1_000, parts, limit_price), order_id)


def fill(price: float = 100.25) -> Fill:
    return Fill("1", "", "BTC", "buy", price, 1.5, 0.25, 1_000, "1-1")


def digest(*outcomes: Outcome) -> str:
    fingerprint = RunDigest()
    for outcome in outcomes:
        fingerprint.add(outcome)
    return fingerprint.text()


def test_it_is_sha256_over_orders_and_fills_as_messagepack() -> None:
    pack = msgspec.msgpack.encode
    records = pack(["1", 1_000, "BTC", "buy", 1.5, None, [["a", 1.0], ["b", 0.5]]])
    records += pack(["1-1", "1", 1_000, "BTC", "buy", 1.5, 100.25, 0.25])
    assert digest(outcome_of(orders=[order()], fills=[fill()])) == f"sha256:{hashlib.sha256(records).hexdigest()}"


def test_a_run_without_orders_has_the_digest_of_nothing() -> None:
    assert digest() == digest(outcome_of(notices=["hello"])) == f"sha256:{hashlib.sha256(b'').hexdigest()}"


def test_the_last_bit_of_a_price_counts() -> None:
    assert digest(outcome_of(fills=[fill(100.25)])) != digest(outcome_of(fills=[fill(nextafter(100.25, inf))]))


def test_order_quantity_and_limit_price_count() -> None:
    texts = {digest(outcome_of(orders=[each])) for each in (order(), order(2.0), order(limit_price=99.0))}
    assert len(texts) == 3


def test_the_sequence_counts() -> None:
    first, second = order(order_id="1"), order(order_id="2")
    assert digest(outcome_of(orders=[first, second])) != digest(outcome_of(orders=[second, first]))


def test_it_does_not_matter_which_event_led_to_a_record() -> None:
    together = digest(outcome_of(orders=[order()], fills=[fill()]))
    assert together == digest(outcome_of(orders=[order()]), Outcome(), outcome_of(fills=[fill()]))
