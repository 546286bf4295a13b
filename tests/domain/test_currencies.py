from __future__ import annotations

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.domain.currencies import CurrencyGroups, not_added_up, quote_currency, totals_by_currency
from sengine.domain.position import Position


@pytest.mark.parametrize(
    ("symbol", "currency"),
    [
        ("BTCUSDT", "USDT"), ("btcusdt", "USDT"), ("1INCHUSDC", "USDC"), ("TUSDT", "USDT"), ("BTCFDUSD", "FDUSD"),
        ("EURUSD", "USD"), ("USDJPY", "JPY"), ("ETHBTC", "BTC"), ("DOTUSD", "USD"), ("USDSEK", "SEK"),
        ("BTCTRY", "TRY"),
        ("BTC-USD-PERP", "USD"), ("BTC-USDT-SWAP", "USDT"), ("BTC_USDT", "USDT"), ("BTC/USDT:USDT", "USDT"),
        ("BTC/USD:BTC", "USD"), ("BINANCE:BTCUSDT", "USDT"), ("OANDA:EUR_USD", "USD"), ("EUR/USD.SIM", "USD"),
        ("BTCUSDT.BINANCE", "USDT"), ("BTCUSDT_240628", "USDT"), ("BTCUSD_PERP", "USD"), ("XBTUSD", "USD"),
        ("PI_XBTUSD", "USD"), ("XXBTZUSD", "USD"), ("ETH_USDC-PERPETUAL", "USDC"), ("EURUSD=X", "USD"),
        ("BTC:USD", "USD"),
        ("AAPL", ""), ("SPY", ""), ("GBTC", ""), ("BTC", ""), ("USD", ""), ("A", ""), ("COUNTRY", ""),
        ("6EH4.XCME", ""),
        ("", ""), (":", ""), ("-USD", ""),
    ],
)  # fmt: skip
def test_the_quote_currency_is_told_from_the_name(symbol: str, currency: str) -> None:
    assert quote_currency(symbol) == currency


@given(st.text(max_size=30))
def test_any_name_has_one_currency_or_none(symbol: str) -> None:
    assert quote_currency(symbol) == quote_currency(symbol.lower()) or quote_currency(symbol) != symbol


@pytest.mark.parametrize(
    "symbols", [(), ("BTCUSDT",), ("BTCUSDT", "ETH-USDT"), ("AAPL", "SPY"), ("A",), ("EURUSD", "BTC-USD-PERP")]
)
def test_one_currency_and_names_that_do_not_tell_alone_are_added_up(symbols: tuple[str, ...]) -> None:
    assert not_added_up(symbols) == ""


def test_different_currencies_are_named_with_their_symbols() -> None:
    assert not_added_up(["USDJPY", "EURUSD", "USDJPY"]) == "amounts in JPY (USDJPY) and USD (EURUSD) are not added up"
    assert not_added_up(["BTCUSDT", "BTCUSDC"]) == "amounts in USDC (BTCUSDC) and USDT (BTCUSDT) are not added up"
    many = [f"{name}USDT" for name in ("AAA", "BBB", "CCC", "DDD", "EEE")]
    reason = not_added_up([*many, "SPY"])
    assert reason == "amounts in other (SPY) and USDT (AAAUSDT, BBBUSDT, CCCUSDT and 2 more) are not added up"


amounts = st.floats(-1e6, 1e6)
positions = st.builds(
    Position,
    st.sampled_from(["a", "b"]),
    st.sampled_from(["EURUSD", "USDJPY", "BTCUSDT", "ETHUSDT", "SPY"]),
    amounts, st.floats(1.0, 1e4), amounts, amounts, st.floats(1.0, 1e4),
)  # fmt: skip


@given(st.lists(positions, max_size=12))
def test_totals_hold_every_position_once(held: list[Position]) -> None:
    totals = totals_by_currency(held)
    assert [each.currency for each in totals] == sorted({quote_currency(each.symbol) for each in held})
    for name in ("realized_pnl", "unrealized_pnl", "commission"):
        assert fsum(getattr(each, name) for each in totals) == pytest.approx(
            fsum(getattr(each, name) for each in held), rel=1e-9, abs=1e-3
        )


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["EURUSD", "USDJPY", "GBPUSD", "SPY"])), max_size=9)
)
def test_groups_kept_current_say_what_a_look_at_all_holdings_says(held: list[tuple[str, str]]) -> None:
    groups = CurrencyGroups()
    for strategy_id, symbol in held:
        groups.add(strategy_id, symbol)
    expected = {name: not_added_up(symbol for owner, symbol in held if name in ("", owner)) for name in ("", "a", "b")}
    assert groups.without_sum == {name: reason for name, reason in expected.items() if reason}
