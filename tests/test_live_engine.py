from __future__ import annotations

from sengine.clock import NS_PER_S
from sengine.domain.events import BookEvent
from sengine.domain.market import OrderBook, PriceLevel
from sengine.domain.signal import Signal
from sengine.runtime.live_engine import HISTORY, LiveEngine
from tests.engine.conftest import Actor, engine_with

T0 = 1_700_000_000 * NS_PER_S


def book(at_s: float, symbol: str = "BTC") -> BookEvent:
    return BookEvent(symbol, T0 + int(at_s * NS_PER_S), OrderBook((PriceLevel(99.5, 1.0),), (PriceLevel(100.5, 1.0),)))


def said(live: LiveEngine) -> list[str]:
    return [f"{record.event} {record.fields}" for record in live.logs.history]


def test_market_data_that_is_refused_is_told_once_with_its_reason() -> None:
    live = LiveEngine(engine_with(Actor("a")))
    live.process(book(5))
    for at_s in (1, 2, 3):
        live.process(book(at_s))
    (line,) = [line for line in said(live) if "refused" in line]
    assert "older than the last of its symbol, 2023-11-14T22:13:25" in line


def test_one_that_says_a_lot_leaves_the_others_their_signals() -> None:
    long = Signal(direction="LONG", confidence=0.9)
    live = LiveEngine(engine_with(Actor("quiet", long), Actor("noisy", *[long] * (HISTORY + 10))))
    for step in range(HISTORY + 10):
        live.process(book(step))
    assert not any(record.strategy_id == "quiet" for record in live.signals.history)
    assert [record.strategy_id for record in live.signals_of["quiet"]] == ["quiet"]
