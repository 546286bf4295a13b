"""Positions and P&L of every strategy, kept current tick by tick.

Marking is on the hot path: only holdings that are open on the symbol are touched, and totals move by differences.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum

import msgspec

from sengine.domain.currencies import CurrencyGroups
from sengine.domain.order import Fill
from sengine.domain.position import Position
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.state.saved import SavedAccount, SavedBooks, SavedPosition


class Account:
    """Running P&L of one strategy, or of all together: realized, unrealized, the peak of their sum, and the largest
    drawdown, (peak - equity) / (capital + peak), at any moment so far."""

    __slots__ = ("capital", "max_drawdown", "open_holdings", "peak", "realized", "unrealized")

    def __init__(self, capital: float) -> None:
        self.capital = capital
        self.realized = 0.0
        self.unrealized = 0.0
        self.peak = 0.0
        self.max_drawdown = 0.0
        self.open_holdings = 0

    def state(self) -> SavedAccount:
        return SavedAccount(self.realized, self.unrealized, self.peak, self.max_drawdown)

    def restore(self, state: SavedAccount) -> None:
        self.realized, self.unrealized = state.realized, state.unrealized
        self.peak, self.max_drawdown = state.peak, state.max_drawdown

    @property
    def equity(self) -> float:
        return self.realized + self.unrealized

    def revalue(self, worth: float, change: float, is_open: bool) -> None:
        """Holdings gained ``change``; the last of them is now worth ``worth`` and open or not."""
        # Where it is the only one, or nothing is open, the sum is known exactly and rounding cannot pile up.
        if self.open_holdings > is_open:
            worth = self.unrealized + change
        self.unrealized = unrealized = worth
        equity = self.realized + unrealized
        if equity >= self.peak:
            self.peak = equity
        else:
            drawdown = (self.peak - equity) / (self.capital + self.peak)
            if drawdown > self.max_drawdown:
                self.max_drawdown = drawdown


class _Holding:
    """A position with the unrealized P&L that its account already counts."""

    __slots__ = ("account", "counted", "position")

    def __init__(self, position: Position, account: Account) -> None:
        self.position = position
        self.account = account
        self.counted = 0.0


class Portfolio:
    """Books fills per strategy and symbol, marks at mid, and answers for positions, P&L and drawdown."""

    def __init__(self, initial_capital: float) -> None:
        self.initial_capital = initial_capital
        self.total = Account(initial_capital)
        self._no_fills = Account(initial_capital)
        self._accounts: dict[str, Account] = {}
        self._holdings: dict[tuple[str, str], _Holding] = {}
        self.currencies = CurrencyGroups()
        self.open: dict[str, list[_Holding]] = {}
        """Open holdings by symbol; a symbol without any is not in it."""

    def book(self, share: Fill, mark_price: float) -> float | None:
        """Apply one strategy's share of a fill. ``mark_price`` is the current mid, or the fill's price where there
        is none. Returns the gross P&L that the fill realized before its commission, ``None`` where it only added."""
        holding = self._holdings.get((share.strategy_id, share.symbol)) or self._new_holding(share)
        position, account, total = holding.position, holding.account, self.total
        was_open = position.quantity != 0.0
        realized_before = position.realized_pnl
        quantity = share.quantity if share.side == "buy" else -share.quantity
        gross = position.apply(quantity, share.price, share.commission)
        change = position.realized_pnl - realized_before
        account.realized += change
        total.realized += change
        is_open = position.quantity != 0.0
        if is_open != was_open:
            holdings = self.open.setdefault(share.symbol, [])
            if is_open:
                holdings.append(holding)
                step = 1
            else:
                holdings.remove(holding)
                step = -1
                if not holdings:
                    del self.open[share.symbol]
            account.open_holdings += step
            total.open_holdings += step
        worth, worth_change = self._revalue(holding, mark_price, is_open)
        total.revalue(worth, worth_change, is_open)
        return gross

    def mark(self, symbol: str, price: float) -> None:
        """Mark all open positions on ``symbol`` at ``price``."""
        holdings = self.open.get(symbol)
        if holdings:
            worth = total_change = 0.0
            for holding in holdings:
                worth, change = self._revalue(holding, price, True)
                total_change += change
            # Once for all: between two holdings of one symbol there is no moment at which only one has moved.
            self.total.revalue(worth, total_change, True)

    def _revalue(self, holding: _Holding, price: float, is_open: bool) -> tuple[float, float]:
        """Mark one holding; what it is worth now and by how much that changed."""
        position = holding.position
        position.mark_price = price
        worth = (price - position.average_price) * position.quantity
        change = worth - holding.counted
        holding.counted = worth
        holding.account.revalue(worth, change, is_open)
        return worth, change

    def _new_holding(self, share: Fill) -> _Holding:
        account = self._accounts.setdefault(share.strategy_id, Account(self.initial_capital))
        holding = _Holding(Position(share.strategy_id, share.symbol), account)
        self._holdings[share.strategy_id, share.symbol] = holding
        self.currencies.add(share.strategy_id, share.symbol)
        return holding

    def gross_notional(self) -> float:
        """Sum of |quantity| * mark price over all open positions, in quote currency."""
        return fsum(
            abs(holding.position.quantity) * holding.position.mark_price
            for holdings in self.open.values()
            for holding in holdings
        )

    def quantity(self, strategy_id: str, symbol: str) -> float:
        """Signed quantity held, without what is in flight."""
        holding = self._holdings.get((strategy_id, symbol))
        return holding.position.quantity if holding is not None else 0.0

    def largest(self, strategy_id: str, symbol: str) -> float:
        """The largest quantity held, unsigned, since it was last flat."""
        holding = self._holdings.get((strategy_id, symbol))
        return holding.position.largest if holding is not None else 0.0

    def equity_of(self, strategy_id: str) -> Account:
        """P&L of a strategy, read only; all zeros before its first fill."""
        return self._accounts.get(strategy_id, self._no_fills)

    def accounts(self) -> Iterable[tuple[str, Account]]:
        """Strategies that ever had a fill, and their P&L. Read only."""
        return self._accounts.items()

    def equities(self) -> dict[str, float]:
        """P&L by strategy, "" for all together."""
        return {"": self.total.equity} | {name: account.equity for name, account in self._accounts.items()}

    def positions(self) -> Iterable[Position]:
        """Every position ever held, flat ones included, in the order of their first fill. Read only."""
        return (holding.position for holding in self._holdings.values())

    def held_by(self, strategy_id: str, key: str) -> list[Position]:
        """What an instance holds that is called for symbol ``key``, or for all for ``*``; nothing that is flat."""
        return [
            position
            for position in self.positions()
            if position.strategy_id == strategy_id and key in (ANY_SYMBOL, position.symbol) and position.quantity
        ]

    def state(self) -> SavedBooks:
        """Everything, for a checkpoint; it shares nothing mutable."""
        return SavedBooks(
            [SavedPosition(*holding.position.values) for holding in self._holdings.values()],
            [holding.counted for holding in self._holdings.values()],
            {symbol: [each.position.strategy_id for each in holdings] for symbol, holdings in self.open.items()},
            {strategy_id: account.state() for strategy_id, account in self._accounts.items()},
            self.total.state(),
        )

    def restore(self, state: SavedBooks) -> None:
        """Take up a checkpoint's books; for a tracker that has booked nothing yet."""
        for strategy_id, earned in state.accounts.items():
            self._accounts[strategy_id] = account = Account(self.initial_capital)
            account.restore(earned)
        self.total.restore(state.total)
        for position, counted in zip(state.positions, state.counted, strict=True):
            holding = _Holding(Position(*msgspec.structs.astuple(position)), self._accounts[position.strategy_id])
            holding.counted = counted
            self._holdings[position.strategy_id, position.symbol] = holding
            self.currencies.add(position.strategy_id, position.symbol)
        for symbol, strategy_ids in state.open.items():
            self.open[symbol] = [self._holdings[strategy_id, symbol] for strategy_id in strategy_ids]
            for holding in self.open[symbol]:
                holding.account.open_holdings += 1
                self.total.open_holdings += 1
