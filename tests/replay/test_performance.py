from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any

import empyrical
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replay.performance import Performance, means_little, measure, returns_of, sharpe_ratio, sortino_ratio
from replay.tally import TradeTally
from sengine.engine.outcome import Outcome

S = 1_000_000_000
YEAR_S = 365 * 86_400

levels = st.floats(1.0, 1e6)
curves = st.lists(levels, min_size=2, max_size=60)


def measured(pnl: Sequence[float], gross: Sequence[float] | None = None, **changes: Any) -> Performance:
    arguments: dict[str, Any] = {
        "initial_capital": 1_000.0,
        "total_pnl": pnl[-1] if pnl else 0.0,
        "max_drawdown": 0.0,
        "pnl": pnl,
        "gross_notional": gross if gross is not None else [0.0] * len(pnl),
        "interval_ns": S,
        "tally": TradeTally(),
    }
    return measure(**arguments | changes)


@given(curves)
def test_returns_are_those_of_empyrical(equity: list[float]) -> None:
    assert returns_of(equity) == pytest.approx(list(empyrical.simple_returns(np.array(equity))), rel=1e-12)


@given(curves, st.sampled_from([1.0, 252.0, float(YEAR_S)]))
def test_sharpe_is_that_of_empyrical(equity: list[float], periods: float) -> None:
    returns = returns_of(equity)
    ours, theirs = sharpe_ratio(returns, periods), empyrical.sharpe_ratio(np.array(returns), annualization=periods)
    assert_same_ratio(ours, theirs, returns)


@given(curves, st.sampled_from([1.0, 252.0, float(YEAR_S)]))
def test_sortino_is_that_of_empyrical(equity: list[float], periods: float) -> None:
    returns = returns_of(equity)
    ours, theirs = sortino_ratio(returns, periods), empyrical.sortino_ratio(np.array(returns), annualization=periods)
    assert_same_ratio(ours, theirs, returns)


def assert_same_ratio(ours: float | None, theirs: float, returns: Sequence[float]) -> None:
    # Where all returns are equal the deviation is rounding alone, and each computation has its own.
    if max(returns) - min(returns) < 1e-9 or abs(theirs) > 1e6:
        return
    if ours is None:
        assert not np.isfinite(theirs)
    else:
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-9)


@given(mids=st.lists(st.floats(10.0, 200.0), min_size=3, max_size=30), first=st.sampled_from([4.0, -4.0]))
def test_max_drawdown_is_that_of_empyrical_over_every_mark_and_fill(
    new_lab: Callable[[], Any], mids: list[float], first: float
) -> None:
    lab = new_lab()
    script = [lab.buy(4.0) if first > 0 else lab.sell(4.0), None, lab.buy(2.0)]
    result = lab.run({"a": script}, lab.quotes(*mids), commission_bps=5)
    # The same account kept as cash and quantity.
    cash, quantity, equity = 1_000.0, 0.0, [1_000.0]
    for mid, traded in zip(mids, (first, 0.0, 2.0, *[0.0] * len(mids)), strict=False):
        equity.append(cash + quantity * mid)
        price = mid + 1.0 if traded > 0 else mid - 1.0
        cash -= traded * price + abs(traded) * price * 0.0005
        quantity += traded
        equity.append(cash + quantity * mid)
    assert result.performance.total_pnl == pytest.approx(equity[-1] - 1_000.0, abs=1e-9)
    theirs = empyrical.max_drawdown(empyrical.simple_returns(np.array(equity)))
    assert result.performance.max_drawdown == pytest.approx(-theirs, rel=1e-9, abs=1e-9)


def test_the_ratios_are_annualised_with_the_curves_own_interval() -> None:
    pnl = [0.0, 10.0, 5.0, 30.0]
    seconds, minutes = measured(pnl), measured(pnl, interval_ns=60 * S)
    returns = np.array([0.01, 1005 / 1010 - 1, 1030 / 1005 - 1])
    assert seconds.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * YEAR_S**0.5)
    assert minutes.sharpe == pytest.approx(returns.mean() / returns.std(ddof=1) * (YEAR_S / 60) ** 0.5)
    downside = np.sqrt(np.mean(np.minimum(returns, 0) ** 2))
    assert seconds.sortino == pytest.approx(returns.mean() / downside * YEAR_S**0.5)
    assert (seconds.return_interval_s, minutes.return_interval_s) == (1.0, 60.0)


@pytest.mark.parametrize("each", [0.01, 0.001, -0.02, 1e-6])
@pytest.mark.parametrize("count", [3, 50, 9_999])
def test_a_constant_return_has_no_sharpe_and_no_sortino(each: float, count: int) -> None:
    count = min(count, int(5 / abs(each)))
    pnl = [100_000.0 * (1.0 + each) ** at - 100_000.0 for at in range(count)]
    performance = measured(pnl, initial_capital=100_000.0)
    assert performance.sharpe is None
    # All of the same loss is a deviation from 0 and no rounding.
    assert performance.sortino is None or (each < 0.0 and performance.sortino == pytest.approx(-(YEAR_S**0.5)))


@given(st.floats(1e-7, 0.05), st.integers(3, 300), st.floats(1e3, 1e9))
def test_no_constant_return_makes_a_ratio_of_rounding(each: float, count: int, capital: float) -> None:
    pnl = [capital * (1.0 + each) ** at - capital for at in range(count)]
    performance = measured(pnl, initial_capital=capital)
    assert (performance.sharpe, performance.sortino) == (None, None)


@given(st.lists(st.floats(-1e-9, 1e-9), min_size=2, max_size=50))
def test_an_equity_that_moves_by_rounding_alone_has_no_ratio(dust: list[float]) -> None:
    performance = measured(dust, initial_capital=1e6)
    assert (performance.sharpe, performance.sortino) == (None, None)


def test_a_result_of_rounding_is_no_win_and_no_loss() -> None:
    tally = TradeTally()
    tally.add(60_000.0, 0.0, 100.0)
    tally.add(60_000.0, 0.0, -7e-12)
    assert (tally.trades, tally.wins, tally.win_rate, tally.profit_factor) == (2, 1, 0.5, None)
    tally.add(60_000.0, 0.1 + 0.2, 0.3)
    assert (tally.wins, tally.win_rate, tally.profit_factor) == (1, pytest.approx(1 / 3), None)


def test_an_equity_of_nothing_but_rounding_is_none_to_take_a_share_of() -> None:
    performance = measured([0.0, 0.0, -1_000.0 + 1e-11, 0.0], gross=[500.0, 500.0, 500.0, 500.0])
    assert performance.exposure == pytest.approx(0.5)
    assert returns_of([1_000.0, 1e-11, 1_000.0, 1_100.0]) == pytest.approx([-1.0, 0.1])


def test_figures_that_mean_little_say_why(lab: Any) -> None:
    result = lab.run({"a": [lab.buy(2.0), None, lab.sell(2.0)]}, lab.quotes(100, 110, 90, 120))
    assert result.means_little == {
        "sharpe": "scaled to a year from 3 s of data",
        "sortino": "scaled to a year from 3 s of data",
        "win_rate": "from only 1 trade",
        "profit_factor": "from only 1 trade",
    }
    performance = result.performance
    assert means_little(performance, 29 * 86_400 * S)["sharpe"] == "scaled to a year from 29 days of data"
    many = msgspec.structs.replace(performance, trades=30)
    assert means_little(many, 30 * 86_400 * S) == {}
    nothing = msgspec.structs.replace(many, sharpe=None, sortino=None)
    assert means_little(nothing, S) == {}


def test_ratios_that_are_not_defined_are_none() -> None:
    assert sharpe_ratio([], 1.0) is None
    assert sharpe_ratio([0.1], 1.0) is None
    assert sharpe_ratio([0.0, 0.0, 0.0], 1.0) is None
    assert sortino_ratio([0.1], 1.0) is None
    assert sortino_ratio([0.1, 0.2, 0.0], 1.0) is None


def test_returns_from_an_equity_of_zero_or_less_are_left_out() -> None:
    assert returns_of([100.0, 50.0, 0.0, 10.0, -5.0, 20.0, 30.0]) == [-0.5, -1.0, -1.5, 0.5]


def test_money_that_has_become_infinite_leaves_the_ratios_undefined() -> None:
    performance = measured([0.0, -10.0, inf, 20.0, 1e308], gross=[1e308] * 5)
    assert performance.sharpe is None
    assert performance.sortino is None


def test_exposure_is_the_mean_share_of_equity_that_is_in_positions() -> None:
    performance = measured([0.0, 0.0, 1_000.0, -2_000.0], gross=[0.0, 500.0, 3_000.0, 700.0])
    # The last sample has no equity left to take a share of.
    assert performance.exposure == pytest.approx((0.0 + 0.5 + 1.5) / 3)
    assert performance.time_in_market == 0.75


def test_return_and_turnover_are_parts_of_the_capital() -> None:
    tally = TradeTally()
    tally.add(300.0, 1.0, None)
    tally.add(200.0, 2.0, 50.0)
    performance = measured([0.0, 47.0], tally=tally)
    assert performance.total_return == pytest.approx(0.047)
    assert performance.turnover == 0.5
    assert performance.commission == 3.0


def test_a_run_without_samples_has_no_ratios_and_no_exposure() -> None:
    performance = measured([])
    assert (performance.sharpe, performance.sortino) == (None, None)
    assert (performance.exposure, performance.time_in_market) == (0.0, 0.0)


def test_win_rate_and_profit_factor_count_what_reduced_a_position() -> None:
    tally = TradeTally()
    for gross in (None, 30.0, None, -10.0, 20.0, -15.0, None):
        tally.add(100.0, 0.0, gross)
    assert (tally.trades, tally.wins) == (4, 2)
    assert tally.win_rate == 0.5
    assert tally.profit_factor == 50.0 / 25.0


def test_a_trade_is_judged_after_its_commission() -> None:
    tally = TradeTally()
    tally.add(100.0, 2.0, 5.0)
    tally.add(100.0, 2.0, 1.0)
    assert tally.wins == 1
    assert tally.profit_factor == 3.0 / 1.0
    assert tally.commission == 4.0


def test_a_trade_that_breaks_even_is_no_win_and_no_loss() -> None:
    tally = TradeTally()
    tally.add(100.0, 1.0, 1.0)
    assert tally.win_rate == 0.0
    assert tally.profit_factor is None


def test_without_trades_or_losses_the_figures_are_not_defined() -> None:
    tally = TradeTally()
    assert (tally.win_rate, tally.profit_factor) == (None, None)
    tally.add(100.0, 0.0, 5.0)
    assert (tally.win_rate, tally.profit_factor) == (1.0, None)


def test_trades_of_a_run_by_hand(lab: Any) -> None:
    # Buys 2 at 101; sells 3 at 109 (closes 2, opens 1 short); buys 1 at 121 (closes it); each fill costs 0.1 %.
    shares: list[Any] = []

    def keep(outcome: Outcome) -> None:
        shares.extend(outcome.shares)

    script = [lab.buy(2.0), lab.sell(3.0), lab.buy(1.0)]
    result = lab.run({"a": script}, lab.quotes(100, 110, 120), commission_bps=10, observers=[keep])
    assert [gross for _, gross in shares] == [None, 16.0, -12.0]
    performance = result.performance
    commission = (2 * 101 + 3 * 109 + 121) * 0.001
    assert performance.trades == 2
    assert performance.win_rate == 0.5
    assert performance.profit_factor == pytest.approx((16 - 0.327) / (12 + 0.121))
    assert performance.commission == pytest.approx(commission)
    assert performance.turnover == pytest.approx((2 * 101 + 3 * 109 + 121) / 1_000)
    assert performance.total_pnl == pytest.approx(16 - 12 - commission)
