"""Market maker: quotes both sides around mid and leans against its inventory.

Quotes rest for one tick, so they fill only where the spread is within what the market moves from one tick to the next.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from sengine.strategy import BaseStrategy, MarketData, Plugin, Signal

plugin = Plugin("market_maker", "1.0.0", "Two-sided quotes around mid with inventory skew")


class Parameters(msgspec.Struct, frozen=True):
    spread: Annotated[float, msgspec.Meta(gt=0, lt=1, description="distance between the quotes, as a part of mid")] = (
        0.001
    )
    target_size: Annotated[float, msgspec.Meta(gt=0, description="quantity of each quote")] = 1.0
    max_position: Annotated[float, msgspec.Meta(gt=0, description="largest |position| that a quote may lead to")] = 5.0


class MarketMaker(BaseStrategy):
    parameters = Parameters
    params: Parameters
    route = "direct"

    def on_tick(self, data: MarketData) -> list[Signal]:
        params, position, mid = self.params, self.position, data.mid
        half = params.spread / 2
        # Long inventory moves both quotes down, so that selling is likelier than buying more.
        skew = half * (position / params.max_position)
        quotes = []
        # What takes it back from beyond the limit is always quoted.
        if position + params.target_size <= params.max_position:
            quotes.append(self._quote(data, "LONG", mid * (1 - half - skew)))
        if position - params.target_size >= -params.max_position:
            quotes.append(self._quote(data, "SHORT", mid * (1 + half - skew)))
        return quotes

    def _quote(self, data: MarketData, direction: str, price: float) -> Signal:
        return Signal(
            symbol=data.symbol,
            direction=direction,
            confidence=0.6,
            size=self.params.target_size,
            limit_price=price,
        )

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | msgspec.structs.asdict(self.params)


def create_strategy() -> BaseStrategy:
    return MarketMaker("market_maker")
