"""Whether this process ran: a time that it spent stopped accuses nobody."""

from __future__ import annotations

import pytest

from sengine.adapters.containment.standstill import Activity, Standstills


class Process:
    """A process whose main thread works, waits and is stopped as told."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.doing = Activity(0.0, 0)
        self.told: list[float] = []
        self.standstills = Standstills(0.01, lambda: self.now_s, lambda: self.doing)
        self.standstills.on_standstill = self.told.append

    def passes(self, seconds: float, used_s: float = 0.0, wakes: int = 0) -> None:
        self.now_s += seconds
        self.doing = Activity(self.doing.used_s + used_s, self.doing.wakes + wakes)


def test_a_process_that_was_stopped_stood_still() -> None:
    process = Process()
    process.passes(30.0)
    assert process.standstills.awake_s_since(99.0) == pytest.approx(1.0)
    assert process.told == [pytest.approx(30.0)]
    process.passes(5.0, used_s=5.0)
    assert process.standstills.awake_s_since(99.0) == pytest.approx(6.0)
    # What began after the stop is counted whole.
    assert process.standstills.awake_s_since(130.0) == pytest.approx(5.0)


def test_a_long_call_that_computes_or_waits_is_no_standstill() -> None:
    process = Process()
    process.passes(3.0, used_s=2.9)
    process.passes(3.0, wakes=300)
    assert process.standstills.awake_s_since(100.0) == pytest.approx(6.0)
    assert process.told == []


def test_a_call_that_got_a_part_of_a_processor_only_is_counted_by_that_part() -> None:
    process = Process()
    process.passes(8.0, used_s=1.0)
    assert process.standstills.awake_s_since(100.0) == pytest.approx(1.0)


def test_messages_that_woke_it_before_it_was_stopped_do_not_hide_the_stop() -> None:
    process = Process()
    process.passes(0.1, used_s=0.02, wakes=100)
    process.standstills.look()
    process.passes(2.0, used_s=0.02, wakes=100)
    process.standstills.look()
    assert process.told == [pytest.approx(1.98)]


def test_its_clock_stands_still_with_it() -> None:
    process = Process()
    before_s = process.standstills.awake_s()
    process.passes(0.2)
    process.standstills.look()
    process.passes(3600.0)
    assert process.standstills.awake_s() - before_s == pytest.approx(0.2)
