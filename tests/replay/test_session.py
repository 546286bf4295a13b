from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from replay.session import ReplaySession
from sengine.domain.events import BookEvent, MarketEvent
from sengine.domain.signal import Signal
from sengine.engine.outcome import Outcome
from sengine.errors import DataError


def test_a_round_trip_is_counted_and_earns_the_difference_of_the_touches(lab: Any) -> None:
    result = lab.run({"a": [lab.buy(2.0), None, lab.sell(2.0)]}, lab.quotes(100, 105, 110, 110))
    assert (result.ticks, result.signals_total, result.orders, result.fills) == (4, 2, 2, 2)
    (position,) = result.positions
    assert (position.quantity, position.realized_pnl) == (0.0, 2.0 * (109 - 101))
    assert result.performance.total_pnl == 16.0
    assert result.performance.trades == 1


def test_dispositions_add_up_to_the_signals(lab: Any) -> None:
    too_unsure = Signal(direction="LONG", confidence=0.1, size=1.0)
    nothing_to_close = Signal(direction="CLOSE", confidence=0.9)
    result = lab.run({"a": [lab.buy(), too_unsure], "b": [nothing_to_close, lab.sell()]}, lab.quotes(100, 101, 102))
    assert result.dispositions == {"passed": 2, "filtered": 1, "no_change": 1}
    assert sum(result.dispositions.values()) == result.signals_total
    assert result.filtered_by == {"confidence": 1}


def test_an_open_position_is_marked_at_the_last_mid(lab: Any) -> None:
    result = lab.run({"a": [lab.buy()]}, lab.quotes(100, 120))
    (position,) = result.positions
    assert position.unrealized_pnl == 120.0 - 101.0
    assert result.performance.total_pnl == 19.0
    assert result.curve.pnl[-1] == 19.0


def test_a_dropped_event_is_no_tick_and_moves_neither_the_curve_nor_the_end_of_the_run(lab: Any) -> None:
    reasons: list[tuple[str, MarketEvent]] = []
    crossed_and_far_ahead = lab.quote(10_000, bid=102.0, ask=101.0)
    events = [*lab.quotes(100, 101), crossed_and_far_ahead, lab.quote(2)]
    result = lab.run({"a": []}, events, on_rejected=lambda *why: reasons.append(why))
    assert result.ticks == 3
    assert result.rejected == {"crossed_book": 1}
    assert reasons == [("crossed_book", crossed_and_far_ahead)]
    assert len(result.curve.pnl) < 10
    assert (result.first_ns, result.last_ns) == (0, 2_000_000_000)


def test_drawdown_is_measured_between_the_samples_too(lab: Any) -> None:
    # All within one second: up to +18, down to -22, back up.
    events = [lab.quote(at / 10, mid - 1, mid + 1) for at, mid in enumerate((100, 119, 79, 119))]
    result = lab.run({"a": [lab.buy()]}, events)
    assert result.performance.max_drawdown == pytest.approx((18 + 22) / (1000 + 18))


def test_positions_that_cancel_out_have_no_drawdown_while_they_are_marked_one_by_one(lab: Any) -> None:
    result = lab.run({"long": [lab.buy(5.0)], "short": [lab.sell(5.0)]}, lab.quotes(100, 150, 60, 130))
    # Both paid the spread on the first event, and nothing happened to their sum after it.
    assert result.performance.total_pnl == pytest.approx(-10.0)
    assert result.performance.max_drawdown == pytest.approx(10.0 / 1000.0)


def test_a_sample_holds_the_state_before_the_event_that_came_after_it(lab: Any) -> None:
    events = [lab.quote(0.0), lab.quote(0.5, 109.0, 111.0), lab.quote(1.5, 119.0, 121.0)]
    result = lab.run({"a": [lab.buy()]}, events)
    # At 0 s nothing was held; at 1 s the position was marked at 110; the end is marked at 120.
    assert result.curve.times_ns() == [0, 1_000_000_000, 2_000_000_000]
    assert result.curve.pnl == [0.0, 9.0, 19.0]
    assert result.curve.gross_notional == [0.0, 110.0, 120.0]


def test_the_first_faults_of_each_strategy_are_kept_and_all_are_counted(lab: Any) -> None:
    broken = [ValueError(f"number {count}") for count in range(6)]
    result = lab.run({"a": broken, "b": ["nonsense"]}, lab.quotes(*[100] * 8))
    assert result.fault_counts == {"a": 6, "b": 1}
    assert [fault.message for fault in result.faults if fault.strategy_id == "a"] == [
        "ValueError: number 0",
        "ValueError: number 1",
        "ValueError: number 2",
    ]
    assert [fault.kind for fault in result.faults if fault.strategy_id == "b"] == ["bad_return"]


def test_a_strategy_that_is_paused_for_its_errors_is_reported(lab: Any) -> None:
    result = lab.run({"a": [KeyError("x")] * 5}, lab.quotes(*[100] * 5), max_errors=2)
    assert result.fault_counts == {"a": 2}
    assert len(result.pauses) == 1
    assert "strategy a paused" in result.pauses[0]


def test_the_others_trade_on_beside_a_broken_strategy(lab: Any) -> None:
    alone = lab.run({"b": [None, lab.buy()]}, lab.quotes(100, 101, 102))
    beside = lab.run({"a": [ValueError("no")] * 3, "b": [None, lab.buy()]}, lab.quotes(100, 101, 102))
    assert beside.digest == alone.digest
    assert beside.fills == 1


def test_strategies_are_shut_down_at_the_end(lab: Any) -> None:
    lab.run({"a": [], "b": []}, lab.quotes(100))
    assert lab.log == ["shutdown a", "shutdown b"]


def test_strategies_are_shut_down_when_the_feed_fails(lab: Any) -> None:
    def damaged() -> Iterator[BookEvent]:
        yield lab.quote(0)
        raise DataError("the file ends here")

    with pytest.raises(DataError, match="the file ends here"):
        lab.run({"a": []}, damaged())
    assert lab.log == ["shutdown a"]


def test_an_observer_sees_outcomes_and_can_stop_the_run(lab: Any) -> None:
    def stop_at_the_first_order(outcome: Outcome) -> None:
        if outcome.orders:
            raise DataError("seen one")

    session = ReplaySession(lab.engine({"a": [None, lab.buy()]}), observers=[stop_at_the_first_order])
    with pytest.raises(DataError, match="seen one"):
        session.run(lab.quotes(100, 101, 102, 103))
    assert session.engine.ticks == 2


def test_progress_is_reported_between_chunks(lab: Any) -> None:
    seen: list[int] = []
    result = lab.run({"a": []}, (lab.quote(at) for at in range(20_000)), on_chunk=seen.append)
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == result.ticks == 20_000


def test_a_run_over_nothing_has_no_figures(lab: Any) -> None:
    result = lab.run({"a": []}, [])
    assert result.ticks == 0
    assert result.curve.pnl == []
    assert result.performance.sharpe is None
    assert result.performance.exposure == 0.0
    assert result.tick_us == {"p50": 0.0, "p99": 0.0, "max": 0.0}


def test_latencies_are_there_for_each_strategy(lab: Any) -> None:
    result = lab.run({"a": [], "b": []}, lab.quotes(100, 101))
    assert set(result.on_tick_us) == {"a", "b"}
    assert all(0 < each["p50"] <= each["p99"] <= each["max"] for each in (result.tick_us, *result.on_tick_us.values()))
    assert result.ticks_per_second == result.ticks / result.elapsed_s


def test_nothing_stays_frozen_for_the_garbage_collector(lab: Any) -> None:
    before = gc.get_freeze_count()
    lab.run({"a": []}, lab.quotes(100))
    assert gc.get_freeze_count() <= before
