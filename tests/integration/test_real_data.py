"""Runs over an exchange's captured quotes and trades; the data lies beside the checkout, where it is there at all."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from replay.result import RunResult
from replay.run import ReplayOptions, run_replay
from sengine.config import load_config
from sengine.resources import resource_path

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
QUOTES = DATA / "btcusdt_perp_20240808_quotes.csv.gz"
TRADES = DATA / "btcusdt_perp_20240808_trades.csv.gz"

pytestmark = pytest.mark.skipif(not QUOTES.exists(), reason=f"the captured market data is not at {DATA}")


def run(folder: Path, *files: Path) -> RunResult:
    config = load_config(resource_path("configs", "replay.yaml"), environment={})
    return run_replay(config, ReplayOptions(files=files, signals_csv=folder / "signals.csv"))


@pytest.fixture(scope="module")
def quotes_alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Path]:
    folder = tmp_path_factory.mktemp("quotes")
    return run(folder, QUOTES), folder / "signals.csv"


def test_momentum_on_captured_quotes_gives_the_known_result(quotes_alone: tuple[RunResult, Path]) -> None:
    result, _ = quotes_alone
    assert (result.ticks, result.rejected, result.gaps) == (66_089, {}, {})
    assert (result.signals_total, result.orders, result.fills) == (547, 547, 547)
    assert result.dispositions == {"passed": 547}
    (position,) = result.positions
    assert (position.strategy_id, position.symbol) == ("momentum", "BTCUSDT")
    assert position.realized_pnl == pytest.approx(267.0, abs=1e-6)
    assert (position.quantity, position.average_price) == (-1.0, 61_659.7)
    assert result.performance.trades == 273


def test_trades_merged_in_change_no_signal(quotes_alone: tuple[RunResult, Path], tmp_path: Path) -> None:
    alone, signals = quotes_alone
    merged = run(tmp_path, TRADES, QUOTES)
    with (tmp_path / "signals.csv").open() as ours, signals.open() as theirs:
        assert list(csv.reader(ours)) == list(csv.reader(theirs))
    assert merged.digest == alone.digest
    assert merged.ticks > alone.ticks
    assert merged.rejected == {}


def test_every_captured_file_is_read_without_a_bad_row(tmp_path: Path) -> None:
    files = sorted(DATA.glob("*.csv.gz"))
    assert len(files) >= 4
    result = run(tmp_path, *files)
    assert result.rejected == {}
    assert {position.symbol for position in result.positions} == {"BTCUSDT"}
