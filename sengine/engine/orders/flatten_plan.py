"""What a flatten would do, as values and in words."""

from __future__ import annotations

from math import fsum

import msgspec

from sengine.domain.order import Side


class FlattenTrade(msgspec.Struct, frozen=True):
    """One market order of a flatten: who gets out of how much of ``symbol``; quantities are signed, buys positive."""

    symbol: str
    side: Side
    parts: tuple[tuple[str, float], ...]

    @property
    def quantity(self) -> float:
        """Of the whole order, unsigned."""
        return abs(fsum(quantity for _, quantity in self.parts))


class FlattenCross(msgspec.Struct, frozen=True):
    """One strategy hands ``quantity`` of ``symbol`` over to another, inside the engine."""

    symbol: str
    seller: str
    buyer: str
    quantity: float


class FlattenPlan(msgspec.Struct, frozen=True):
    """What a flatten does at once: ids of the orders it cancels, what it crosses inside and what it trades."""

    cancels: tuple[str, ...]
    crosses: tuple[FlattenCross, ...]
    trades: tuple[FlattenTrade, ...]

    @property
    def in_words(self) -> str:
        """``cancels 3 orders, crosses 1 BTCUSDT inside at the mid, sells 2 BTCUSDT``; empty when there is nothing to
        do."""
        said = []
        if self.cancels:
            said.append(f"cancels {len(self.cancels)} order{'s' * (len(self.cancels) != 1)}")
        for symbol in dict.fromkeys(each.symbol for each in self.crosses):
            crossed = fsum(each.quantity for each in self.crosses if each.symbol == symbol)
            said.append(f"crosses {crossed:.10g} {symbol} inside at the mid")
        said += [f"{each.side}s {each.quantity:.10g} {each.symbol}" for each in self.trades]
        return ", ".join(said)
