"""Orders that are rejected one after the other pause: 1 s, then twice as long each time, up to a minute."""

from __future__ import annotations

import msgspec
import pytest

from sengine.domain.events import ResumeStrategy
from sengine.domain.order import OrderStatus, OrderUpdate
from sengine.domain.signal import Disposition
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint, restore
from sengine.engine.core import Engine
from sengine.engine.outcome import Outcome
from tests.engine.conftest import Actor, engine_with, fill, long, ns, quote

ENDLESS = [long()] * 2_000


def engine(*actors: Actor, after: int = 5) -> Engine:
    return engine_with(*(actors or (Actor("a", *ENDLESS),)), reject_pause=after)


def reject(engine: Engine, outcome: Outcome, at_s: float, reason: str = "insufficient margin") -> list[str]:
    """All orders of an outcome are rejected; what is warned about."""
    return [
        warning
        for order in outcome.orders
        for warning in engine.process(OrderUpdate(order.order_id, OrderStatus.REJECTED, ns(at_s), reason)).warnings
    ]


def test_two_hundred_ticks_against_a_venue_that_rejects_all_send_a_handful_of_orders_and_say_so_once_a_pause() -> None:
    trader = engine()
    said, sent, filtered = [], 0, 0
    for step in range(200):
        at_s = 1 + step / 10
        outcome = trader.process(quote(at_s))
        sent += len(outcome.orders)
        filtered += sum(each.disposition is Disposition.FILTERED for each in outcome.signals)
        said += reject(trader, outcome, at_s)
    # Five, a pause of 1 s, one more, 2 s, one more, 4 s, ...: within 20 s.
    assert sent == 9
    assert sent + filtered == 200
    assert [line.rsplit("pause for ", 1)[1] for line in said] == ["1 s", "2 s", "4 s", "8 s", "16 s"]
    assert said[0].startswith("5 orders of a on BTC were rejected in a row, last: insufficient margin")
    assert trader.anomalies["reject_pause"] == 5


def test_a_signal_in_a_pause_is_filtered_with_the_check_the_code_and_until_when() -> None:
    trader = engine(after=1)
    reject(trader, trader.process(quote(1)), 1)
    (result,) = trader.process(quote(1.999)).signals
    assert (result.check, result.code) == ("reject_pause", "orders_rejected")
    assert "1 orders of a on BTC" in result.reason
    assert "1970-01-01T00:00:02" in result.reason
    assert len(trader.process(quote(2)).orders) == 1


def test_a_pause_never_gets_longer_than_a_minute() -> None:
    trader = engine(after=1)
    at_s, pauses = 1.0, []
    for _ in range(9):
        (warning,) = reject(trader, trader.process(quote(at_s)), at_s)
        pauses.append(float(warning.rsplit("pause for ", 1)[1].removesuffix(" s")))
        at_s += pauses[-1]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_orders_that_were_sent_before_a_pause_began_do_not_make_it_longer() -> None:
    trader = engine(after=2)
    sent = [trader.process(quote(1 + step / 100)) for step in range(10)]
    said = [warning for outcome in sent for warning in reject(trader, outcome, 1.1)]
    assert len(said) == 1
    assert len(trader.process(quote(2.1)).orders) == 1


@pytest.mark.parametrize("good", ["fill", "accepted"])
def test_an_order_that_goes_through_ends_the_row(good: str) -> None:
    trader = engine()
    for step in range(4):
        reject(trader, trader.process(quote(1 + step)), 1 + step)
    (order,) = trader.process(quote(5)).orders
    trader.process(fill(order.order_id) if good == "fill" else OrderUpdate(order.order_id, OrderStatus.ACCEPTED, ns(5)))
    said = [warning for step in range(6, 11) for warning in reject(trader, trader.process(quote(step)), step)]
    assert len(said) == 1
    assert said[0].startswith("5 orders of a on BTC")


def test_another_strategy_and_another_symbol_go_on() -> None:
    trader = engine(Actor("a", *ENDLESS, route="direct"), Actor("b", *ENDLESS, route="direct"), after=1)
    outcome = trader.process(quote(1))
    of_a = next(order for order in outcome.orders if order.contributions[0].strategy_id == "a")
    trader.process(OrderUpdate(of_a.order_id, OrderStatus.REJECTED, ns(1)))
    assert [order.contributions[0].strategy_id for order in trader.process(quote(1.5)).orders] == ["b"]
    assert len(trader.process(quote(1.6, symbol="ETH")).orders) == 2


def test_a_person_who_resumes_the_strategy_ends_its_pause() -> None:
    trader = engine(after=1)
    reject(trader, trader.process(quote(1)), 1)
    trader.registry.pause("a", "looked at")
    trader.process(ResumeStrategy("a"))
    assert len(trader.process(quote(1.5)).orders) == 1


def test_nothing_pauses_where_it_is_set_to_zero() -> None:
    trader = engine(after=0)
    for step in range(20):
        assert reject(trader, trader.process(quote(1 + step / 100)), 1) == []
    assert trader.dispositions[Disposition.PASSED] == 20


def test_a_pause_is_in_the_checkpoint_and_an_older_one_without_it_is_read() -> None:
    trader = engine(after=1)
    reject(trader, trader.process(quote(1)), 1)
    kept = msgspec.msgpack.encode(checkpoint(trader))
    follows = engine(after=1)
    restore(follows, msgspec.msgpack.decode(kept, type=Checkpoint))
    (result,) = follows.process(quote(1.5)).signals
    assert result.check == "reject_pause"
    older = msgspec.msgpack.decode(kept)
    del older["record"]["rejections"]
    restore(fresh := engine(after=1), msgspec.convert(older, Checkpoint, strict=False))
    assert len(fresh.process(quote(1.5)).orders) == 1


def test_orders_that_never_left_this_program_are_no_row_of_rejections() -> None:
    trader = engine(after=2)
    for step in range(1, 6):
        (order,) = trader.process(quote(step)).orders
        update = OrderUpdate(
            order.order_id, OrderStatus.REJECTED, ns(step), "not sent: the disk is full", never_left=True
        )
        assert trader.process(update).warnings == []
    assert trader.dispositions[Disposition.PASSED] == 5
