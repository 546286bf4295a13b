"""The checks in the engine: sent orders count at once, limits change by command, a runaway strategy is disabled."""

from __future__ import annotations

import msgspec
import pytest

from sengine.domain.events import BookEvent, ResumeStrategy
from sengine.engine.core import Engine
from sengine.engine.risk import limits
from sengine.engine.risk.change_limits import ChangeLimits
from sengine.engine.state.saved import SavedTradingRecord
from sengine.engine.state.trading_record import TradingRecord
from sengine.errors import LimitError
from tests.engine.conftest import (
    SYMBOL,
    Actor,
    S,
    close,
    engine_with,
    fill,
    ladder,
    long,
    ns,
    quote,
    sent,
    short,
    simulated_engine,
    trade,
)

DAY_S = 86_400


def refusals(engine: Engine, *events) -> list[str]:
    """The code of every refusal that the events led to."""
    return [result.code for event in events for result in engine.process(event).signals if result.check]


def test_orders_that_are_in_flight_count_at_once() -> None:
    engine = engine_with(Actor("a", long(), long(), long()), checks=[limits.GrossExposureLimit(250.0)])
    assert refusals(engine, quote(1), quote(2), quote(3)) == ["above_max_notional"]
    assert engine.orders.count == 2
    engine = engine_with(Actor("a", *[long()] * 4), checks=[limits.OrderRateLimit(2, S)])
    assert refusals(engine, quote(1), quote(1.1), quote(1.2), quote(2.05)) == ["above_max_orders"]
    engine = engine_with(Actor("a", long(), long(size=2.0)), checks=[limits.OpenOrdersLimit(1)])
    assert refusals(engine, quote(1), quote(2)) == ["above_max_open_orders"]


def test_two_orders_of_one_event_count_one_after_the_other() -> None:
    engine = engine_with(
        Actor("a", long(), route="direct"), Actor("b", long(), route="direct"), checks=[limits.OpenOrdersLimit(1)]
    )
    assert refusals(engine, quote(1)) == ["above_max_open_orders"]


def test_a_strategy_that_goes_on_and_on_is_paused_until_a_person_resumes_it() -> None:
    actor = Actor("a", *[long(0.9, 0.1 * (1 + number)) for number in range(9)])
    engine = simulated_engine(actor, Actor("b"), checks=[limits.RepeatedExecutionLimit(3, 60 * S)])
    for at_s in (1, 2, 3):
        assert sent(engine.process(quote(at_s)))
    outcome = engine.process(quote(4))
    assert [result.code for result in outcome.signals] == ["repeated_execution"]
    assert not outcome.orders
    runtime = engine.registry.get("a")
    assert not runtime.is_active
    assert "executed 3 times in a row to buy BTC" in runtime.pause_reason
    assert outcome.notices == [f"strategy a paused: {runtime.pause_reason}"]
    assert not engine.process(quote(5)).signals, "it is not asked any more"
    engine.process(ResumeStrategy("a"))
    assert sent(engine.process(quote(6))), "what a person has looked at is forgiven"


def test_a_limit_order_counts_as_executed_when_it_first_fills() -> None:
    check = limits.RepeatedExecutionLimit(1, 60 * S)
    engine = engine_with(Actor("a", long(limit_price=98.0), long(limit_price=97.0), route="direct"), checks=[check])
    engine.process(quote(1))
    assert not engine.record.runs
    engine.process(fill("1", 0.4, at_s=1.5))
    engine.process(fill("1", 0.6, at_s=1.6))
    assert engine.record.runs["a", SYMBOL].times_ns == [ns(1.5)]
    assert refusals(engine, quote(2)) == ["repeated_execution"]
    engine = simulated_engine(
        Actor("a", long(limit_price=102.0), long(limit_price=102.0), route="direct"), checks=[check]
    )
    assert sent(engine.process(quote(1)))
    assert refusals(engine, quote(2)) == ["repeated_execution"], "filled whole on arrival"


def test_a_jump_of_the_price_holds_orders_back_for_a_second() -> None:
    engine = engine_with(Actor("a", None, None, *[long()] * 5), checks=[limits.PriceCollar(500.0, 100.0)])
    assert refusals(engine, quote(1), quote(2.5, 99.1, 101.1)) == []
    assert refusals(engine, quote(2.6, 104.0, 106.0)) == ["price_jumped"]
    assert refusals(engine, quote(3.4, 104.1, 106.0)) == ["price_jumped"]
    assert refusals(engine, quote(3.6, 104.2, 106.0)) == [], "the new level has lasted"


def test_an_unsound_book_holds_orders_back_until_a_sound_one() -> None:
    actor = Actor("a", None, long(), long(), kinds=("book", "trade"))
    engine = engine_with(actor, checks=[limits.SoundBook()])
    engine.process(quote(1))
    engine.process(BookEvent(SYMBOL, ns(2), ladder([(102.0, 1.0)], [(101.0, 1.0)])))
    assert refusals(engine, trade(3)) == ["unsound_book"]
    assert refusals(engine, quote(4)) == []


def test_an_old_book_holds_back_orders_of_trades_and_of_other_symbols() -> None:
    asked = long(symbol="ETH")
    engine = engine_with(
        Actor("a", None, None, asked, asked, symbols=("BTC", "ETH"), kinds=("book", "trade")),
        checks=[limits.PriceAgeLimit(2 * S)],
    )
    assert refusals(engine, quote(1, symbol="ETH"), quote(2), quote(3)) == []
    assert refusals(engine, quote(4)) == ["stale_price"]


def test_a_new_day_begins_with_nothing_lost() -> None:
    engine = simulated_engine(
        Actor("a", long(), None, long(), long(), long(), close()), checks=[limits.DailyLossLimit(5.0)]
    )
    engine.process(quote(DAY_S - 10))
    assert refusals(engine, quote(DAY_S - 9, 90.0, 92.0), quote(DAY_S - 8.9, 90.0, 92.1)) == ["above_max_loss"]
    # The first price of the day is compared with the last of the day before.
    assert refusals(engine, quote(DAY_S, 90.0, 92.0)) == []
    assert refusals(engine, quote(DAY_S + 1, 80.0, 82.0)) == ["above_max_loss"]
    assert sent(engine.process(quote(DAY_S + 2, 80.0, 82.0))) == [("sell", 2.0)]


def test_the_quiet_way_through_the_engine_sees_the_same_day_and_the_same_jumps() -> None:
    def run(engine: Engine, together: bool) -> tuple:
        quotes = [quote(at_s, 99.0 + at_s % 3, 101.0 + at_s % 3) for at_s in (1, 1.5, 2.2, 3, 3.1, DAY_S, DAY_S + 1)]
        if together:
            assert engine.process_until(iter(quotes), 2**62) is None
        else:
            for each in quotes:
                engine.process(each)
        market = engine.markets[SYMBOL]
        return market.reference_mid, market.reference_until_ns, engine.record.saved()

    assert run(engine_with(Actor("a")), True) == run(engine_with(Actor("a")), False)


def test_limits_change_by_a_command_that_refuses_to_loosen_them() -> None:
    engine = simulated_engine(Actor("a", long(size=3.0), long(size=3.0)), checks=[limits.PositionLimit(10.0)])
    tighter = ChangeLimits((limits.PositionLimit(2.0), limits.SelfCrossLimit()))
    assert engine.process(tighter).notices == []
    assert refusals(engine, quote(1)) == ["above_max_position"]
    wider = ChangeLimits((limits.PositionLimit(5.0),))
    with pytest.raises(LimitError, match="position_limit: max_position 2 -> 5; self_cross is gone"):
        engine.process(wider)
    assert [check.title for check in engine.risk.checks] == ["position_limit", "self_cross"], "nothing has changed"
    outcome = engine.process(msgspec.structs.replace(wider, allow_loosening=True))
    assert outcome.notices == [
        "limit loosened: position_limit: max_position 2 -> 5",
        "limit loosened: self_cross is gone",
    ]
    assert refusals(engine, quote(2)) == []


def test_the_state_of_the_checks_and_the_command_survive_msgpack() -> None:
    engine = simulated_engine(Actor("a", long(), short(), long(limit_price=99.0)), Actor("b", long()))
    for at_s in (1, 2, 3):
        engine.process(quote(at_s))
    saved = engine.record.saved()
    record = TradingRecord()
    record.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(saved), type=SavedTradingRecord))
    assert record.saved() == saved
    assert record.sent_ns
    command = ChangeLimits((limits.OrderRateLimit(3, S, 1, symbol="BTC"), limits.TradingHours("08:00", "16:00")))
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=ChangeLimits)
    assert list(again.limits) == list(command.limits)
