"""A strategy in its own process makes the run that it makes inside the engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from replay.run import ReplayOptions, run_replay
from replay.sample import write_sample
from replay.summary import summary_lines
from sengine.adapters.transport.memory_limit import IS_ENFORCED
from sengine.config import Config
from sengine.config.risk_schema import ConfidenceFilter
from sengine.config.schema import ExecutionConfig, PluginsConfig, RiskConfig, StrategyConfig
from sengine.errors import SengineError

EXAMPLES = ("momentum", "rsi", "market_maker")

TRADER = """
import msgspec
from sengine.strategy import BaseStrategy, Signal

class Trader(BaseStrategy):
    market_data = ("trade", "bar", "book")

    def on_tick(self, data):
        if int(data.timestamp_ns / 1e9) % 7 == 0:
            raise ValueError("sevens")
        prices = [trade.price for trade in data.recent_trades]
        if data.kind == "trade" and len(prices) > 2 and prices[-1] > sum(prices) / len(prices):
            return [Signal(direction="LONG", confidence=0.5), Signal(direction="SHORT", confidence=0.1)]
        if data.ohlcv is not None and data.ohlcv.close < data.ohlcv.open and self.position > 0:
            return Signal(direction="CLOSE", confidence=1.0)

def create_strategy():
    return Trader("trader")
"""


# Trades on what it is told: after a signal that did not pass, and after the answer to one that did.
TOLD = """
from sengine.strategy import BaseStrategy, Signal

class Told(BaseStrategy):
    route = "direct"

    def __init__(self, strategy_id):
        super().__init__(strategy_id)
        self.size = 1.0

    def on_tick(self, data):
        confidence = 0.5 + 0.3 * (int(data.timestamp_ns / 1e6) % 2)
        return Signal(direction="LONG", confidence=confidence, size=self.size, metadata={"size": self.size})

    def on_order(self, update):
        if update.metadata["size"] == 3.0:
            raise ValueError(f"{update.status} at three")
        self.size = 1.0 + self.size % 3 if update.code == "below_min_confidence" else update.quantity
        return "nonsense" if self.size == 2.0 else None

    def on_fill(self, fill):
        super().on_fill(fill)
        return "more" if fill.quantity == 2.0 else None

def create_strategy():
    return Told("told")
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("market") / "m.csv"
    write_sample(path, 1500, ["BTCUSDT", "ETHUSDT"], seed=3)
    return path


def run(market: Path, *strategies: StrategyConfig, directory: str = "./strategies", latency_ms: float = 0.0) -> object:
    config = Config(
        strategies=list(strategies),
        risk=RiskConfig(filters=[]),
        plugins=PluginsConfig(directory=directory, max_errors=100_000),
        execution=ExecutionConfig(latency_ms=latency_ms),
    )
    return run_replay(config, ReplayOptions([market]))


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_gives_the_digest_that_it_gives_in_process(market: Path, name: str) -> None:
    config = {"spread": 0.00001} if name == "market_maker" else {}
    inside = run(market, StrategyConfig(id="it", plugin=name, config=config))
    outside = run(market, StrategyConfig(id="it", type="grpc", module=name, config=config))
    assert inside.fills > 0
    assert (outside.digest, outside.fills, outside.signals_total) == (inside.digest, inside.fills, inside.signals_total)


@pytest.mark.parametrize("name", ["momentum", "rsi"])
def test_what_is_in_flight_is_told_so_that_a_run_with_latency_is_the_same(market: Path, name: str) -> None:
    inside = run(market, StrategyConfig(id="it", plugin=name), latency_ms=40.0)
    apart = run(market, StrategyConfig(id="it", type="grpc", module=name), latency_ms=40.0)
    assert (apart.digest, apart.orders) == (inside.digest, inside.orders)
    assert inside.orders > 3
    assert {abs(position.quantity) for position in inside.positions} <= {0.0, 1.0}


def test_all_three_together_and_one_of_them_in_process(market: Path) -> None:
    inside = run(market, *(StrategyConfig(id=name, plugin=name) for name in EXAMPLES))
    outside = run(
        market,
        *(StrategyConfig(id=name, plugin=name, type="python" if name == "rsi" else "grpc") for name in EXAMPLES),
    )
    assert outside.digest == inside.digest
    assert outside.dispositions == inside.dispositions


def test_trades_bars_several_signals_and_errors_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "trader.py").write_text(TRADER)
    rows = ["timestamp,symbol,type,price,quantity,side"]
    for step in range(400):
        price = 100 + (step * 7919 % 13) / 10
        side = "buy" if step % 2 else "sell"
        rows.append(f"{1_700_000_000_000 + step * 500},BTCUSDT,trade,{price},1,{side}")
    market = tmp_path / "trades.csv"
    market.write_text("\n".join(rows) + "\n")
    results = [
        run(market, StrategyConfig(id="it", plugin="trader", type=kind), directory=str(tmp_path))
        for kind in ("python", "grpc")
    ]
    inside, outside = results
    assert inside.signals_total > 0
    assert (outside.digest, outside.signals_total) == (inside.digest, inside.signals_total)
    assert outside.fault_counts == inside.fault_counts
    assert [fault.message for fault in outside.faults] == [fault.message for fault in inside.faults]
    assert [fault.where for fault in outside.faults] == [fault.where for fault in inside.faults]


def test_what_becomes_of_signals_is_told_in_its_own_process_as_inside(market: Path, tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(TOLD)
    risk = RiskConfig(filters=[ConfidenceFilter(min_confidence=0.6)])
    plugins = PluginsConfig(directory=str(tmp_path), max_errors=100_000)
    inside, outside = (
        run_replay(
            Config(strategies=[StrategyConfig(id="it", plugin="told", type=kind)], risk=risk, plugins=plugins),
            ReplayOptions([market]),
        )
        for kind in ("python", "grpc")
    )
    assert inside.dispositions["filtered"] > 0
    assert inside.fault_counts["it"] > 0
    assert {fault.kind for fault in inside.faults} == {"bad_return", "on_order"}
    assert (outside.digest, outside.signals_total) == (inside.digest, inside.signals_total)
    assert outside.fault_counts == inside.fault_counts
    assert [(fault.kind, fault.message) for fault in outside.faults] == [
        (fault.kind, fault.message) for fault in inside.faults
    ]


def test_a_process_that_ends_is_told_by_its_exit_code(market: Path, tmp_path: Path) -> None:
    (tmp_path / "trader.py").write_text(TRADER.replace('raise ValueError("sevens")', "__import__('os')._exit(9)"))
    result = run(market, StrategyConfig(id="it", type="grpc", module="trader"), directory=str(tmp_path))
    assert result.faults[0].message == "the strategy's process ended with exit code 9"
    lines = [line.plain for line in summary_lines(result, 1e5, 100)]
    assert "it: the strategy's process ended with exit code 9" in lines


GLUTTON = """
from sengine.strategy import BaseStrategy

class Glutton(BaseStrategy):
    def __init__(self, strategy_id):
        super().__init__(strategy_id)
        self.kept = []

    def on_tick(self, data):
        self.kept.append(bytearray(8 << 20))

def create_strategy():
    return Glutton("glutton")
"""


def test_isolation_process_is_one_word_and_gives_the_digest_of_the_run_in_process(market: Path) -> None:
    inside = run(market, StrategyConfig(id="it", plugin="momentum"))
    outside = run(market, StrategyConfig(id="it", plugin="momentum", isolation="process"))
    assert inside.fills > 0
    assert (outside.digest, outside.fills) == (inside.digest, inside.fills)


@pytest.mark.skipif(not IS_ENFORCED, reason="the kernel of this system limits no data of a process")
def test_a_strategy_in_its_own_process_gets_no_more_memory_than_configured(market: Path, tmp_path: Path) -> None:
    (tmp_path / "glutton.py").write_text(GLUTTON)
    glutton = StrategyConfig(id="it", plugin="glutton", isolation="process", memory_mb=64)
    result = run(market, glutton, StrategyConfig(id="other", plugin="momentum"), directory=str(tmp_path))
    told = "MemoryError: it needs more than the 64 MB that its process may take (memory_mb)"
    assert {fault.message for fault in result.faults} == {told}
    assert result.faults[0].where == f"{tmp_path}/glutton.py:10"
    # Seven pieces of 8 MB fit, and all other ticks fail, with the process alive to say so.
    assert result.ticks - 10 < result.fault_counts["it"] < result.ticks
    assert result.fills > 0


@pytest.mark.skipif(not IS_ENFORCED, reason="the kernel of this system limits no data of a process")
def test_a_file_that_takes_too_much_memory_when_it_is_loaded_is_refused_with_the_limit(
    market: Path, tmp_path: Path
) -> None:
    (tmp_path / "glutton.py").write_text("kept = bytearray(100 << 20)\n" + GLUTTON)
    glutton = StrategyConfig(id="it", plugin="glutton", isolation="process", memory_mb=64)
    with pytest.raises(SengineError, match=r"glutton.py:1: import failed: MemoryError: it needs more than the 64 MB"):
        run(market, glutton, directory=str(tmp_path))


def test_a_host_that_is_not_there_is_a_failure_with_its_address(market: Path, tmp_path: Path) -> None:
    absent = StrategyConfig(id="far", type="grpc", address=f"unix:{tmp_path}/nobody.sock")
    with pytest.raises(SengineError, match="no strategy answers at unix:"):
        run(market, absent)


def test_a_broken_file_is_a_failure_with_its_line(market: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = (\n")
    with pytest.raises(SengineError, match=r"broken.py:1: syntax error"):
        run(market, StrategyConfig(id="far", type="grpc", module="broken"), directory=str(tmp_path))


def test_parameters_that_it_does_not_take_are_a_failure_with_their_place(market: Path) -> None:
    with pytest.raises(SengineError, match=r"strategies.far.config.period: expected an integer"):
        run(market, StrategyConfig(id="far", type="grpc", module="rsi", config={"period": "many"}))
