"""Strategies that override ``on_order`` are told what became of each signal and order of their own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

from sengine.adapters.journal.journal import happened_of
from sengine.domain.events import CancelOrder, Interrupted, KillSwitch, PauseStrategy
from sengine.domain.order import Fill, OrderStatus, OrderUpdate
from sengine.domain.order_news import OrderNews
from sengine.engine.checkpoint.checkpoint import checkpoint, restore
from sengine.engine.checkpoint.follower import Follower
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.outcome import NOTHING
from sengine.engine.risk.limits import ConfidenceLimit
from sengine.engine.strategies.spec import StrategySpec
from sengine.strategy import BaseStrategy
from tests.engine.conftest import Actor, close, engine_with, fill, long, ns, quote, short, simulated_engine


class Listening:
    """A strategy that answers as told and notes what it is told, with its fills and ticks in between."""

    def __init__(self, *answers: object, on_order: Callable[[OrderNews], Any] = lambda news: None, **spec: Any) -> None:
        script = deque(answers)
        self.news: list[OrderNews] = []
        self.calls: list[str] = []
        listening = self

        class Told(BaseStrategy):
            def on_tick(self, data: Any) -> Any:
                listening.calls.append("on_tick")
                return script.popleft() if script else None

            def on_fill(self, fill: Fill) -> Any:
                super().on_fill(fill)
                listening.calls.append("on_fill")

            def on_order(self, update: OrderNews) -> Any:
                listening.news.append(update)
                listening.calls.append(update.status)
                return on_order(update)

        name = spec.pop("strategy_id", "a")
        self.spec = StrategySpec(name, lambda: Told(name), source=__file__, **spec)

    @property
    def statuses(self) -> list[str]:
        return [each.status for each in self.news]


def update(status: OrderStatus, order_id: str = "1", at_s: float = 2, reason: str = "") -> OrderUpdate:
    return OrderUpdate(order_id, status, ns(at_s), reason)


def test_a_filtered_signal_is_told_with_check_code_reason_and_its_own_metadata() -> None:
    heard = Listening(long(confidence=0.1, size=2.0, metadata={"why": "dip"}))
    engine = simulated_engine(heard, checks=[ConfidenceLimit(min_confidence=0.6)])
    engine.process(quote(1))
    (news,) = heard.news
    assert (news.status, news.check, news.code) == ("filtered", "confidence", "below_min_confidence")
    assert "0.1" in news.reason
    assert (news.strategy_id, news.symbol, news.direction, news.quantity) == ("a", "BTC", "LONG", 2.0)
    assert (news.timestamp_ns, news.signal_sequence, news.metadata) == (ns(1), 1, {"why": "dip"})
    assert news.order_id == ""


def test_an_overruled_signal_and_one_with_nothing_to_trade_are_told_in_words() -> None:
    weak, strong = Listening(long(confidence=0.2)), Actor("b", short(confidence=0.9))
    engine = simulated_engine(weak, strong)
    engine.process(quote(1))
    flat = Listening(close())
    simulated_engine(flat).process(quote(1))
    assert [(each.status, bool(each.reason)) for each in (*weak.news, *flat.news)] == [
        ("overruled", True),
        ("no_change", True),
    ]
    assert flat.news[0].quantity == 0.0


def test_what_passed_is_told_with_its_order_after_the_fills_of_the_same_event() -> None:
    heard = Listening(long(size=3.0))
    simulated_engine(heard).process(quote(1))
    (news,) = heard.news
    assert heard.calls == ["on_tick", "on_fill", "passed"]
    assert (news.order_id, news.side, news.quantity) == ("1", "buy", 3.0)


def test_a_close_that_passed_says_how_much_its_order_is_for() -> None:
    heard = Listening(long(size=3.0), close())
    engine = simulated_engine(heard)
    for at_s in (1, 2):
        engine.process(quote(at_s))
    assert [(each.direction, each.side, each.quantity) for each in heard.news] == [
        ("LONG", "buy", 3.0),
        ("CLOSE", "sell", 3.0),
    ]


@pytest.mark.parametrize("status", [OrderStatus.REJECTED, OrderStatus.CANCELLED, OrderStatus.UNKNOWN])
def test_each_contributor_is_told_of_its_part_of_an_order_that_ends_or_is_lost(status: OrderStatus) -> None:
    first = Listening(long(size=3.0), strategy_id="a")
    second = Listening(long(size=1.0), strategy_id="b")
    engine = engine_with(first, second)
    engine.process(quote(1))
    engine.process(fill("1", 2.0, at_s=1.5))
    engine.process(update(status, reason="insufficient margin"))
    told = [each.news[-1] for each in (first, second)]
    assert [(each.status, each.quantity, each.filled, each.signal_sequence) for each in told] == [
        (status, 3.0, 1.5, 1),
        (status, 1.0, 0.5, 2),
    ]
    assert {(each.order_id, each.side, each.reason, each.timestamp_ns) for each in told} == {
        ("1", "buy", "insufficient margin", ns(2))
    }


def test_an_order_that_has_ended_is_not_told_twice_and_accepted_is_no_news() -> None:
    heard = Listening(long())
    engine = engine_with(heard)
    engine.process(quote(1))
    for status in (OrderStatus.ACCEPTED, OrderStatus.REJECTED, OrderStatus.REJECTED):
        engine.process(update(status))
    assert heard.statuses == ["passed", "rejected"]


def test_cancellations_at_the_simulated_venue_are_told_before_the_next_on_tick() -> None:
    heard = Listening(long(limit_price=90.0), long(limit_price=91.0), route="direct")
    engine = engine_with(heard, venue=SimulatedVenue(latency_ns=ns(0.5)))
    for at_s in (1, 2, 3):
        engine.process(quote(at_s))
    assert heard.calls == ["on_tick", "passed", "on_tick", "passed", "cancelled", "on_tick"]
    assert [each.order_id for each in heard.news] == ["1", "2", "1"]


def test_commands_of_an_operator_are_told_by_what_they_do_to_orders() -> None:
    heard = Listening(long(limit_price=90.0), short(limit_price=120.0), long(), route="direct")
    engine = simulated_engine(heard)
    engine.process(quote(1))
    engine.process(quote(2))
    engine.process(CancelOrder("1"))
    engine.process(KillSwitch("test"))
    engine.process(quote(3))
    assert heard.statuses == ["passed", "passed", "cancelled", "cancelled", "filtered"]
    assert heard.news[-1].check == "kill_switch"


def test_the_instance_of_the_symbol_is_told_and_so_is_a_paused_strategy() -> None:
    told: list[tuple[str, str]] = []

    class PerSymbol(BaseStrategy):
        symbol = ""

        def on_tick(self, data: Any) -> Any:
            self.symbol = data.symbol
            return long()

        def on_order(self, update: OrderNews) -> None:
            told.append((self.symbol, update.symbol))

    class Loaded:
        spec = StrategySpec("a", lambda: PerSymbol("a"), source=__file__)

    engine = engine_with(Loaded())
    engine.process(quote(1, symbol="BTC"))
    engine.process(quote(1, symbol="ETH"))
    engine.process(PauseStrategy("a"))
    engine.process(update(OrderStatus.REJECTED, "1"))
    assert told == [("BTC", "BTC"), ("ETH", "ETH"), ("BTC", "BTC")]


def test_a_strategy_that_does_not_override_it_costs_no_call() -> None:
    silent, heard = Actor("a", long(), long()), Listening(long(), long(), strategy_id="b")
    engine = engine_with(silent, heard)
    for at_s in (1, 2):
        engine.process(quote(at_s))
    assert len(heard.news) == 2
    # Calls other than on_tick: made twice (load, route), two answers read; and for the one that listens, two told.
    assert engine.registry.get("b").calls - engine.registry.get("a").calls == 2


def test_what_on_order_raises_is_an_error_of_the_strategy_and_goes_no_further() -> None:
    def fail(news: OrderNews) -> None:
        raise ValueError("cannot take it")

    broken, other = Listening(long(), on_order=fail), Listening(long(), strategy_id="b")
    outcome = engine_with(broken, other).process(quote(1))
    (fault,) = outcome.faults
    assert (fault.strategy_id, fault.kind, fault.call) == ("a", "on_order", "on_order")
    assert fault.where.startswith(__file__)
    assert other.statuses == ["passed"]


@pytest.mark.parametrize("said", [long(), [], False])
def test_anything_returned_from_on_order_is_a_bad_return_and_no_signal(said: object) -> None:
    heard = Listening(long(), on_order=lambda news: said)
    engine = engine_with(heard)
    outcome = engine.process(quote(1))
    (fault,) = outcome.faults
    assert (fault.kind, fault.call) == ("bad_return", "on_order")
    assert "on_order must return nothing, got " in fault.message
    assert "on_tick" in fault.message
    assert engine.signals_generated == 1


@pytest.mark.parametrize("said", [long(), [], 0])
def test_anything_returned_from_on_fill_is_one_bad_return_a_call_at_its_own_place(said: object) -> None:
    class Returning(BaseStrategy):
        def on_tick(self, data: Any) -> Any:
            return long()

        def on_fill(self, fill: Fill) -> Any:
            super().on_fill(fill)
            return said

    class Loaded:
        spec = StrategySpec("a", lambda: Returning("a"), source=__file__)

    engine = simulated_engine(Loaded())
    outcome = engine.process(quote(1))
    (fault,) = outcome.faults
    assert (fault.kind, fault.call) == ("bad_return", "on_fill")
    assert fault.where == f"{__file__}:{Returning.on_fill.__code__.co_firstlineno}"
    assert engine.signals_generated == 1
    assert engine.registry.get("a").instances["BTC"].position == 1.0


def test_a_call_that_a_timer_cut_short_ends_so_again_under_the_same_number() -> None:
    heard = Listening(long(), long())
    engine = engine_with(heard)
    number = engine.registry.get("a").calls + 3  # made for the symbol, its answer read, told
    engine.process(Interrupted("a", "on_order", number, "interrupted after 50 ms"))
    (fault,) = engine.process(quote(1)).faults
    assert (fault.kind, fault.call, fault.number) == ("timeout", "on_order", number)
    assert heard.news == []


def test_an_engine_that_follows_a_record_tells_strategies_the_same_in_the_same_order() -> None:
    def actor() -> Listening:
        return Listening(
            [long(limit_price=90.0), short(limit_price=120.0)],
            [long(limit_price=101.0), short(limit_price=121.0)],
            long(confidence=0.1),
            close(),
            route="direct",
        )

    def engine_of(heard: Listening) -> Engine:
        return engine_with(heard, venue=SimulatedVenue(), checks=[ConfidenceLimit(min_confidence=0.6)])

    first, second = actor(), actor()
    lived, follows = engine_of(first), engine_of(second)
    restore(follows, checkpoint(lived))
    follower = Follower(follows)
    for event in (quote(1), quote(2), quote(3), quote(4), KillSwitch("end")):
        outcome = lived.process(event)
        follower.event(event)
        if outcome is not NOTHING:
            follower.happened(happened_of(outcome, {}, outcome.fills))
    follower.end()
    assert first.calls.count("cancelled") == 3
    assert second.calls == first.calls
    assert second.news == first.news


def test_errors_in_calls_that_follow_from_a_record_are_counted_once() -> None:
    def engine_of() -> Engine:
        def fail(news: OrderNews) -> None:
            raise ValueError("no")

        return simulated_engine(Listening(long(), long(), on_order=fail))

    lived, follows = engine_of(), engine_of()
    follower = Follower(follows)
    for event in (quote(1), quote(2)):
        outcome = lived.process(event)
        follower.event(event)
        follower.happened(happened_of(outcome, {}, outcome.fills))
    assert lived.registry.get("a").errors == follows.registry.get("a").errors == {"on_order": 2}
