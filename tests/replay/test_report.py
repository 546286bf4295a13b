from __future__ import annotations

import json
from math import inf, nan
from typing import Any

import msgspec
import pytest

from replay.report import report_json, report_of
from replay.result import RunResult
from sengine.domain.signal import Signal

# What issue authors and scripts rely on; more keys may be added.
KEYS = {
    "": {"ticks", "rejected", "signals", "orders", "fills", "positions", "metrics", "latency_us"}
    | {"ticks_per_second", "elapsed_s", "digest"},
    "signals": {"total", "passed", "overruled", "filtered", "no_change", "filtered_by"},
    "positions": {"strategy_id", "symbol", "quantity", "average_price", "realized_pnl", "unrealized_pnl", "commission"},
    "metrics": {"total_pnl", "sharpe", "sortino", "max_drawdown", "win_rate", "profit_factor", "trades", "turnover"},
    "latency_us": {"on_tick", "tick"},
    "percentiles": {"p50", "p99", "max"},
}


@pytest.fixture
def result(lab: Any) -> RunResult:
    unsure = Signal(direction="LONG", confidence=0.2, size=1.0)
    scripts = {"a": [lab.buy(2.0), None, lab.sell(2.0)], "b": [unsure, ValueError("boom")]}
    run: RunResult = lab.run(scripts, [*lab.quotes(100, 104, 108, 106), lab.quote(1)], commission_bps=1)
    return run


def test_the_promised_keys_are_there(result: RunResult) -> None:
    report = report_of(result, 1_000.0)
    assert KEYS[""] <= set(report)
    assert KEYS["signals"] == set(report["signals"])
    assert KEYS["positions"] == set(report["positions"][0])
    assert KEYS["metrics"] <= set(report["metrics"])
    assert KEYS["latency_us"] == set(report["latency_us"])
    assert KEYS["percentiles"] == set(report["latency_us"]["tick"]) == set(report["latency_us"]["on_tick"]["a"])
    assert set(report["latency_us"]["on_tick"]) == {"a", "b"}


def test_the_figures_are_those_of_the_run(result: RunResult) -> None:
    report = json.loads(report_json(result, 1_000.0))
    commission = (202 + 214) * 0.0001
    assert report["ticks"] == 4
    assert report["rejected"] == {"time_backwards": 1}
    assert report["signals"] == {
        "total": 3,
        "passed": 2,
        "overruled": 0,
        "filtered": 1,
        "no_change": 0,
        "filtered_by": {"confidence": 1},
    }
    assert (report["orders"], report["fills"]) == (2, 2)
    (position,) = report["positions"]
    assert (position["strategy_id"], position["symbol"], position["quantity"]) == ("a", "BTC", 0.0)
    assert position["realized_pnl"] == pytest.approx(12.0 - commission)
    assert report["metrics"]["total_pnl"] == pytest.approx(12.0 - commission)
    assert report["metrics"]["trades"] == 1
    assert report["metrics"]["initial_capital"] == 1_000.0
    assert report["digest"] == result.digest
    assert report["digest"].startswith("sha256:")
    assert (report["from"], report["to"]) == ("1970-01-01T00:00:00.000000000Z", "1970-01-01T00:00:03.000000000Z")


def test_what_went_wrong_is_reported_with_its_place(result: RunResult) -> None:
    report = report_of(msgspec.structs.replace(result, failed_strategies=(("c", "c.py:1: syntax error"),)), 1_000.0)
    assert report["strategy_errors"] == {"b": 1}
    (fault,) = report["faults"]
    assert fault["strategy_id"] == "b"
    assert fault["kind"] == "exception"
    assert fault["message"] == "ValueError: boom"
    assert fault["timestamp"] == "1970-01-01T00:00:01.000000000Z"
    assert ".py:" in fault["where"]
    assert report["failed_strategies"] == [{"strategy_id": "c", "reason": "c.py:1: syntax error"}]


def test_a_run_without_ticks_is_still_valid_json(lab: Any) -> None:
    report = json.loads(report_json(lab.run({"a": []}, []), 1_000.0))
    assert (report["ticks"], report["from"], report["to"]) == (0, None, None)
    assert report["metrics"]["sharpe"] is None
    assert report["positions"] == []


def test_numbers_that_are_not_finite_are_null(result: RunResult) -> None:
    performance = msgspec.structs.replace(result.performance, total_pnl=nan, turnover=inf)
    report = json.loads(report_json(msgspec.structs.replace(result, performance=performance), 1_000.0))
    assert report["metrics"]["total_pnl"] is None
    assert report["metrics"]["turnover"] is None


def test_text_that_is_no_unicode_is_escaped(result: RunResult) -> None:
    broken = msgspec.structs.replace(result, failed_strategies=(("c", "/tmp/\udcff.py: cannot be read"),))
    report = json.loads(report_json(broken, 1_000.0))
    assert report["failed_strategies"][0]["reason"] == "/tmp/\\udcff.py: cannot be read"


def test_the_text_ends_with_one_newline(result: RunResult) -> None:
    text = report_json(result, 1_000.0)
    assert text.endswith("}\n")
    assert not text.endswith("\n\n")
