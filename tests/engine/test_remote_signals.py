"""What strategies in their own processes answer, later than the tick."""

from __future__ import annotations

import msgspec
import pytest

from sengine.domain.events import PauseStrategy, RemoteReady, RemoteRolledBack, RemoteSignals, ReportedError
from sengine.domain.signal import Disposition, Signal
from sengine.engine.checkpoint.follower import Follower, Happened
from sengine.engine.outcome import NOTHING
from sengine.engine.risk.limits import PositionLimit
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.strategies.trial import RolledBack
from sengine.errors import EngineError
from tests.engine.conftest import (
    SYMBOL,
    Actor,
    close,
    endings,
    engine_with,
    fill,
    long,
    ns,
    quote,
    sent,
    short,
    simulated_engine,
)


def remote(strategy_id: str = "far", age_s: float = 0.5, **spec: object) -> Actor:
    return Actor(strategy_id, max_signal_age_ns=ns(age_s), **spec)


def said(at_s: float, *signals: Signal, tick: int = 1, errors: tuple[ReportedError, ...] = ()) -> RemoteSignals:
    return RemoteSignals("far", SYMBOL, ns(at_s), tick, signals, errors)


def test_a_late_answer_votes_and_trades_at_the_present_price() -> None:
    engine = simulated_engine(remote())
    engine.process(quote(1, 99, 101))
    engine.process(quote(1.2, 199, 201))
    outcome = engine.process(said(1, long()))
    assert endings(outcome) == [("far", Disposition.PASSED)]
    assert (outcome.signals[0].signal.timestamp_ns, outcome.orders[0].timestamp_ns) == (ns(1), ns(1.2))
    assert outcome.fills[0].price == 201
    assert engine.registry.get("far").current.instance_for(SYMBOL).position == 1.0


def test_its_vote_is_counted_with_the_others() -> None:
    near = Actor("near", short(0.9))
    engine = engine_with(near, remote())
    engine.process(quote(1))
    assert endings(engine.process(said(1, long(0.3)))) == [("far", Disposition.OVERRULED)]


def test_an_answer_older_than_allowed_is_filtered_and_counted() -> None:
    engine = engine_with(remote(age_s=0.5))
    engine.process(quote(1))
    engine.process(quote(1.5))
    assert endings(engine.process(said(1, long()))) == [("far", Disposition.PASSED)]
    engine.process(quote(1.6))
    outcome = engine.process(said(1, long(), short()))
    assert [(each.check, each.code) for each in outcome.signals] == [("signal_age", "signal_too_old")] * 2
    assert outcome.signals[0].reason == "answers a tick of 600 ms ago; max_signal_age_ms is 500"
    assert engine.filtered_by == {"signal_age": 2}
    assert engine.signals_generated == sum(engine.dispositions.values()) == 3


def test_risk_checks_hold_it_as_any_other() -> None:
    engine = engine_with(remote(), checks=[PositionLimit(0.5)])
    engine.process(quote(1))
    assert [each.check for each in engine.process(said(1, long())).signals] == ["position_limit"]


def test_a_direct_strategy_gets_an_order_for_each_signal() -> None:
    engine = engine_with(remote(route="direct"))
    engine.process(quote(1))
    outcome = engine.process(said(1, long(limit_price=98.0), short(limit_price=102.0)))
    assert sent(outcome) == [("buy", 1.0), ("sell", 1.0)]
    engine.process(fill("1"))
    outcome = engine.process(said(1, close(), tick=2))
    assert (outcome.cancels, sent(outcome)) == (["2"], [("sell", 1.0)])  # 1 held, and the quote that would sell it goes


def test_what_its_process_reports_counts_as_its_errors() -> None:
    engine = engine_with(remote(), max_errors=2)
    engine.process(quote(1))
    error = ReportedError("exception", "ValueError: no", "far.py:3", "Traceback")
    outcome = engine.process(said(1, errors=(error,)))
    fault = outcome.faults[0]
    assert (fault.kind, fault.message, fault.where, fault.traceback) == (
        "exception", "ValueError: no", "far.py:3", "Traceback",
    )  # fmt: skip
    outcome = engine.process(said(1, errors=(error,)))
    assert "2 errors within 60 s; last: ValueError: no" in outcome.notices[0]
    assert not engine.registry.get("far").is_active


def test_an_invalid_signal_is_its_error_and_no_signal() -> None:
    engine = engine_with(remote())
    engine.process(quote(1))
    outcome = engine.process(said(1, long(7.0), Signal(direction="UP", confidence=1.0)))
    assert [fault.kind for fault in outcome.faults] == ["invalid_signal"] * 2
    assert (outcome.signals, engine.signals_generated) == ([], 0)


def test_answers_after_a_pause_trade_nothing_and_still_add_up() -> None:
    engine = engine_with(remote())
    engine.process(quote(1))
    engine.process(PauseStrategy("far"))
    outcome = engine.process(said(1, long()))
    assert [(each.disposition, each.code) for each in outcome.signals] == [
        (Disposition.FILTERED, "strategy_not_active")
    ]
    assert engine.signals_generated == sum(engine.dispositions.values()) == 1


@pytest.mark.parametrize("actor", [Actor("far"), Actor("near")])
def test_an_answer_of_nobody_is_an_anomaly(actor: Actor) -> None:
    engine = engine_with(actor)
    engine.process(quote(1))
    assert engine.process(said(1, long())) is NOTHING
    assert engine.anomalies == {"answer_of_no_remote_strategy": 1}


def test_handing_a_tick_over_is_not_shown_as_its_latency() -> None:
    engine = engine_with(remote())
    engine.process(quote(1))
    runtime = engine.registry.get("far")
    assert (runtime.ticks, runtime.on_tick_latency.pending) == (1, 0)


def test_what_its_process_runs_is_what_the_strategy_is() -> None:
    engine = engine_with(remote())
    engine.process(quote(1))
    engine.process(RemoteReady("far", "2.0.0+abc", "direct", ("trade",), {"fast": 5}))
    runtime = engine.registry.get("far")
    assert (runtime.spec.version, runtime.is_direct, runtime.config) == ("2.0.0+abc", True, {"fast": 5})
    engine.process(quote(2))
    assert runtime.ticks == 1


def test_a_version_that_made_way_for_the_one_before_has_one_error_and_pauses_nobody() -> None:
    engine = engine_with(remote(), max_errors=1)
    engine.process(quote(1))
    old = RemoteReady("far", "1.0.0+abc", "direct", ("trade",), {"fast": 5})
    engine.process(RemoteReady("far", "2.0.0+def", "vote", ("book",), {"fast": 7}))
    error = ReportedError("exception", "ValueError: no", "far.py:3")
    outcome = engine.process(RemoteRolledBack(old, "2.0.0+def", 4, error))
    assert [(each.kind, each.message, each.timestamp_ns) for each in outcome.faults] == [
        ("exception", "ValueError: no", ns(1))
    ]
    back = RolledBack("far", "2.0.0+def", "1.0.0+abc", 4, "ValueError: no", "far.py:3")
    assert (outcome.rollbacks, outcome.notices) == ([back], [])
    runtime = engine.registry.get("far")
    assert (runtime.spec.version, runtime.is_direct, runtime.config) == ("1.0.0+abc", True, {"fast": 5})
    assert (runtime.errors, runtime.is_active) == ({"exception": 1}, True)
    # The next one counts as the first.
    assert engine.process(said(1, errors=(error,))).notices


def test_who_follows_a_session_forgives_what_it_forgave() -> None:
    engine = engine_with(remote(), max_errors=1)
    follower = Follower(engine)
    follower.market_data(iter([quote(1)]))
    error = ReportedError("exception", "ValueError: no", "far.py:3")
    event = RemoteRolledBack(RemoteReady("far", "1", "vote", ("book",)), "2", 4, error)
    follower.event(event)
    fault = StrategyFault("far", "exception", "ValueError: no", "far.py:3", ns(1))
    follower.happened(Happened(faults=[fault], rollbacks=[RolledBack("far", "2", "1", 4, "ValueError: no", "")]))
    follower.end()
    runtime = engine.registry.get("far")
    assert (runtime.errors, len(runtime.fault_times_ns)) == ({"exception": 1}, 0)


@pytest.mark.parametrize(("route", "kinds"), [("sideways", ("book",)), ("vote", ("books",)), ("vote", ())])
def test_a_process_that_asks_for_what_there_is_not_is_refused(route: str, kinds: tuple[str, ...]) -> None:
    engine = engine_with(remote())
    with pytest.raises(EngineError, match="strategy far: expected the route vote or direct"):
        engine.process(RemoteReady("far", "1", route, kinds))


def test_it_can_be_written_down_and_read_again() -> None:
    error = ReportedError("exception", "no")
    event = said(1, long(metadata={"rsi": 20.5}), errors=(error,))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(event), type=RemoteSignals) == event
    back = RemoteRolledBack(RemoteReady("far", "1", "vote", ("book",), {"fast": 5}), "2", 4, error)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(back), type=RemoteRolledBack) == back
