from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from replay.result import RunResult
from replay.run import ReplayOptions, run_replay
from replay.sample import write_sample
from sengine.config import load_config
from sengine.errors import ConfigError, DataError, SengineError
from sengine.resources import resource_path

HEADER = "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty"

RAISES = """
from sengine.strategy import BaseStrategy

class Broken(BaseStrategy):
    def on_tick(self, data):
        raise ValueError("boom")

def create_strategy():
    return Broken("broken")
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def market() -> Path:
    path = Path("market.csv")
    write_sample(path, 4_000, ["BTCUSDT", "ETHUSDT"], 7)
    return path


def quotes(*rows: str, name: str = "quotes.csv") -> Path:
    path = Path(name)
    path.write_text("\n".join([HEADER, *rows]) + "\n", "utf-8")
    return path


def run(
    *files: Path, overrides: Sequence[str] = (), console: Console | None = None, config: Path | None = None, **rest: Any
) -> RunResult:
    settings = load_config(config or resource_path("configs", "replay.yaml"), overrides=overrides, environment={})
    return run_replay(settings, ReplayOptions(files=files, config_file=config, **rest), console)


def written(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_packaged_configuration_runs_momentum_on_every_symbol(market: Path) -> None:
    result = run(market)
    assert result.ticks == 4_000
    assert {(position.strategy_id, position.symbol) for position in result.positions} == {
        ("momentum", "BTCUSDT"),
        ("momentum", "ETHUSDT"),
    }


def test_named_strategies_run_with_their_defaults(market: Path) -> None:
    result = run(market, strategies=["rsi", "momentum"])
    assert set(result.on_tick_us) == {"rsi", "momentum"}
    assert run(market, strategies=["momentum"]).digest == run(market).digest


def test_the_written_files_agree_with_the_result(market: Path) -> None:
    names = {"json_file": Path("r.json"), "signals_csv": Path("s.csv"), "fills_csv": Path("f.csv")}
    result = run(market, strategies=["rsi", "momentum"], equity_csv=Path("e.csv"), **names)
    signals, fills, equity = written(Path("s.csv")), written(Path("f.csv")), written(Path("e.csv"))
    assert len(signals) == result.signals_total
    assert sum(row["disposition"] == "passed" for row in signals) == result.dispositions["passed"]
    assert len({row["fill_id"] for row in fills}) == result.fills
    assert sum(row["realized_pnl"] != "" for row in fills) == result.performance.trades
    assert [float(row["pnl"]) for row in equity] == result.curve.pnl
    assert float(equity[-1]["equity"]) == 100_000.0 + result.performance.total_pnl
    report = json.loads(Path("r.json").read_text())
    assert (report["digest"], report["ticks"]) == (result.digest, result.ticks)


def test_files_are_merged_by_time() -> None:
    a = quotes("1,A,99,1,101,1", "3,A,99,1,101,1", name="a.csv")
    b = quotes("2,B,99,1,101,1", "4,B,99,1,101,1", name="b.csv")
    result = run(a, b)
    assert (result.ticks, result.rejected) == (4, {})
    assert (result.first_ns, result.last_ns) == (1_000_000_000, 4_000_000_000)


def test_rows_that_the_feed_and_the_engine_drop_are_counted_together() -> None:
    path = quotes("1,A,99,1,101,1", "2,A,x,1,101,1", "3,A,102,1,101,1", "4,A,nan,1,101,1", "5,A,y,1,101,1")
    assert run(path).rejected == {"crossed_book": 1, "not_a_number": 2, "not_finite": 1}


@pytest.mark.parametrize("columns", ["quotes", "depth", "several symbols", "parquet"])
def test_locked_quotes_are_used_and_crossed_ones_are_dropped(columns: str) -> None:
    rows = ["1,A,99,1,101,1", "2,A,100,1,100,1", "3,A,100.5,1,100,1", "4,A,100,1,100,2"]
    path = quotes(*rows, *(["5,B,7,1,7,1"] if columns == "several symbols" else []))
    if columns == "depth":
        head = "timestamp,symbol,bid_price_1,bid_qty_1,ask_price_1,ask_qty_1"
        path.write_text("\n".join([head, *rows]) + "\n")
    if columns == "parquet":
        pl.read_csv(path).write_parquet("quotes.parquet")
        path = Path("quotes.parquet")
    result = run(path)
    assert (result.ticks, result.rejected) == (4 if columns == "several symbols" else 3, {"crossed_book": 1})


def test_strict_names_the_line_of_a_row_that_cannot_be_read() -> None:
    path = quotes("1,A,99,1,101,1", "2,A,x,1,101,1")
    with pytest.raises(DataError, match=r"^quotes\.csv:3: bid_price: expected a number, got 'x'$"):
        run(path, strict=True)


def test_strict_names_the_line_of_a_row_that_makes_no_sense() -> None:
    path = quotes("1,A,99,1,101,1", "2,A,99,1,101,1", "3,A,102,1,101,1", "4,A,99,1,101,1")
    with pytest.raises(DataError, match=r"^quotes\.csv:4: crossed book: bid 102 x 1, ask 101 x 1$"):
        run(path, strict=True)


def test_strict_names_the_file_of_the_row_among_several() -> None:
    good = quotes(*(f"{at},A,99,1,101,1" for at in range(1, 9)), name="good.csv")
    bad = quotes("2,B,99,1,101,1", "5,B,-99,1,101,1", name="bad.csv")
    with pytest.raises(DataError, match=r"^bad\.csv:3: price not positive: bid -99 x 1, ask 101 x 1$"):
        run(good, bad, strict=True)


def test_strict_lets_symbols_be_that_nobody_trades() -> None:
    path = quotes("1,A,99,1,101,1", "2,B,99,1,101,1")
    result = run(path, strict=True, overrides=["strategies.momentum.symbols=[A]"])
    assert (result.ticks, result.rejected) == (1, {"no_strategy_wants_symbol": 1})


def test_the_first_row_dropped_for_each_reason_is_an_example() -> None:
    path = quotes(
        "5,A,99,1,101,1", "6,A,x,1,101,1", "7,A,y,1,101,1", "8,A,102,1,101,1", "3,A,99,1,101,1", "2,A,9,1,11,1"
    )
    result = run(path)
    assert result.rejected == {"crossed_book": 1, "not_a_number": 2, "time_backwards": 2}
    assert {reason: str(row) for reason, row in result.dropped.items()} == {
        "not_a_number": "quotes.csv:3: bid_price: expected a number, got 'x'",
        "crossed_book": "quotes.csv:5: crossed book: bid 102 x 1, ask 101 x 1",
        "time_backwards": "quotes.csv:6: time backwards: timestamp 1970-01-01T00:00:03.000000000Z",
    }


def test_a_broken_strategy_file_leaves_the_others_running(market: Path) -> None:
    Path("broken.py").write_text("def create_strategy(:\n")
    result = run(market, strategies=["momentum", "./broken.py"])
    ((name, reason),) = result.failed_strategies
    assert name == "broken"
    assert "broken.py:1: syntax error" in reason
    assert result.digest == run(market).digest


def test_a_run_in_which_no_strategy_could_be_loaded_fails_with_the_reasons(market: Path) -> None:
    Path("broken.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(SengineError, match=r"broken\.py:1: imports ") as failure:
        run(market, strategies=["./broken.py"])
    assert not isinstance(failure.value, DataError | ConfigError)


def test_a_strategy_that_raises_is_located_and_paused(market: Path) -> None:
    Path("broken.py").write_text(RAISES)
    result = run(market, strategies=["./broken.py", "momentum"])
    assert result.fault_counts["broken"] >= 10
    assert {fault.where.rpartition("/")[2] for fault in result.faults} == {"broken.py:6"}
    assert "strategy broken paused" in result.pauses[0]
    assert result.digest == run(market).digest


def test_wrong_parameters_of_any_strategy_stop_the_run_before_it_begins(market: Path) -> None:
    config = Path("mine.yaml")
    config.write_text(
        "strategies:\n"
        "  - {id: good, plugin: momentum}\n"
        "  - {id: bad, plugin: momentum, config: {short_window: five, window: 3}}\n"
    )
    with pytest.raises(ConfigError) as failure:
        run(market, config=config)
    assert len(failure.value.mistakes) == 2
    assert failure.value.mistakes[0].startswith("mine.yaml: strategies.bad.config.short_window: expected an integer")
    assert "window" in failure.value.mistakes[1]


def test_a_configuration_without_an_enabled_strategy_is_a_mistake(market: Path) -> None:
    with pytest.raises(ConfigError, match="no strategy is enabled"):
        run(market, overrides=["strategies.momentum.enabled=false"])


def test_a_disabled_strategy_runs_when_it_is_named(market: Path) -> None:
    result = run(market, strategies=["momentum"], overrides=["strategies.momentum.enabled=false"])
    assert result.signals_total > 0


@pytest.mark.parametrize("option", ["json_file", "signals_csv", "fills_csv", "equity_csv"])
def test_a_file_that_is_read_is_never_written(market: Path, option: str) -> None:
    before = market.read_bytes()
    link = Path("link.csv")
    link.symlink_to(market)
    for path in (market, Path("sub/../market.csv"), link):
        with pytest.raises(DataError, match="this run reads that file"):
            run(market, **{option: path})
    assert market.read_bytes() == before


def test_one_file_is_not_written_twice(market: Path) -> None:
    with pytest.raises(DataError, match=r"--fills x\.csv: --signals writes that file"):
        run(market, signals_csv=Path("./x.csv"), fills_csv=Path("x.csv"))
    assert not Path("x.csv").exists()


def test_a_device_may_be_written_twice(market: Path) -> None:
    device = Path("/dev/null")
    assert run(market, signals_csv=device, fills_csv=device, json_file=device).ticks == 4_000


def test_nothing_is_written_when_a_file_cannot_be_read() -> None:
    with pytest.raises(DataError, match="no such file"):
        run(Path("missing.csv"), json_file=Path("r.json"))
    assert not Path("r.json").exists()


def test_a_terminal_shows_progress_and_a_pipe_none(market: Path) -> None:
    terminal, pipe = StringIO(), StringIO()
    run(market, console=Console(file=terminal, force_terminal=True, width=80))
    run(market, console=Console(file=pipe, width=80))
    assert "4,000 ticks" in terminal.getvalue()
    assert "100%" in terminal.getvalue()
    assert pipe.getvalue() == ""


def bars() -> Path:
    path = Path("bars.csv")
    rows = [f"2024-08-08T12:0{minute}:00Z,A,1,2,1,2,5" for minute in range(3)]
    path.write_text("\n".join(["timestamp,symbol,open,high,low,close,volume", *rows]) + "\n", "utf-8")
    return path


def test_a_strategy_that_was_never_called_is_told_why() -> None:
    (hint,) = run(bars()).hints
    assert hint.startswith(
        "momentum was never called: it is called for book events, and its symbols had only bar events"
    )
    assert hint.endswith("--set 'strategies.momentum.data=[bar]'")
    assert run(bars(), overrides=["strategies.momentum.data=[bar]"]).hints == ()


def test_a_strategy_whose_symbols_are_missing_is_told_so(market: Path) -> None:
    overrides = ["strategies.rsi.enabled=true", "strategies.rsi.symbols=[XRPUSDT]"]
    assert run(market, overrides=overrides).hints == ("rsi was never called: there was no market data of XRPUSDT",)


def test_a_file_among_others_of_which_no_row_could_be_used_is_named() -> None:
    good = quotes(*(f"{at},A,99,1,101,1" for at in range(500)), name="good.csv")
    bad = quotes("20240102,A,99,1,101,1", name="bad.csv")
    result = run(good, bad)
    assert result.ticks == 500
    assert result.hints == ("bad.csv: none of its rows could be used",)
    assert run(good).hints == ()
