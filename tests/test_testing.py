"""What strategy authors test with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sengine.clock import NS_PER_S
from sengine.errors import ConfigError, PluginError
from sengine.testing import StrategyBench

SOURCE = """
import msgspec
from sengine.strategy import BaseStrategy, Plugin, Signal

plugin = Plugin("echo")

class Parameters(msgspec.Struct, frozen=True):
    answers: int = 1

class Echo(BaseStrategy):
    parameters = Parameters

    def on_tick(self, data):
        self.last = data
        signal = Signal(direction="LONG", confidence=0.5, size=data.orderbook.best_bid)
        return [None, signal, [signal] * 2][self.params.answers]

    def on_fill(self, fill):
        super().on_fill(fill)
        self.fill = fill

def create_strategy():
    return Echo("will be renamed")
"""


@pytest.fixture
def echo(tmp_path: Path) -> Path:
    path = tmp_path / "echo.py"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize(("answers", "count"), [(0, 0), (1, 1), (2, 2)])
def test_a_tick_returns_the_signals_as_a_list(echo: Path, answers: int, count: int) -> None:
    signals = StrategyBench(echo, {"answers": answers}).tick(99.0, 101.0)
    assert [signal.size for signal in signals] == [99.0] * count


def test_a_tick_shows_a_book_one_second_later(echo: Path) -> None:
    bench = StrategyBench(echo, symbol="ETH")
    bench.tick(99.0, 101.0)
    bench.tick(99.5, 101.5, bid_qty=3.0, ask_qty=4.0)
    data = bench.strategy.last  # type: ignore[attr-defined]
    assert (data.symbol, data.timestamp_ns, data.mid) == ("ETH", 2 * NS_PER_S, 100.5)
    assert (data.orderbook.bids[0].quantity, data.orderbook.asks[0].quantity) == (3.0, 4.0)


def test_a_fill_moves_the_position(echo: Path) -> None:
    bench = StrategyBench(echo)
    bench.fill("buy", 100.0, 3.0, commission=0.5)
    bench.fill("sell", 101.0, 1.0)
    assert bench.strategy.position == 2.0
    assert bench.strategy.strategy_id == "echo"
    assert bench.strategy.fill.strategy_id == "echo"  # type: ignore[attr-defined]


def test_mistakes_are_told_as_the_engine_tells_them(echo: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.answers"):
        StrategyBench(echo, {"answers": "two"})
    with pytest.raises(PluginError, match="cannot be read"):
        StrategyBench(echo.with_name("absent.py"))
