"""Relative strength index (semantics, section 8)."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.errors import SengineError
from tests.strategies.conftest import bench, directions, run_with_latency, show

mids = st.integers(100 * 1024, 101 * 1024).map(lambda parts: parts / 1024)


def exact_rsi(seen: list[Fraction], period: int) -> Fraction:
    changes = [after - before for before, after in pairwise(seen[-period - 1 :])]
    gain = sum((change for change in changes if change > 0), Fraction(0)) / period
    loss = -sum((change for change in changes if change < 0), Fraction(0)) / period
    return Fraction(100) if loss == 0 else 100 - 100 / (1 + gain / loss)


@given(
    st.integers(1, 5),
    st.sampled_from([(30, 70), (20, 60), (45, 55)]),
    st.lists(st.tuples(mids, st.sampled_from([-1.0, 0.0, 1.0])), max_size=20),
)
def test_it_buys_below_oversold_and_sells_above_overbought(
    period: int, limits: tuple[int, int], market: list[tuple[float, float]]
) -> None:
    oversold, overbought = limits
    strategy = bench("rsi", period=period, oversold=oversold, overbought=overbought)
    seen: list[Fraction] = []
    for mid, position in market:
        strategy.strategy.position = position
        seen.append(Fraction(mid))
        signals = show(strategy, mid)
        if len(seen) <= period:
            assert signals == []
            continue
        rsi = exact_rsi(seen, period)
        if min(abs(rsi - oversold), abs(rsi - overbought)) < Fraction(1, 10**9):
            continue
        expected = []
        if rsi < oversold and position <= 0:
            expected = [("LONG", float((oversold - rsi) / oversold))]
        elif rsi > overbought and position >= 0:
            expected = [("SHORT", float((rsi - overbought) / (100 - overbought)))]
        assert [(signal.direction, signal.confidence) for signal in signals] == [
            (direction, pytest.approx(min(1.0, confidence), abs=1e-9)) for direction, confidence in expected
        ]
        assert all(signal.size == 1.0 for signal in signals)


def test_no_loss_gives_100_and_full_confidence() -> None:
    strategy = bench("rsi", period=3)
    (signal,) = [signal for mid in (100.0, 101.0, 102.0, 103.0) for signal in show(strategy, mid)]
    assert (signal.direction, signal.confidence, signal.metadata) == ("SHORT", 1.0, {"rsi": 100.0})


def test_only_losses_give_0_and_full_confidence() -> None:
    strategy = bench("rsi", period=3)
    (signal,) = [signal for mid in (103.0, 102.0, 101.0, 100.0) for signal in show(strategy, mid)]
    assert (signal.direction, signal.confidence, signal.metadata) == ("LONG", 1.0, {"rsi": 0.0})


def test_equal_gains_and_losses_give_50_and_silence() -> None:
    strategy = bench("rsi", period=2)
    assert directions(strategy, [100.0, 101.0, 100.0, 101.0]) == [""] * 4
    assert strategy.strategy.get_state()["rsi"] == 50.0


def test_the_defaults_are_14_70_and_30() -> None:
    strategy = bench("rsi")
    assert directions(strategy, [100.0 + tick for tick in range(16)]) == [""] * 14 + ["SHORT"] * 2
    params = strategy.strategy.params
    assert (params.period, params.overbought, params.oversold) == (14, 70.0, 30.0)


@pytest.mark.parametrize("latency_ms", [1.0, 50.0, 500.0])
def test_however_long_fills_take_it_never_holds_more_than_one(latency_ms: float) -> None:
    largest, orders = run_with_latency("rsi", latency_ms)
    assert largest == 1.0
    assert orders > 10


def test_it_does_not_add_to_what_it_holds() -> None:
    strategy = bench("rsi", period=1)
    assert directions(strategy, [100.0, 101.0]) == ["", "SHORT"]
    strategy.fill("sell", 101.0, 1.0)
    assert directions(strategy, [102.0, 101.0]) == ["", "LONG"]
    strategy.fill("buy", 101.0, 2.0)
    assert directions(strategy, [100.0, 101.0]) == ["", "SHORT"]


def test_before_the_window_is_full_there_is_no_rsi() -> None:
    strategy = bench("rsi", period=3)
    directions(strategy, [100.0, 101.0, 102.0])
    assert strategy.strategy.get_state()["rsi"] is None


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"oversold": 70, "overbought": 70}, "oversold must be below overbought, got 70.0 and 70.0"),
        ({"period": 0}, "period"),
        ({"overbought": 100}, "overbought"),
        ({"perod": 3}, "period"),
    ],
)
def test_wrong_parameters_are_refused(config: dict[str, object], words: str) -> None:
    with pytest.raises(SengineError, match=words):
        bench("rsi", **config)
