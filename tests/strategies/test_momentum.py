"""Moving average crossover (semantics, section 8)."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sengine.errors import SengineError
from tests.strategies.conftest import bench, directions, run_with_latency, show

mids = st.integers(100 * 1024, 101 * 1024).map(lambda parts: parts / 1024)
positions = st.sampled_from([-1.0, 0.0, 1.0])


@given(
    st.integers(1, 4),
    st.integers(1, 5),
    st.lists(st.tuples(mids, positions), max_size=25),
)
def test_it_follows_the_two_means(short_window: int, longer: int, market: list[tuple[float, float]]) -> None:
    long_window = short_window + longer
    strategy = bench("momentum", short_window=short_window, long_window=long_window)
    seen: list[Fraction] = []
    for mid, position in market:
        strategy.strategy.position = position
        seen.append(Fraction(mid))
        expected = ""
        if len(seen) >= long_window:
            short_mean = sum(seen[-short_window:]) / short_window
            long_mean = sum(seen[-long_window:]) / long_window
            if short_mean > long_mean and position <= 0:
                expected = "LONG"
            elif short_mean < long_mean and position >= 0:
                expected = "SHORT"
        signals = show(strategy, mid)
        # Means that differ by less than a float can tell apart may count as equal, and only those.
        if expected and not signals:
            assert abs(short_mean - long_mean) < Fraction(1, 10**12)
        else:
            assert [signal.direction for signal in signals] == ([expected] if expected else [])


def test_a_signal_has_confidence_seven_tenths_and_size_one() -> None:
    strategy = bench("momentum", short_window=1, long_window=3)
    (signal,) = [signal for mid in (101.0, 102.0, 104.0) for signal in show(strategy, mid)]
    assert (signal.symbol, signal.direction, signal.confidence, signal.size) == ("BTCUSDT", "LONG", 0.7, 1.0)


def test_the_defaults_are_five_and_twenty() -> None:
    rising = [100.0 + tick for tick in range(25)]
    assert directions(bench("momentum"), rising) == [""] * 19 + ["LONG"] * 6


# fsum(window) / n rounds twice, so that only windows whose ratio is a power of two are sure to agree on a flat
# market: 5 and 20 do, 3 and 7 do not. The formula is what binds (semantics, section 8).
@pytest.mark.parametrize("windows", [(5, 20), (3, 12), (7, 14), (10, 20)])
@settings(max_examples=30)
@given(st.floats(0.01, 1e6))
def test_a_flat_market_gives_no_phantom_crossover(windows: tuple[int, int], mid: float) -> None:
    short_window, long_window = windows
    strategy = bench("momentum", short_window=short_window, long_window=long_window)
    assert not any(strategy.tick(mid, mid) for _ in range(long_window + 5))


@pytest.mark.parametrize("latency_ms", [1.0, 50.0, 500.0])
def test_however_long_fills_take_it_never_holds_more_than_one(latency_ms: float) -> None:
    largest, orders = run_with_latency("momentum", latency_ms)
    assert largest == 1.0
    assert orders > 10


def test_its_position_is_its_own_fills() -> None:
    strategy = bench("momentum", short_window=1, long_window=2)
    assert directions(strategy, [100.0, 101.0]) == ["", "LONG"]
    strategy.fill("buy", 101.0, 1.0)
    assert directions(strategy, [102.0, 101.0]) == ["", "SHORT"]
    strategy.fill("sell", 101.0, 2.0)
    assert directions(strategy, [100.0, 101.0]) == ["", "LONG"]


def test_its_state_shows_windows_and_position() -> None:
    strategy = bench("momentum", short_window=2, long_window=4)
    strategy.fill("sell", 100.0, 3.0)
    assert strategy.strategy.get_state() == {
        "strategy_id": "momentum",
        "is_active": True,
        "position": -3.0,
        "short_window": 2,
        "long_window": 4,
    }


def test_new_parameters_take_effect_and_the_mids_stay() -> None:
    strategy = bench("momentum", short_window=1, long_window=5)
    directions(strategy, [100.0, 101.0, 102.0])
    strategy.strategy.params = type(strategy.strategy.params)(short_window=1, long_window=3)
    strategy.strategy.hot_reload({"short_window": 1, "long_window": 3})
    assert directions(strategy, [103.0]) == ["LONG"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"short_window": 20, "long_window": 20}, "short_window must be below long_window, got 20 and 20"),
        ({"short_window": 0}, "short_window"),
        ({"long_window": "many"}, "long_window"),
        ({"long_windw": 20}, "long_window"),
    ],
)
def test_wrong_parameters_are_refused(config: dict[str, object], words: str) -> None:
    with pytest.raises(SengineError, match=words):
        bench("momentum", **config)
