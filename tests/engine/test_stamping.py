"""Step 5 (semantics, section 2): the engine makes a signal its own. What it refuses is in test_containment."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from sengine.domain.market import MarketData
from sengine.domain.signal import Direction, Signal, StampedSignal
from sengine.engine.strategies import stamping
from tests.engine.conftest import Actor, book, engine_with, long, ns, quote

DATA = MarketData("BTC", ns(7), book())


def stamp(signal: object, **spec) -> StampedSignal:
    return stamping.stamp(Actor("a", **spec).spec, signal, DATA, 5)


def test_author_and_event_time_are_the_engines_whatever_the_strategy_says() -> None:
    stamped = stamp(long(strategy_id="impostor", timestamp=datetime(1999, 12, 31)))
    assert (stamped.strategy_id, stamped.timestamp_ns, stamped.sequence) == ("a", ns(7), 5)


def test_a_signal_without_a_symbol_is_for_the_symbol_of_the_tick() -> None:
    assert stamp(long()).symbol == "BTC"
    assert stamp(long(symbol="ETH"), symbols=("BTC", "ETH")).symbol == "ETH"
    assert stamp(long(symbol="XRP"), symbols=("*",)).symbol == "XRP"


@pytest.mark.parametrize("text", ["LONG", "SHORT", "CLOSE", "long", "short", "close"])
def test_directions_are_words(text: str) -> None:
    assert stamp(Signal(direction=text, confidence=0.5)).direction is Direction(text.upper())


@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT, Direction.CLOSE])
def test_directions_can_be_members_of_the_enum(direction: Direction) -> None:
    assert stamp(Signal(direction=direction, confidence=0.5)).direction is direction


@pytest.mark.parametrize("confidence", [0, 1, 0.0, 0.5, 1.0, np.float64(0.5), np.float32(0.5), np.int64(1)])
def test_confidence_is_any_number_from_0_to_1(confidence: object) -> None:
    stamped = stamp(long(confidence))
    assert stamped.confidence == float(confidence)  # type: ignore[arg-type]
    assert type(stamped.confidence) is float


@pytest.mark.parametrize(("size", "expected"), [(2.5, 2.5), (3, 3.0), (np.float64(0.5), 0.5), (0.0, 1.0), (0, 1.0)])
def test_a_size_of_zero_means_the_default_of_one(size: object, expected: float) -> None:
    stamped = stamp(long(0.5, size))
    assert (stamped.size, type(stamped.size)) == (expected, float)


def test_an_absent_size_means_the_configured_default() -> None:
    assert stamp(Signal(direction="LONG", confidence=0.5), default_size=0.25).size == 0.25
    assert stamp(long(0.5, 0.0), default_size=0.25).size == 0.25
    assert stamp(long(0.5, 2.0), default_size=0.25).size == 2.0


@pytest.mark.parametrize("limit", [99.5, 99, np.float64(99.5)])
def test_limit_prices_belong_to_direct_strategies(limit: object) -> None:
    stamped = stamp(long(limit_price=limit), route="direct")
    assert stamped.limit_price == float(limit)  # type: ignore[arg-type]


def test_metadata_comes_through() -> None:
    assert stamp(long(metadata={"rsi": 21.5})).metadata == {"rsi": 21.5}


@pytest.mark.parametrize("several", [[long(), long()], (long(), long())])
def test_a_strategy_may_return_several_signals(several: object) -> None:
    outcome = engine_with(Actor("a", several)).process(quote(1))
    assert [result.signal.sequence for result in outcome.signals] == [1, 2]


@pytest.mark.parametrize("silence", [None, [], ()])
def test_a_strategy_may_return_nothing(silence: object) -> None:
    engine = engine_with(Actor("a", silence))
    assert engine.process(quote(1)).signals == []
    assert engine.signals_generated == 0


def test_signals_are_numbered_over_all_strategies_and_counted_for_each() -> None:
    engine = engine_with(Actor("a", long(), long()), Actor("b", [long(), long()]))
    numbers = [result.signal.sequence for at_s in (1, 2) for result in engine.process(quote(at_s)).signals]
    assert numbers == [1, 2, 3, 4]
    assert [(runtime.signals, runtime.ticks, runtime.last_signal_ns) for runtime in engine.registry] == [
        (2, 2, ns(2)),
        (2, 2, ns(1)),
    ]
