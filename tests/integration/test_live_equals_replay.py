"""A file published at full speed into a live engine gives what replaying it gives."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Awaitable, Callable
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pytest

from replay.feed import open_feed
from replay.result import RunResult
from replay.run import ReplayOptions, run_replay
from replay.synthetic import quote_rows
from sengine.adapters.nats.wire import Decoder
from sengine.assembly import build_engine, build_venue, catalog, load_strategies
from sengine.config import load_config
from sengine.domain.order import Fill, Order
from tests.integration.engine_process import EngineProcess, publisher, until

Running = Callable[..., Awaitable[EngineProcess]]

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "btcusdt_perp_20240808_quotes.csv.gz"
HEADER = "timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty"
STRATEGIES = [
    {"id": "fast", "plugin": "momentum", "symbols": ["*"], "config": {"short_window": 5, "long_window": 20}},
    {"id": "slow", "plugin": "momentum", "symbols": ["*"], "config": {"short_window": 20, "long_window": 100}},
    {"id": "rsi", "plugin": "rsi", "symbols": ["*"], "config": {"period": 14}, "default_size": 0.5},
]
VOTE = {"window_size": "200ms"}
RISK = {"filters": [{"type": "confidence", "min_confidence": 0.5}, {"type": "position_limit", "max_position": 2.0}]}
COSTS = {"commission_bps": 1.0, "slippage_bps": 0.5}


@pytest.fixture(params=["generated", "several books a timestamp", "captured"])
def quotes(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """About 3,000 quotes, of several symbols or of an exchange, or with a clock so coarse that many share a time."""
    file = tmp_path / "quotes.csv"
    if request.param != "captured":
        coarse_ns = 1 if request.param == "generated" else 500_000_000
        made = quote_rows(3_000, ["BTCUSDT", "ETHUSDT"], 11)
        rows = [",".join(map(str, (row[0] // coarse_ns * coarse_ns, *row[1:]))) for row in made]
        file.write_text("\n".join([HEADER, *rows]) + "\n")
    elif DATA.exists():
        with gzip.open(DATA, "rt") as captured:
            file.write_text("".join(islice(captured, 4_001)))
    else:
        pytest.skip(f"the captured market data is not at {DATA}")
    return file


class Replayed:
    """What replay makes of the file: the figures of ``sengine replay``, and each signal, order and fill."""

    def __init__(self, file: Path, config_file: Path) -> None:
        config = load_config(config_file, environment={})
        self.signals_csv = file.with_name("signals.csv")
        self.result: RunResult = run_replay(config, ReplayOptions(files=[file], signals_csv=self.signals_csv))
        engine = build_engine(config, build_venue(config))
        load_strategies(engine, config.strategies, catalog(config))
        self.orders: list[Order] = []
        self.fills: list[Fill] = []
        for event in open_feed(file, pytest.fail):
            outcome = engine.process(event)
            self.orders += outcome.orders
            self.fills += outcome.fills

    def signals(self) -> list[dict[str, Any]]:
        with self.signals_csv.open() as file:
            return list(csv.DictReader(file))


async def trade_live(engine: EngineProcess, file: Path, ticks: int, fills_to_come: int = 0) -> list[Fill]:
    """Publish the file; the fills that passed over the broker."""
    fills: list[Fill] = []
    decoder = Decoder()
    async with publisher(engine.listeners["nats broker"]) as (connection, publish):

        async def on_fill(message: Any) -> None:
            fills.append(decoder.decode_fill(message.data))

        await connection.subscribe("fills", cb=on_fill)
        await publish(open_feed(file, pytest.fail))
        await until(lambda: engine.ticks() == ticks)
        await until(lambda: engine.metric("sengine_orders_open") == 0)
        await until(lambda: len(fills) >= fills_to_come)
    return fills


def assert_equal_books(engine: EngineProcess, replayed: Replayed) -> None:
    """Signals with how each ended, orders and positions are those of the replay, to the last bit."""
    result = replayed.result
    expected = [
        (row["strategy_id"], row["symbol"], row["direction"], float(row["confidence"]), float(row["size"]),
         row["disposition"], row["check"])
        for row in replayed.signals()
    ]  # fmt: skip
    keys = ("strategy_id", "symbol", "direction", "confidence", "size", "disposition", "check")
    signals = [tuple(signal[key] for key in keys) for signal in engine.signals()]
    assert len(expected) > 20
    assert signals == expected[-1000:]
    assert engine.metric("sengine_orders_sent_total") == result.orders == len(replayed.orders) > 10
    held = {(each["strategy_id"], each["symbol"]): each for each in engine.positions()}
    open_positions = [each for each in result.positions if each.quantity]
    assert set(held) == {(each.strategy_id, each.symbol) for each in open_positions}
    for each in open_positions:
        live = held[each.strategy_id, each.symbol]
        assert (live["quantity"], live["average_price"], live["realized_pnl"]) == (
            each.quantity, each.average_price, each.realized_pnl,
        )  # fmt: skip
    pnl = {name: value for name, value in engine.metrics().items() if name.startswith("strategy_pnl{")}
    assert sum(pnl.values()) == pytest.approx(sum(each.realized_pnl for each in result.positions), rel=1e-12)


def without_prefix(fill: Fill) -> Fill:
    """Order ids of a live session begin with the session; replay's do not."""
    return msgspec.structs.replace(
        fill, order_id=fill.order_id.rpartition("-")[2], fill_id=fill.fill_id.partition("-")[2]
    )


async def test_paper_execution_in_lockstep_gives_the_replays_signals_orders_fills_and_positions(
    running: Running, quotes: Path
) -> None:
    engine = await running(strategies=STRATEGIES, risk=RISK, aggregation=VOTE, execution={"lockstep": True, **COSTS})
    replayed = Replayed(quotes, engine.config_file)
    fills = await trade_live(engine, quotes, replayed.result.ticks, replayed.result.fills)
    assert sorted(map(without_prefix, fills), key=by_order) == sorted(replayed.fills, key=by_order)
    assert_equal_books(engine, replayed)
    assert engine.metric("sengine_feed_dropped_total") == 0


async def test_execution_inside_the_engine_gives_the_replays_signals_orders_and_positions(
    running: Running, quotes: Path
) -> None:
    engine = await running(
        strategies=STRATEGIES, risk=RISK, aggregation=VOTE, execution={"target": "simulated", **COSTS}
    )
    replayed = Replayed(quotes, engine.config_file)
    assert await trade_live(engine, quotes, replayed.result.ticks) == []
    assert_equal_books(engine, replayed)


def by_order(fill: Fill) -> tuple[int, str]:
    return int(fill.order_id), fill.fill_id
