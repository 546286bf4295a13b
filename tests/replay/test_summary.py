from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO, StringIO, TextIOWrapper
from math import inf, isfinite
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from replay.html_report import html_report
from replay.price_trail import PriceTrail
from replay.report import report_json
from replay.result import RunResult
from replay.summary import print_summary, sparkline, summary_lines
from replay.trade_marks import TradeMarks
from sengine.domain.position import Position
from sengine.domain.signal import Signal

S = 1_000_000_000


@pytest.fixture
def result(lab: Any) -> RunResult:
    unsure = Signal(direction="LONG", confidence=0.2, size=1.0)
    scripts = {"a": [lab.buy(2.0), None, lab.sell(3.0)], "b": [unsure, lab.sell()]}
    run: RunResult = lab.run(scripts, lab.quotes(100, 104, 108, 106), commission_bps=1)
    return run


def printed(result: RunResult, width: int = 80, **console: Any) -> str:
    out = StringIO()
    print_summary(Console(file=out, width=width, **console), result, 1_000.0)
    return out.getvalue()


def with_positions(result: RunResult, *positions: Position) -> RunResult:
    return msgspec.structs.replace(result, positions=positions)


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_the_terminal_without_wrapping_or_padding(result: RunResult, width: int) -> None:
    wide = with_positions(result, Position("momentum_btc", "BTCUSDT", -12.5, 61_659.75, -12_345.67, 1.0, 61_000.0))
    lines = printed(wide, width).splitlines()
    assert max(map(len, lines)) <= width
    assert lines == [line.rstrip() for line in lines]


def test_a_pipe_gets_plain_text(result: RunResult) -> None:
    assert "\x1b" not in printed(result)


def test_a_terminal_gets_colour_unless_the_console_has_none(result: RunResult) -> None:
    assert "\x1b[32m" in printed(result, force_terminal=True, color_system="standard")
    assert "\x1b" not in printed(result, force_terminal=True, color_system=None)


def test_a_line_longer_than_the_terminal_stays_whole(result: RunResult) -> None:
    reason = "/a/very/long/path" * 10 + ".py:3: import failed: ModuleNotFoundError: No module named 'nothing'"
    failed = msgspec.structs.replace(result, failed_strategies=(("broken", reason),))
    assert f"strategy broken did not run: {reason}\n" in printed(failed, 40)
    assert f"digest {result.digest}\n" in printed(failed, 40)


def test_it_says_what_a_trader_wants_to_know(result: RunResult) -> None:
    text = printed(result)
    lines = text.splitlines()
    assert "ticks    4  1970-01-01 00:00:00.000 to 1970-01-01 00:00:03.000 UTC" in lines
    assert "signals  4  3 passed, 0 overruled, 1 filtered, 0 no change" in lines
    assert "            filtered: 1 by confidence" in lines
    assert "orders   3  3 fills" in lines
    for label in ("P&L", "return", "max drawdown", "sharpe", "sortino", "win rate", "profit factor", "trades"):
        assert label in text
    for label in ("turnover", "exposure", "time in market", "commission", "returns over", "whole tick", "on_tick a"):
        assert label in text
    assert "ticks/s" in lines[-2]
    assert lines[-1] == f"digest {result.digest}"


def test_positions_are_listed_by_strategy_and_symbol_with_their_total(result: RunResult) -> None:
    first = Position("a", "BTC", 2.0, 100.0, 10.0, 0.0, 101.5)
    second = Position("b", "ETH", 0.0, 0.0, -4.0)
    lines = printed(with_positions(result, first, second)).splitlines()
    at = lines.index("strategy  symbol  position  average  realized  unrealized     P&L")
    assert lines[at + 1 : at + 4] == [
        "a         BTC            2      100    +10.00       +3.00  +13.00",
        "b         ETH            0              -4.00       +0.00   -4.00",
        "total                                   +6.00       +3.00   +9.00",
    ]


def test_one_position_needs_no_total(result: RunResult) -> None:
    assert "total" not in printed(with_positions(result, result.positions[0]))


def test_figures_that_are_not_defined_read_n_a(lab: Any) -> None:
    text = printed(lab.run({"a": []}, lab.quotes(100)))
    assert "sharpe         n/a" in text
    assert "win rate       n/a" in text


def test_figures_that_mean_little_carry_a_word_in_text_json_and_page(result: RunResult) -> None:
    words = (
        "sharpe and sortino mean little: scaled to a year from 3 s of data",
        "win rate means little: from only 1 trade",
    )
    text, page = printed(result), html_report(result, 1_000.0, ["a.csv"], PriceTrail(), TradeMarks())
    assert words[0] in text.splitlines()
    assert words[0][1:] in page
    assert words[1] in text
    assert words[1][1:] in page
    assert json.loads(report_json(result, 1_000.0))["means_little"] == dict(result.means_little)
    long = msgspec.structs.replace(result, means_little={})
    assert "mean little" not in printed(long)


def test_a_run_without_ticks_has_no_times_and_no_curve(lab: Any) -> None:
    text = printed(lab.run({"a": []}, []))
    assert "1970" not in text
    assert "equity" not in text


def test_troubles_are_named_once_each(lab: Any) -> None:
    script = [ValueError("two\nlines")] * 5
    result = lab.run({"a": script}, [*lab.quotes(*[100] * 6), lab.quote(0)], max_errors=4)
    gaps = msgspec.structs.replace(result, gaps={"missing": 3})
    lines = printed(gaps).splitlines()
    assert "dropped 1 row: time backwards" in lines
    assert "sequence numbers missing: 3" in lines
    assert sum(line.endswith(": a: ValueError: two lines") for line in lines) == 3
    assert "strategy a: 1 more error" in lines
    assert any(line.startswith("strategy a paused: 4 errors within 60 s") for line in lines)


def test_a_clean_run_has_no_troubles(result: RunResult) -> None:
    lines = list(summary_lines(result, 1_000.0, 80))
    assert not any(str(line.style) == "red" for line in lines)


def test_absurd_money_is_shortened(result: RunResult) -> None:
    performance = msgspec.structs.replace(result.performance, total_pnl=-1.5e300, total_return=-1.5e297, turnover=inf)
    absurd = with_positions(result, Position("a", "BTC", 1.0, 1.0, -1.5e300))
    lines = printed(msgspec.structs.replace(absurd, performance=performance)).splitlines()
    assert max(map(len, lines)) <= 80
    assert any("-1.5e+300" in line for line in lines)


def test_an_ascii_terminal_gets_an_ascii_curve(result: RunResult) -> None:
    written = BytesIO()
    out = TextIOWrapper(written, encoding="ascii")
    print_summary(Console(file=out, width=80), result, 1_000.0)
    out.flush()
    (curve,) = [line for line in written.getvalue().decode("ascii").splitlines() if line.startswith("equity")]
    assert {"_", "#"} < set(curve.removeprefix("equity  ")) <= set("_.-~=+*#")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=60), st.integers(1, 40))
def test_a_sparkline_fits_and_reaches_from_the_lowest_to_the_highest_block(values: list[float], width: int) -> None:
    line = sparkline(values, width)
    assert len(line) == min(width, len(values))
    last_of_each = [values[(place + 1) * len(values) // len(line) - 1] for place in range(len(line))]
    assert last_of_each[-1] == values[-1]
    halves = [value / 2 for value in last_of_each]
    if min(halves) == max(halves):
        assert line == "▁" * len(line)
    else:
        assert line[halves.index(min(halves))] == "▁"
        assert line[halves.index(max(halves))] == "█"
        assert_rising(line, halves)


def assert_rising(line: str, values: Sequence[float]) -> None:
    blocks = [block for _, block in sorted(zip(values, line, strict=True))]
    assert blocks == sorted(blocks)
    assert all(isfinite(value) for value in values)
