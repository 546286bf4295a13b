"""The currency that a symbol's prices are in, told from its name, and the one decision of what may be added up.

Amounts of different currencies are never added up: they are totalled currency by currency, and what would be made of
their sum (return, drawdown, Sharpe) is not there. Names that say nothing (``AAPL``) count as one currency together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import msgspec

from sengine.domain.position import Position
from sengine.printable import a_few

UNKNOWN: Final = ""
OTHER: Final = "other"
"""What a total of names that do not tell is called."""
_SHOWN_SYMBOLS: Final = 3
# fmt: off
_FIAT: Final = frozenset((
    "USD", "EUR", "GBP", "JPY", "CHF", "AUD", "CAD", "NZD", "CNY", "CNH", "HKD", "SGD", "KRW", "INR", "TRY", "BRL",
    "MXN", "ZAR", "RUB", "PLN", "SEK", "NOK", "DKK", "CZK", "HUF", "ILS", "THB", "IDR", "TWD", "UAH", "AED", "VND",
    "PHP", "MYR", "ARS",
))
_STABLE: Final = frozenset((
    "USDT", "USDC", "FDUSD", "BUSD", "TUSD", "USDP", "USDE", "PYUSD", "USD1", "DAI", "EURC", "EURT",
))
# fmt: on
_COINS: Final = frozenset(("BTC", "ETH", "BNB"))
_KNOWN: Final = _FIAT | _STABLE | _COINS
# What a name without separators may end in, longest first. BUSD and TUSD are not among them: DOTUSD is DOT in USD.
_ENDINGS: Final = ("FDUSD", "USDT", "USDC", "USD", "EUR", "GBP", "JPY", "BTC", "ETH", "BNB")
_ALIASES: Final = {"XBT": "BTC", "ZUSD": "USD", "ZEUR": "EUR", "ZGBP": "GBP", "ZJPY": "JPY"}
_SEPARATORS: Final = re.compile(r"[-_/:.=\s]+")


class CurrencyTotal(msgspec.Struct, frozen=True):
    """What all positions in symbols of one currency earned; ``currency`` is empty where the names do not tell."""

    currency: str
    realized_pnl: float
    unrealized_pnl: float
    commission: float

    @property
    def name(self) -> str:
        return self.currency or OTHER


@lru_cache(maxsize=16_384)
def quote_currency(symbol: str) -> str:
    """``USDT`` of BTCUSDT, ``USD`` of BTC-USD-PERP, ``JPY`` of USDJPY; empty where the name does not tell."""
    name = symbol.upper()
    exchange, colon, rest = name.partition(":")
    if colon and not {"/", "-", "_"} & set(exchange):  # as in BINANCE:BTCUSDT; BTC/USDT:USDT has its pair in front
        if _known(rest):
            return _known(rest)
        name = rest
    parts = [part for part in _SEPARATORS.split(name) if part]
    for part in parts[1:]:
        if known := _known(part):
            return known
    for part in parts:
        if ending := _ending(part):
            return ending
    return UNKNOWN


def _known(part: str) -> str:
    name = _ALIASES.get(part, part)
    return name if name in _KNOWN else UNKNOWN


def _ending(part: str) -> str:
    for ending in _ENDINGS:
        # One letter in front is a ticker by itself (GBTC), not a pair; of a stablecoin it is one (TUSDT).
        if part.endswith(ending) and len(part) - len(ending) >= (1 if len(ending) > 3 else 2):
            return ending
    base, quote = _known(part[:-3]), _known(part[-3:])
    return quote if base and quote else UNKNOWN


class CurrencySums:
    """Positions summed up one by one, by currency."""

    def __init__(self) -> None:
        self._sums: dict[str, list[float]] = {}

    def add(self, position: Position) -> None:
        total = self._sums.setdefault(quote_currency(position.symbol), [0.0, 0.0, 0.0])
        total[0] += position.realized_pnl
        total[1] += position.unrealized_pnl
        total[2] += position.commission

    def totals(self) -> list[CurrencyTotal]:
        """One for each currency, by name."""
        return [CurrencyTotal(currency, *self._sums[currency]) for currency in sorted(self._sums)]


class CurrencyGroups:
    """Whose amounts have no sum, kept current as holdings come up: nothing is looked through when somebody asks."""

    def __init__(self) -> None:
        self.without_sum: dict[str, str] = {}
        """Why there is none, by strategy, of those that hold several currencies; "" is all together."""
        self._symbols: dict[str, dict[str, None]] = {}
        self._currencies: dict[str, set[str]] = {}

    def add(self, strategy_id: str, symbol: str) -> None:
        """A strategy's first fill on a symbol."""
        for name in ("", strategy_id):
            symbols, currencies = self._symbols.setdefault(name, {}), self._currencies.setdefault(name, set())
            if symbol not in symbols:
                symbols[symbol] = None
                currencies.add(quote_currency(symbol))
                if len(currencies) > 1:
                    self.without_sum[name] = not_added_up(symbols)


def totals_by_currency(positions: Iterable[Position]) -> list[CurrencyTotal]:
    """One total for each currency, by name."""
    sums = CurrencySums()
    for position in positions:
        sums.add(position)
    return sums.totals()


def several_currencies(symbols: Iterable[str]) -> str:
    """``JPY (USDJPY) and USD (EURUSD)``; empty where all of these symbols are in one currency."""
    groups: dict[str, list[str]] = {}
    for symbol in dict.fromkeys(symbols):
        groups.setdefault(quote_currency(symbol), []).append(symbol)
    if len(groups) < 2:
        return ""
    return " and ".join(
        f"{currency or OTHER} ({a_few(sorted(groups[currency]), _SHOWN_SYMBOLS)})" for currency in sorted(groups)
    )


def not_added_up(symbols: Iterable[str]) -> str:
    """Why amounts of these symbols have no sum; empty where they all are in one currency."""
    several = several_currencies(symbols)
    return f"amounts in {several} are not added up" if several else ""
