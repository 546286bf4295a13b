from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from replay.equity import EquityCurve
from replay.recorders import (
    EQUITY_COLUMNS,
    FILL_COLUMNS,
    SIGNAL_COLUMNS,
    CsvWriter,
    OutputFile,
    write_equity,
    write_fills,
    write_signals,
)
from sengine.domain.order import Fill
from sengine.domain.signal import Direction, Disposition, SignalResult, StampedSignal
from sengine.errors import DataError, SengineError
from tests.outcomes import outcome_of

S = 1_000_000_000


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def signal(**changes: Any) -> StampedSignal:
    fields: dict[str, Any] = {
        "sequence": 1,
        "strategy_id": "a",
        "symbol": "BTC",
        "direction": Direction.LONG,
        "confidence": 0.1 + 0.2,
        "size": 2.0,
        "timestamp_ns": 3 * S + 7,
    }
    return StampedSignal(**fields | changes)


def test_a_signal_is_written_with_how_it_ended(tmp_path: Path) -> None:
    path = tmp_path / "signals.csv"
    passed = SignalResult(signal(limit_price=99.5), Disposition.PASSED)
    reason = 'confidence 0.3 is below 0.6, "too unsure"'
    filtered = SignalResult(signal(), Disposition.FILTERED, "confidence", "too_low", reason)
    with OutputFile(path) as file:
        write_signals(CsvWriter(file, SIGNAL_COLUMNS), outcome_of(signals=[passed, filtered]))
    first, second = rows(path)
    assert first == {
        "timestamp": "1970-01-01T00:00:03.000000007Z",
        "strategy_id": "a",
        "symbol": "BTC",
        "direction": "LONG",
        "confidence": "0.30000000000000004",
        "size": "2.0",
        "limit_price": "99.5",
        "disposition": "passed",
        "check": "",
        "code": "",
        "reason": "",
    }
    assert (second["disposition"], second["check"], second["code"]) == ("filtered", "confidence", "too_low")
    assert second["reason"] == reason
    assert second["limit_price"] == ""


def test_each_strategys_share_of_a_fill_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "fills.csv"
    shares = [
        (Fill("7", "a", "BTC", "sell", 100.5, 1.0, 0.25, S, "7-1"), 12.5),
        (Fill("7", "b", "BTC", "sell", 100.5, 2.0, 0.5, S, "7-1"), None),
    ]
    with OutputFile(path) as file:
        write_fills(CsvWriter(file, FILL_COLUMNS), outcome_of(shares=shares))
    written = rows(path)
    assert [(row["strategy_id"], row["quantity"], row["commission"]) for row in written] == [
        ("a", "1.0", "0.25"),
        ("b", "2.0", "0.5"),
    ]
    # What only added to a position realized nothing: the cell is empty, not 0.
    assert [row["realized_pnl"] for row in written] == ["12.5", ""]
    assert {(row["order_id"], row["fill_id"], row["side"], row["price"]) for row in written} == {
        ("7", "7-1", "sell", "100.5")
    }


def test_the_equity_curve_is_written_sample_by_sample(tmp_path: Path) -> None:
    path = tmp_path / "equity.csv"
    curve = EquityCurve()
    curve.advance(5 * S, 0.0, 0.0)
    curve.finish(25.0, 400.0)
    with OutputFile(path) as file:
        write_equity(CsvWriter(file, EQUITY_COLUMNS), curve, 1_000.0)
    assert path.read_bytes() == (
        b"timestamp,equity,pnl,gross_notional\n"
        b"1970-01-01T00:00:05.000000000Z,1000.0,0.0,0.0\n"
        b"1970-01-01T00:00:06.000000000Z,1025.0,25.0,400.0\n"
    )


def test_text_that_is_no_unicode_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "file.csv"
    with OutputFile(path) as file:
        CsvWriter(file, ["reason"]).row(["a\udcffb"])
    assert path.read_text("utf-8").splitlines() == ["reason", "a\\udcffb"]


def test_a_path_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing/file.csv: cannot be written: No such file"):
        OutputFile(tmp_path / "missing" / "file.csv")
    with pytest.raises(DataError, match="cannot be written: Is a directory"):
        OutputFile(tmp_path)


needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@needs_full_device
def test_a_full_disk_is_an_error_of_the_run_when_the_file_is_closed() -> None:
    file = OutputFile(Path("/dev/full"))
    CsvWriter(file, ["a"])
    with pytest.raises(SengineError, match=r"/dev/full: writing failed: No space left.*the file is incomplete"):
        file.__exit__(None, None, None)


@needs_full_device
def test_a_full_disk_is_an_error_of_the_run_while_writing() -> None:
    file = OutputFile(Path("/dev/full"))
    with pytest.raises(SengineError, match="writing failed"):
        file.write("longer than any buffer " * 100_000)
    file.__exit__(None, SengineError("seen"), None)


@needs_full_device
def test_what_ended_the_run_is_not_hidden_by_a_file_that_cannot_be_closed() -> None:
    def fail() -> None:
        with OutputFile(Path("/dev/full")) as file:
            file.write("row\n")
            raise DataError("line 3")

    with pytest.raises(DataError, match="line 3"):
        fail()
