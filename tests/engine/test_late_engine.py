"""Orders that answer market data which waited too long (risk check ``late_engine``)."""

from __future__ import annotations

import msgspec
import pytest

from sengine.assembly import risk_limits
from sengine.config.risk_schema import LateEngineFilter, RiskConfig
from sengine.domain.events import MarketEvent, RemoteSignals, SoundBookEvent
from sengine.domain.order import Contribution, ProposedOrder, Side
from sengine.engine.core import Engine
from sengine.engine.risk.checks import check_of
from sengine.engine.risk.limits import LateEngineLimit
from sengine.engine.risk.pipeline import RiskPipeline
from tests.engine.conftest import Actor, book, engine_with, long, ns, order, quote, simulated_engine

MS = 1_000_000


def late(event: MarketEvent, late_ms: float) -> MarketEvent:
    return msgspec.structs.replace(event, late_ns=int(late_ms * MS))


def codes(engine: Engine, event: MarketEvent) -> list[str]:
    return [result.code for result in engine.process(event).signals]


def test_an_order_on_what_waited_too_long_is_refused_with_the_numbers() -> None:
    engine = simulated_engine(Actor("a", long(), long(), long()), checks=[LateEngineLimit()])
    assert codes(engine, late(quote(1), 1000)) == [""]
    (result,) = engine.process(late(quote(2), 1000.001)).signals
    assert (result.check, result.code) == ("late_engine", "late")
    assert "came 1,000 ms ago, max_age is 1000 ms" in result.reason
    assert codes(engine, quote(3)) == [""], "as soon as it is in time again"


def test_both_ways_through_the_engine_look_at_the_age() -> None:
    engine = simulated_engine(Actor("a", long()), checks=[LateEngineLimit()])
    events = iter([late(SoundBookEvent("BTC", ns(at_s), book()), 5000) for at_s in (1, 2)])
    step = engine.process_until(events, 2**62)
    assert step is not None
    assert step[1] is not None
    assert [result.code for result in step[1].signals] == ["late"]


def test_an_answer_of_a_strategy_in_its_own_process_carries_its_age() -> None:
    actor = Actor("a", max_signal_age_ns=10**12)
    engine = engine_with(actor, checks=[LateEngineLimit()])
    engine.process(quote(1))
    answer = RemoteSignals("a", "BTC", ns(1), 1, (long(),), late_ns=2000 * MS)
    assert [result.code for result in engine.process(answer).signals] == ["late"]
    in_time = msgspec.structs.replace(answer, late_ns=0)
    assert [result.code for result in engine.process(in_time).signals] == [""]


@pytest.mark.parametrize(
    ("check", "is_late"),
    [
        (LateEngineLimit(), True),
        (LateEngineLimit(2000 * MS), False),
        (LateEngineLimit(symbol="BTC"), True),
        (LateEngineLimit(symbol="ETH"), False),
        (LateEngineLimit(strategy="a"), True),
        (LateEngineLimit(strategy="b"), False),
    ],
)
def test_at_hand_over_the_same_checks_bound_the_age(check: LateEngineLimit, *, is_late: bool) -> None:
    sentence = RiskPipeline([check]).too_late(order(), 1500 * MS)
    assert ("1,500 ms ago" in sentence) == is_late
    assert RiskPipeline([check]).too_late(order(), 900 * MS) == ""
    assert RiskPipeline([check], ["late_engine"]).too_late(order(), 1500 * MS) == ""


def test_what_an_operator_asked_for_is_never_too_late() -> None:
    flatten = ProposedOrder("BTC", Side.SELL, 1.0, 0, (Contribution("a", -1.0, 0),))
    assert RiskPipeline([LateEngineLimit()]).too_late(flatten, 10**12) == ""


def test_the_largest_age_is_shown_as_its_use_and_a_larger_one_is_looser() -> None:
    engine = simulated_engine(Actor("a", long()), checks=[LateEngineLimit()])
    engine.process(late(quote(1), 250))
    usage = check_of(LateEngineLimit()).usage(engine.risk_view)
    assert (usage.limit_name, usage.limit, usage.used) == ("max_age_ms", 1000.0, 250.0)
    assert LateEngineLimit().loosened_in(LateEngineLimit(2000 * MS))
    assert not LateEngineLimit().loosened_in(LateEngineLimit(500 * MS))


def test_live_it_is_on_where_nobody_configured_it_and_a_replay_has_no_use_for_it() -> None:
    assert [check.name for check in risk_limits(RiskConfig())][-1] != "late_engine"
    assert risk_limits(RiskConfig(filters=[]), is_live=True) == [LateEngineLimit()]
    own = RiskConfig(filters=[LateEngineFilter(max_age_ns=7)])
    assert risk_limits(own, is_live=True) == [LateEngineLimit(7)]
