"""Moving average crossover: long while the short mean is above the long one, short while it is below."""

from __future__ import annotations

from math import fsum
from typing import Annotated, Any

import msgspec

from sengine.strategy import BaseStrategy, MarketData, Plugin, Signal

plugin = Plugin("momentum", "1.0.0", "Simple moving average crossover")


class Parameters(msgspec.Struct, frozen=True):
    short_window: Annotated[int, msgspec.Meta(ge=1, description="mids in the short mean")] = 5
    long_window: Annotated[int, msgspec.Meta(ge=2, description="mids in the long mean; silent until full")] = 20

    def __post_init__(self) -> None:
        if self.short_window >= self.long_window:
            raise ValueError(f"short_window must be below long_window, got {self.short_window} and {self.long_window}")


class Momentum(BaseStrategy):
    parameters = Parameters
    params: Parameters

    def __init__(self, strategy_id: str = "momentum") -> None:
        super().__init__(strategy_id)
        self.mids: list[float] = []
        self.short_window = 5
        self.long_window = 20

    def initialize(self, config: dict[str, Any]) -> None:
        self.short_window = self.params.short_window
        self.long_window = self.params.long_window

    def on_tick(self, data: MarketData) -> Signal | None:
        mids = self.mids
        mids.append(data.mid)
        surplus = len(mids) - self.long_window
        if surplus < 0:
            return None
        if surplus:
            del mids[0:surplus]
        # fsum is exact, so a flat market gives equal means and no phantom crossover.
        short_mean = fsum(mids[-self.short_window :]) / self.short_window
        long_mean = fsum(mids) / self.long_window
        if short_mean > long_mean:
            # What is in flight counts: a fill that takes its time is not asked for twice.
            if self.position <= 0 and self.position + self.in_flight <= 0:
                return Signal(symbol=data.symbol, direction="LONG", confidence=0.7, size=1.0)
        elif short_mean < long_mean and self.position >= 0 and self.position + self.in_flight >= 0:
            return Signal(symbol=data.symbol, direction="SHORT", confidence=0.7, size=1.0)
        return None

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"short_window": self.short_window, "long_window": self.long_window}


def create_strategy() -> BaseStrategy:
    return Momentum()
