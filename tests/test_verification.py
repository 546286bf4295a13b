"""A recorded session run again: equal where strategies decide from what they see, and named where they do not."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from itertools import islice
from pathlib import Path

import msgspec
import pytest
import zstandard

from replay.feed import open_feed
from replay.synthetic import quote_rows
from sengine.adapters.journal.format import Closed, frames, segments
from sengine.adapters.journal.journal import Beginning, Journal
from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.journal.recovery import new_session_after, recover
from sengine.adapters.store.rebuild import rebuild
from sengine.assembly import build_engine, build_venue, catalog, load_strategies
from sengine.config.schema import (
    Config,
    ExecutionConfig,
    JournalConfig,
    PluginsConfig,
    RiskConfig,
    StrategyConfig,
)
from sengine.domain.events import Flatten, KillSwitch, PauseStrategy, Rearm, ResumeStrategy
from sengine.domain.order import Fill
from sengine.engine.checkpoint.checkpoint import Checkpoint, checkpoint
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.core import Engine
from sengine.errors import DamageError, JournalError
from sengine.runtime.live_engine import LiveEngine
from sengine.service.verification import verify

CLOCK = """
from time import perf_counter_ns

from sengine.strategy import BaseStrategy, Signal


class Clock(BaseStrategy):
    def on_tick(self, data):
        return Signal(direction="LONG", confidence=1.0, size=1.0 + perf_counter_ns() % 1000 / 1000)


def create_strategy():
    return Clock("clock")
"""


ONE_SIDED = """
from sengine.strategy import BaseStrategy, Signal


class OneSided(BaseStrategy):
    route = "direct"

    def initialize(self, config):
        self.side = config["side"]

    def on_tick(self, data):
        if not self.position:
            return Signal(direction=self.side, confidence=1.0)


def create_strategy():
    return OneSided("one_sided")
"""
TAKING_PROFIT = """
from sengine.strategy import BaseStrategy, Signal


class TakingProfit(BaseStrategy):
    route = "direct"
    calls = 0

    def on_tick(self, data):
        self.calls += 1
        step = self.calls % 40
        if step == 1:
            return Signal(direction="LONG", confidence=1.0)
        if step == 20:
            return Signal(direction="SHORT", confidence=1.0, limit_price=data.orderbook.best_ask)
        if step == 21:
            return Signal(direction="CLOSE", confidence=1.0)


def create_strategy():
    return TakingProfit("taking_profit")
"""


def configuration(tmp_path: Path, *strategies: StrategyConfig, **journal: object) -> Config:
    plugins = tmp_path / "plugins"
    plugins.mkdir(exist_ok=True)
    (plugins / "clock.py").write_text(CLOCK)
    (plugins / "taking_profit.py").write_text(TAKING_PROFIT)
    (plugins / "one_sided.py").write_text(ONE_SIDED)
    return Config(
        plugins=PluginsConfig(directory=str(plugins)),
        strategies=list(strategies),
        risk=RiskConfig(filters=[]),
        execution=ExecutionConfig(target="simulated", commission_bps=1.0),
        journal=JournalConfig(**{"compress": "none", **journal}),  # type: ignore[arg-type]
    )


def new_engine(config: Config) -> Engine:
    engine = build_engine(config, build_venue(config), reloads=True)
    assert not load_strategies(engine, config.strategies, catalog(config))
    return engine


@pytest.fixture
def quotes(tmp_path: Path) -> Path:
    file = tmp_path / "quotes.csv"
    rows = [",".join(map(str, row)) for row in quote_rows(3_000, ["BTCUSDT", "ETHUSDT"], 11)]
    file.write_text("timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n" + "\n".join(rows) + "\n")
    return file


MOMENTUM = StrategyConfig(id="m", plugin="momentum", config={"short_window": 5, "long_window": 20})
RSI = StrategyConfig(id="r", plugin="rsi", config={"period": 14}, default_size=0.5)


def record(config: Config, folder: Path, quotes: Path, *, closes: bool = True) -> Engine:
    """A session over the file, with a few commands on the way."""
    engine = new_engine(config)
    live = LiveEngine(engine)
    journal = Journal(folder, config, engine, "", Beginning())
    live.journal = journal
    events = list(open_feed(quotes, pytest.fail))
    live.process_all(iter(events[:1000]))
    for command in (PauseStrategy(config.strategies[0].id), KillSwitch("a test"), Rearm()):
        live.process(command)
    live.process_all(iter(events[1000:1200]))
    live.process(ResumeStrategy(config.strategies[0].id))
    for event in events[1200:]:
        live.process(event)
    if closes:
        journal.close()
    else:
        journal._writer.commit()
    return engine


def test_session_of_honest_strategies_is_equal_also_over_several_segments(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    engine = record(configuration(tmp_path, MOMENTUM, RSI, segment_bytes=100_000), folder, quotes)
    (check,) = verify(folder)
    assert check.is_equal
    assert len(check.segments) > 3
    assert check.orders == engine.orders_sent > 20
    assert check.signals == engine.signals_generated
    assert check.digest.startswith("sha256:")


def test_session_in_which_withdrawn_orders_filled_is_equal_and_is_taken_up(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = configuration(tmp_path, StrategyConfig(id="t", plugin="taking_profit"), segment_bytes=100_000)
    config = msgspec.structs.replace(config, execution=ExecutionConfig(target="simulated", latency_ms=250.0))
    first = record(config, folder, quotes, closes=False)
    happened = [entry.record for entry in JournalReader(folder) if isinstance(entry.record, Happened)]
    orders = [order for each in happened for order in each.orders]
    asked = [part.signal_sequence for order in orders for part in order.contributions]
    assert len(set(asked)) < len(asked), "something was traded back"
    (check,) = verify(folder)
    assert (check.divergence, check.orders) == (None, first.orders_sent)
    for warmup_events in (0, 1_000_000):
        second = new_engine(config)
        asyncio.run(recover(folder, second, warmup_events))
        ours, theirs = checkpoint(second), checkpoint(first)
        assert ours.books == theirs.books
        assert msgspec.json.encode(ours.orders) == msgspec.json.encode(theirs.orders)


@pytest.mark.parametrize("is_simulated", [True, False])
def test_what_a_flatten_crossed_is_equal_again_is_taken_up_and_is_in_the_store(
    tmp_path: Path, quotes: Path, is_simulated: bool
) -> None:
    """Also where the market is not recorded, and with it the mid."""
    folder = tmp_path / "journal"
    folder.mkdir()
    up, down = (StrategyConfig(id=side, plugin="one_sided", config={"side": side}) for side in ("LONG", "SHORT"))
    config = configuration(tmp_path, up, down)
    if not is_simulated:
        elsewhere, bare = ExecutionConfig(), JournalConfig(market_data=False)
        config = msgspec.structs.replace(config, execution=elsewhere, journal=bare)

    def made() -> Engine:
        engine = build_engine(config, build_venue(config) if is_simulated else None, reloads=True)
        assert not load_strategies(engine, config.strategies, catalog(config))
        return engine

    engine = made()
    live = LiveEngine(engine)
    live.journal = journal = Journal(folder, config, engine, "", Beginning())
    for number, event in enumerate(open_feed(quotes, pytest.fail)):
        for order in live.process(event).orders:
            if not is_simulated:
                price = engine.markets[order.symbol].mid
                live.process(Fill(order.order_id, "", order.symbol, order.side, price, 1.0, 0.1, event.timestamp_ns))
        if number % 100 == 99:
            live.process(Flatten())
    journal._writer.commit()
    assert engine.state.crossed == 2 * 30, "one a symbol, each time"
    assert engine.portfolio.open == {}
    second = made()
    asyncio.run(recover(folder, second, 1_000_000))
    earned = [(each.strategy_id, each.symbol, each.realized_pnl) for each in engine.portfolio.positions()]
    assert [(each.strategy_id, each.symbol, each.realized_pnl) for each in second.portfolio.positions()] == earned
    assert (second.portfolio.open, checkpoint(second).crossed) == ({}, engine.state.crossed)
    rebuild(tmp_path / "positions.db", folder)
    with closing(sqlite3.connect(tmp_path / "positions.db")) as store:
        crossed = store.execute("SELECT count(*), sum(commission) FROM fills WHERE order_id LIKE 'x%'").fetchone()
        assert crossed == (2 * engine.state.crossed, 0.0)
        assert store.execute("SELECT max(abs(quantity)) FROM held").fetchone() == (0.0,)
    (check,) = verify(folder)
    assert check.divergence is None
    assert (check.orders == engine.orders_sent) is is_simulated


def test_strategy_that_reads_a_clock_is_found_and_named(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    record(configuration(tmp_path, MOMENTUM, StrategyConfig(id="liar", plugin="clock")), folder, quotes)
    (check,) = verify(folder)
    assert check.divergence is not None
    assert "strategy liar" in check.divergence.why
    assert "clock.py" in check.divergence.why
    assert check.divergence.event.startswith("Quote ")
    assert check.divergence.recorded != check.divergence.again
    assert all("signal liar" in lines[0] for lines in (check.divergence.recorded, check.divergence.again))


def test_session_without_market_data_is_passed_over_and_its_orders_and_fills_are_taken_up(
    tmp_path: Path, quotes: Path
) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = msgspec.structs.replace(
        configuration(tmp_path, MOMENTUM, RSI),
        execution=ExecutionConfig(),
        journal=JournalConfig(market_data=False, segment_bytes=10_000),
    )

    def away() -> Engine:
        """An engine whose orders are filled elsewhere."""
        engine = build_engine(config, None, reloads=True)
        assert not load_strategies(engine, config.strategies, catalog(config))
        return engine

    engine = away()
    live = LiveEngine(engine)
    live.journal = journal = Journal(folder, config, engine, "", Beginning())
    for event in open_feed(quotes, pytest.fail):
        for order in live.process(event).orders:
            if not order.order_id.endswith("3"):
                mid = engine.markets[order.symbol].mid
                fill = Fill(order.order_id, "", order.symbol, order.side, mid, order.quantity, 0.1, event.timestamp_ns)
                live.process(fill)
    journal.close()
    (check,) = verify(folder)
    assert check.skipped == "it was recorded without market data (journal.market_data: false): nothing to run again"
    again = away()
    asyncio.run(recover(folder, again, 0))
    ours, theirs = checkpoint(engine), checkpoint(again)
    for part in ("open", "closed", "filled"):
        # At which price they were sent is not on record where the market is not.
        known, recovered = (
            [msgspec.structs.replace(each, sent_at_price=0.0) for each in getattr(state.orders, part)]
            for state in (ours, theirs)
        )
        assert recovered == known
    assert theirs.orders.seen == ours.orders.seen
    assert theirs.orders.open
    assert theirs.orders_sent == ours.orders_sent > 20

    def held(state: Checkpoint) -> list[tuple[str, str, float, float]]:
        return [(each.strategy_id, each.symbol, each.quantity, each.realized_pnl) for each in state.books.positions]

    assert held(theirs) == held(ours)


def test_session_that_was_killed_between_an_event_and_its_outcome_is_equal(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    record(configuration(tmp_path, MOMENTUM), folder, quotes, closes=False)
    last = [entry for entry in JournalReader(folder) if isinstance(entry.record, Happened)][-1]
    with (folder / f"{last.segment:010d}.journal").open("r+b") as file:
        file.truncate(last.offset)
    (check,) = verify(folder)
    assert check.is_equal
    assert check.notes == ["it was killed before what its last event led to was on record"]


def test_session_that_was_killed_after_an_event_that_led_to_nothing_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = configuration(tmp_path, MOMENTUM)
    live = LiveEngine(new_engine(config))
    live.journal = journal = Journal(folder, config, live.engine, "", Beginning())
    live.process(KillSwitch("a test"))
    assert journal._writer.commit()
    (check,) = verify(folder)
    assert (check.is_equal, check.events, check.notes) == (True, 1, [])


def test_session_whose_beginning_was_thrown_away_is_run_from_where_it_begins_now(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    record(configuration(tmp_path, MOMENTUM, segment_bytes=100_000), folder, quotes)
    first, second, *_ = sorted(folder.glob("*.journal"))
    first.unlink()
    second.unlink()
    (check,) = verify(folder)
    assert check.segments[0] == 3
    assert check.notes == ["its beginning is gone; strategies that declare no state may do other than then"]
    assert check.events > 0


HELPED = """
from sizes.small import SIZE
from directions import UP
from sengine.strategy import BaseStrategy, Signal


class Helped(BaseStrategy):
    calls = 0

    def on_tick(self, data):
        self.calls += 1
        return Signal(direction=UP, confidence=1.0, size=SIZE) if self.calls % 50 == 0 else None


def create_strategy():
    return Helped("helped")
"""


def test_strategy_with_helpers_is_run_again_with_the_helpers_of_then(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = configuration(tmp_path, StrategyConfig(id="h", plugin="helped"))
    plugins = tmp_path / "plugins"
    (plugins / "sizes").mkdir()
    (plugins / "helped.py").write_text(HELPED)
    (plugins / "directions.py").write_text('UP = "LONG"\n')
    (plugins / "sizes" / "__init__.py").write_text("")
    (plugins / "sizes" / "small.py").write_text("SIZE = 0.5\n")
    record(config, folder, quotes)
    (plugins / "sizes" / "small.py").write_text("SIZE = 5.0\n")
    (check,) = verify(folder)
    assert check.is_equal, check.divergence or check.skipped
    assert check.orders > 20


def test_recovered_engine_knows_all_that_was_known_and_its_strategies_go_on(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = configuration(tmp_path, MOMENTUM, RSI, segment_bytes=100_000)
    first = record(config, folder, quotes, closes=False)
    second = new_engine(config)
    recovered = asyncio.run(recover(folder, second, 1_000_000))
    assert recovered.beginning.first_record == sum(1 for _ in JournalReader(folder))
    assert not recovered.was_closed
    assert list(second.portfolio.positions()) == list(first.portfolio.positions())
    assert (second.ticks, second.orders_sent, second.now_ns) == (first.ticks, first.orders_sent, first.now_ns)
    ours, theirs = checkpoint(first), checkpoint(second)
    for part in ("books", "orders", "votes", "record"):
        assert getattr(theirs, part) == getattr(ours, part), part
    # The same market goes on: both decide the same, down to the strategies' windows.
    rows = list(open_feed(quotes, pytest.fail))
    late = first.now_ns - rows[0].timestamp_ns
    for row in rows:
        event = msgspec.structs.replace(row, timestamp_ns=row.timestamp_ns + late)
        assert repr(first.process(event)) == repr(second.process(event))
    assert first.orders_sent > ours.orders_sent


def test_recovery_from_later_segments_has_the_same_books(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = configuration(tmp_path, MOMENTUM, RSI, segment_bytes=100_000)
    first = record(config, folder, quotes)
    for warmup_events in (0, 1_500):
        second = new_engine(config)
        recovered = asyncio.run(recover(folder, second, warmup_events))
        assert recovered.was_closed
        assert recovered.beginning.follows_from > 1
        assert checkpoint(second).books == checkpoint(first).books
        assert second.orders_sent == first.orders_sent


def test_records_missing_in_a_finished_segment_stop_a_start_and_blame_no_strategy(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = configuration(tmp_path, MOMENTUM, RSI, segment_bytes=100_000)
    record(config, folder, quotes)
    path = folder / "0000000002.journal"
    *_, (last, _) = frames(memoryview(path.read_bytes()))
    with path.open("r+b") as file:
        file.truncate(last)
    what = rf"0000000002\.journal: byte {last}: damaged: 1 record is missing where it ends"
    with pytest.raises(JournalError, match=what):
        asyncio.run(recover(folder, new_engine(config), 1_000_000))
    with pytest.raises(JournalError, match=what):
        list(verify(folder))


@pytest.mark.parametrize("keeps", ["nothing", "half a header", "zeros", "a header", "half a checkpoint", "room too"])
@pytest.mark.parametrize("is_only_one", [False, True])
def test_segment_torn_before_its_checkpoint_is_whole_is_noted_and_the_start_goes_on(
    tmp_path: Path, quotes: Path, keeps: str, is_only_one: bool
) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    config = configuration(tmp_path, MOMENTUM, RSI, segment_bytes=100_000)
    record(config, folder, quotes)
    files = segments(folder)
    last = files.pop(max(files))
    content = last.read_bytes()
    (_, _), (checkpoint_at, _), (checkpoint_end, _) = islice(frames(memoryview(content)), 3)
    last.write_bytes(
        {
            "nothing": b"",
            "half a header": content[: checkpoint_at // 2],
            "zeros": bytes(5_000),
            "a header": content[:checkpoint_at],
            "half a checkpoint": content[: (checkpoint_at + checkpoint_end) // 2],
            "room too": content[: (checkpoint_at + checkpoint_end) // 2] + bytes(5_000),
        }[keeps]
    )
    if is_only_one:
        for path in files.values():
            path.unlink()
    number = int(last.name[:10])
    for warmup_events in (0, 1_000_000):
        torn = last.read_bytes()
        again = new_engine(config)
        recovered = asyncio.run(recover(folder, again, warmup_events))
        assert recovered.beginning.segment == number
        assert any(f"{last}: torn at byte 0: " in note for note in recovered.notes)
        assert not last.exists()
        assert (again.orders_sent > 20) != is_only_one
        if not is_only_one:
            assert recovered.beginning.first_record == sum(1 for _ in JournalReader(folder))
        last.write_bytes(torn)
    beginning = new_session_after(folder)
    assert (beginning.segment, beginning.follows_from) == (number, 0)
    Journal(folder, config, new_engine(config), "", beginning).close()
    assert list(JournalReader(folder).paths)[-1] == number
    assert isinstance([entry.record for entry in JournalReader(folder)][-1], Closed)


def test_compressed_segment_that_is_damaged_is_told_and_not_passed_over(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    record(configuration(tmp_path, MOMENTUM, RSI, segment_bytes=400_000), folder, quotes)
    path = folder / "0000000001.journal"
    packed = zstandard.ZstdCompressor(write_checksum=True).compress(path.read_bytes())
    path.unlink()
    path = path.with_name("0000000001.journal.zst")
    for content in (
        packed[:-4] + b"\0\0\0\0",
        packed[: len(packed) // 2],
        packed[: len(packed) * 9 // 10] + b"\0" * 99,
    ):
        path.write_bytes(content)
        with pytest.raises(DamageError, match=r"0000000001\.journal\.zst: .*damaged"):
            list(verify(folder))
        with pytest.raises(DamageError, match=r"0000000001\.journal\.zst: .*damaged"):
            asyncio.run(recover(folder, new_engine(configuration(tmp_path, MOMENTUM, RSI)), 1_000_000))


def test_journal_is_a_feed_of_its_market_data(tmp_path: Path, quotes: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    record(configuration(tmp_path, MOMENTUM), folder, quotes)
    played, recorded = (list(open_feed(path, pytest.fail)) for path in (quotes, folder))
    assert [(each.symbol, each.timestamp_ns) for each in played] == [
        (each.symbol, each.timestamp_ns) for each in recorded
    ]
    assert [each.book.mid for each in played] == [each.book.mid for each in recorded]  # type: ignore[union-attr]
