"""+79.50 USD and +7,950.00 JPY are no 8,029.50 of anything, wherever a replay's result is shown."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from replay.compare import compare_reports
from replay.html_report import html_report
from replay.price_trail import PriceTrail
from replay.recorders import EQUITY_COLUMNS, CsvWriter, OutputFile, write_equity
from replay.report import report_json
from replay.result import RunResult
from replay.summary import print_summary
from replay.trade_marks import TradeMarks

REASON = "amounts in JPY (USDJPY) and USD (EURUSD) are not added up"
MADE_OF_SUMS = {
    "total_pnl", "total_return", "sharpe", "sortino", "max_drawdown", "profit_factor", "turnover", "commission",
    "exposure",
}  # fmt: skip


def traded(lab: Any, *symbols: str) -> RunResult:
    """Each symbol is bought at 101 and sold at 119, the second one at ten times that."""
    events = []
    for at_s, mid in enumerate((100.0, 120.0, 120.0)):
        for place, symbol in enumerate(symbols):
            events.append(lab.quote(at_s, (mid - 1) * 10**place, (mid + 1) * 10**place, symbol))
    result: RunResult = lab.run({"a": [lab.buy(), lab.sell()]}, events)
    assert result.fills == 2 * len(symbols)
    return result


@pytest.fixture
def mixed(lab: Any) -> RunResult:
    return traded(lab, "EURUSD", "USDJPY")


def summary(result: RunResult) -> str:
    out = StringIO()
    print_summary(Console(file=out, width=100), result, 1_000.0)
    return out.getvalue()


def test_the_summary_totals_each_currency_and_has_no_sum(mixed: RunResult) -> None:
    lines = summary(mixed).splitlines()
    totals = [line.split() for line in lines if line.startswith("total")]
    assert totals == [["total", "JPY", "+180.00", "+0.00", "+180.00"], ["total", "USD", "+18.00", "+0.00", "+18.00"]]
    assert f"n/a below: {REASON}" in lines
    assert [line.split() for line in lines if line.startswith(("P&L", "sharpe"))] == [
        ["P&L", "n/a", "return", "n/a"],
        ["sharpe", "n/a", "sortino", "n/a"],
    ]
    assert not any(line.startswith("equity") for line in lines)


def test_json_has_null_for_what_is_made_of_a_sum_and_totals_by_currency(mixed: RunResult) -> None:
    report = json.loads(report_json(mixed, 1_000.0))
    assert {name for name, value in report["metrics"].items() if value is None} == MADE_OF_SUMS
    assert report["not_added_up"] == REASON
    assert [(each["currency"], each["realized_pnl"]) for each in report["totals"]] == [("JPY", 180.0), ("USD", 18.0)]
    assert (report["metrics"]["trades"], report["metrics"]["win_rate"]) == (2, 1.0)


def test_the_page_shows_each_currency_and_why_there_is_no_sum(mixed: RunResult) -> None:
    page = html_report(mixed, 1_000.0, ["fx.csv"], PriceTrail(), TradeMarks())
    assert '<div>P&amp;L, JPY<b class="gain">+180.00</b></div>' in page
    assert '<div>P&amp;L, USD<b class="gain">+18.00</b></div>' in page
    assert "<div>return<b>n/a</b></div>" in page
    assert f"<p>n/a: {REASON}.</p>" in page
    assert "198.00" not in page


def test_a_comparison_is_of_each_currency_and_says_why_the_rest_is_not_there(lab: Any, mixed: RunResult) -> None:
    a, b = (json.loads(report_json(result, 1_000.0)) for result in (mixed, traded(lab, "EURUSD")))
    comparison = compare_reports(a, b)
    assert comparison.not_added_up == [REASON]
    assert [(each.name, each.a, each.b) for each in comparison.totals] == [("JPY", 180.0, None), ("USD", 18.0, 18.0)]
    (pnl,) = [each for each in comparison.figures if each.name == "total pnl"]
    assert (pnl.a, pnl.b, pnl.change) == (None, 18.0, None)
    assert compare_reports(b, b).totals == []


def test_the_equity_file_has_no_rows_of_sums(mixed: RunResult, tmp_path: Path) -> None:
    with OutputFile(tmp_path / "e.csv") as file:
        write_equity(CsvWriter(file, EQUITY_COLUMNS), mixed.curve, 1_000.0)
    assert (tmp_path / "e.csv").read_text() == "timestamp,equity,pnl,gross_notional\n"


@pytest.mark.parametrize("symbols", [("EURUSD", "GBPUSD"), ("A", "B"), ("BTCUSDT", "ETH-USDT")])
def test_one_currency_is_added_up_as_before(lab: Any, symbols: tuple[str, str]) -> None:
    result = traded(lab, *symbols)
    assert result.not_added_up == ""
    assert result.performance.total_pnl == 198.0
    assert result.performance.total_return == 0.198
    assert "total" in summary(result)
    assert "+198.00" in summary(result)


def test_the_digest_is_that_of_the_orders_and_fills_alone(lab: Any, mixed: RunResult) -> None:
    assert mixed.digest == traded(lab, "EURUSD", "USDJPY").digest
