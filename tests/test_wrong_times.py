"""Market data with times that cannot be right: journal, recovery, a run again, readiness and the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec
import pytest

from replay.run import ReplayOptions, run_replay
from sengine.adapters.journal.journal import Beginning, Journal
from sengine.adapters.journal.recovery import recover
from sengine.clock import NS_PER_S
from sengine.config.schema import Config
from sengine.domain.events import MarketEvent, SoundBookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.order import Order
from sengine.engine.core import Engine
from sengine.engine.risk.limits import LateEngineLimit
from sengine.engine.time_jumps import JumpRule
from sengine.errors import DataError
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.refused_data import FORGET_AFTER_S, IN_A_ROW, RefusedData
from sengine.runtime.status import ServiceStatus
from sengine.service.recording import Recording
from sengine.service.verification import verify
from tests.engine.conftest import Actor, engine_with, long, quote
from tests.test_verification import MOMENTUM, configuration, new_engine

DAY_NS = 86_400 * NS_PER_S
BEGIN_NS = 1_704_096_000 * NS_PER_S
FAR_NS = 8_000_000_000 * NS_PER_S


def books(begin_ns: int, count: int, symbol: str = "BTCUSDT") -> list[MarketEvent]:
    """Prices that go up and down, so that momentum trades."""
    mids = [100.0 + (place % 60 if place % 120 < 60 else 60 - place % 60) for place in range(count)]
    return [
        SoundBookEvent(
            symbol,
            begin_ns + place * NS_PER_S,
            OrderBook((PriceLevel(mid - 0.5, 1.0),), (PriceLevel(mid + 0.5, 1.0),)),
        )
        for place, mid in enumerate(mids)
    ]


def weekend() -> list[MarketEvent]:
    """Two symbols over a weekend, and one stamp of each that is wrong."""
    events: list[MarketEvent] = []
    for begin_ns in (BEGIN_NS, BEGIN_NS + 3 * DAY_NS):
        for pair in zip(books(begin_ns, 200), books(begin_ns, 200, "ETHUSDT"), strict=True):
            events.extend(pair)
    for place in (101, 500):
        events[place] = msgspec.structs.replace(events[place], timestamp_ns=FAR_NS)
    return events


def session(config: Config, folder: Path, events: list[MarketEvent], *, closes: bool = True) -> Engine:
    """A session of these, one by one."""
    folder.mkdir(exist_ok=True)
    live = LiveEngine(new_engine(config))
    live.journal = journal = Journal(folder, config, live.engine, "", Beginning())
    for event in events:
        live.process(event)
    journal.close() if closes else journal._writer.close()
    return live.engine


def essence(engine: Engine) -> tuple[Any, ...]:
    positions = [
        (each.strategy_id, each.symbol, each.quantity, each.realized_pnl) for each in engine.portfolio.positions()
    ]
    times = {symbol: market.last_ns for symbol, market in engine.markets.items()}
    return positions, times, engine.ticks, dict(engine.rejected), engine.orders_sent


@pytest.mark.parametrize("segment_bytes", [20_000, 1 << 24])
async def test_a_session_with_held_back_and_dropped_events_is_equal_and_is_taken_up(
    tmp_path: Path, segment_bytes: int
) -> None:
    config = configuration(tmp_path, MOMENTUM, segment_bytes=segment_bytes)
    engine = session(config, tmp_path / "journal", weekend())
    assert engine.rejected == {"time_jump": 2}
    assert engine.orders_sent > 4
    (check,) = verify(tmp_path / "journal")
    assert check.is_equal, check
    again = new_engine(config)
    await recover(tmp_path / "journal", again, 1 << 20)
    assert essence(again) == essence(engine)


@pytest.mark.parametrize("after_monday", [1, 3, 4, 5])
async def test_an_engine_that_ended_while_events_were_held_back_goes_on_with_them(
    tmp_path: Path, after_monday: int
) -> None:
    config = configuration(tmp_path, MOMENTUM)
    friday, monday = books(BEGIN_NS, 100), books(BEGIN_NS + 3 * DAY_NS, 100)
    whole = session(config, tmp_path / "whole", friday + monday)
    session(config, tmp_path / "journal", friday + monday[:after_monday], closes=False)
    live = LiveEngine(new_engine(config))
    live.is_recovering = True
    await recover(tmp_path / "journal", live.engine, 1 << 20)
    live.recovered()
    for event in monday[after_monday:]:
        live.process(event)
    assert essence(live.engine) == essence(whole)


def recording(config: Config, live: LiveEngine, directory: Path) -> Recording:
    return Recording(live, ServiceStatus("test"), config, directory, "", lambda *reason: None)


async def test_a_journal_of_a_version_that_took_the_future_is_healed_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = msgspec.structs.replace(
        configuration(tmp_path, MOMENTUM),
        position_tracker=msgspec.structs.replace(Config().position_tracker, db_path=str(tmp_path / "positions.db")),
    )
    folder = tmp_path / "journal"
    folder.mkdir()
    live = LiveEngine(new_engine(config))
    live.engine.jumps.change(None)  # as it was then
    live.journal = journal = Journal(folder, config, live.engine, "", Beginning())
    now_ns = time_ns()
    for event in (*books(now_ns - 60 * NS_PER_S, 50), books(FAR_NS, 1)[0], *books(now_ns, 5)):
        live.process(event)
    assert live.engine.rejected == {"time_backwards": 5}
    journal.close()
    _forget_section(monkeypatch)

    live = LiveEngine(new_engine(config))
    keeper = recording(config, live, tmp_path)
    await keeper.start()
    try:
        assert live.engine.markets["BTCUSDT"].last_ns < now_ns
        assert any("begins anew" in record.event for record in live.logs.history)
        assert live.engine.record.day_ends_ns < now_ns + 2 * DAY_NS
        assert live.process(books(now_ns + NS_PER_S, 1)[0]).rejected == ""
    finally:
        await keeper.close()
    *_, check = verify(folder)
    assert check.is_equal, check


def _forget_section(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the first session's header as an earlier version wrote it: without the section."""
    from sengine.adapters.journal import recovery
    from sengine.service import verification

    def rule_of(header: Any, real: Callable[[Any], JumpRule | None]) -> JumpRule | None:
        return None if header.segment == 1 else real(header)

    old = partial(rule_of, real=recovery.rule_of)
    monkeypatch.setattr(recovery, "rule_of", old)
    monkeypatch.setattr(verification, "rule_of", old)


def test_a_header_without_the_section_is_of_a_version_that_held_nothing_back(tmp_path: Path) -> None:
    from sengine.adapters.journal.reader import JournalReader
    from sengine.adapters.journal.recovery import rule_of

    session(configuration(tmp_path, MOMENTUM), tmp_path / "journal", books(BEGIN_NS, 3))
    (header,) = JournalReader(tmp_path / "journal").headers().values()
    assert rule_of(header) == JumpRule(DAY_NS, 3)
    old = {key: value for key, value in header.config.items() if key != "market_data"}
    assert rule_of(msgspec.structs.replace(header, config=old)) is None


# Readiness.


def refused(engine: Engine, clock_s: Callable[[], float] = lambda: 0.0, count: int = IN_A_ROW) -> RefusedData:
    watch = RefusedData(engine, clock_s)
    for _ in range(count):
        watch.add("BTC", "from_the_future")
    return watch


def test_a_symbol_is_named_once_five_in_a_row_are_refused_and_no_longer_when_one_is_accepted() -> None:
    engine = engine_with(Actor(symbols=("BTC",)))
    assert refused(engine, count=IN_A_ROW - 1).sentences() == []
    watch = refused(engine)
    assert watch.sentences() == ["all market data of BTC is refused: 5 in a row, the last as from the future"]
    engine.process(quote(1))
    assert watch.sentences() == []
    for _ in range(IN_A_ROW):
        watch.add("BTC", "time_backwards")
    assert len(watch.sentences()) == 1
    engine.process(quote(1, 98.0))  # the same time, another book
    watch.add("BTC", "time_backwards")
    assert watch.sentences() == []


def test_a_symbol_that_anybody_made_up_or_that_has_gone_quiet_is_not_named() -> None:
    assert refused(engine_with(Actor())).sentences() == []
    known = engine_with(Actor())
    known.process(quote(1))
    now_s = [0.0]
    watch = refused(known, lambda: now_s[0])
    assert len(watch.sentences()) == 1
    now_s[0] = FORGET_AFTER_S + 1
    assert watch.sentences() == []


def test_readiness_says_that_all_data_of_a_symbol_is_refused() -> None:
    live = LiveEngine(engine_with(Actor(symbols=("BTC",))))
    facts = ServiceStatus("test", strategies_are_loaded=True)
    live.process(quote(10))
    assert facts.not_ready_because(live) == []
    for at_s in range(IN_A_ROW):
        live.process(quote(at_s))
    (reason,) = facts.not_ready_because(live)
    assert reason == "all market data of BTC is refused: 5 in a row, the last as time backwards"


# A late engine.


class Gateway:
    def __init__(self) -> None:
        self.sent: list[Order] = []

    def send(self, order: Order, received_ns: int = 0) -> None:
        self.sent.append(order)

    def cancel(self, order_id: str) -> None: ...

    def change_bounds(self, execution: Any) -> None: ...


async def test_an_order_that_became_too_old_while_strategies_thought_is_taken_back_as_rejected() -> None:
    clock_ns = [BEGIN_NS]

    def thinking(seconds: float) -> Callable[[Any], Any]:
        def think(data: Any) -> Any:
            clock_ns[0] += int(seconds * NS_PER_S)
            return long()

        return think

    engine = engine_with(Actor("a", thinking(0.9), thinking(1.5)), checks=[LateEngineLimit()])
    live = LiveEngine(engine, lambda: clock_ns[0])
    live.gateway = gateway = Gateway()
    live.process(msgspec.structs.replace(quote(1), received_ns=clock_ns[0]))
    assert len(gateway.sent) == 1
    live.process(msgspec.structs.replace(quote(2), received_ns=clock_ns[0]))
    assert len(gateway.sent) == 1
    await asyncio.sleep(0)
    assert [working.order.order_id for working in engine.orders.open_orders()] == [gateway.sent[0].order_id]
    assert live.order_updates == {"rejected": 1}
    lines = [f"{record.event} {record.fields}" for record in live.logs.history]
    assert any("not sent: the engine is late: what the order answers came 1,500 ms ago" in line for line in lines)


@pytest.mark.parametrize("wrong", [(3,), (3, 5)])
def test_a_row_that_is_dropped_later_is_named_by_its_own_line(tmp_path: Path, wrong: tuple[int, ...]) -> None:
    file = tmp_path / "quotes.csv"
    rows = ["timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty"]
    for line in range(2, 30):
        year = 2024 if line not in wrong else 2200 + line
        rows.append(f"{year}-01-05T00:00:{line:02d}Z,BTCUSDT,99,1,101,1")
    file.write_text("\n".join(rows) + "\n")
    config = configuration(tmp_path, MOMENTUM)
    with pytest.raises(DataError, match=r"quotes\.csv:3: time jump"):
        run_replay(config, ReplayOptions(files=[file], strict=True))
    result = run_replay(config, ReplayOptions(files=[file]))
    assert result.rejected == {"time_jump": len(wrong)}
    assert result.ticks == 28 - len(wrong)
    assert "BTCUSDT: a book dated 2203-01-05" in result.hints[0]
