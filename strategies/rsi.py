"""Relative strength index: buys what is oversold, sells what is overbought.

RSI = 100 - 100 / (1 + mean gain / mean loss) over ``period`` differences of the mid, plain means (Cutler's form of
Wilder's index). No loss at all gives 100.
"""

from __future__ import annotations

from itertools import pairwise
from math import fsum
from typing import Annotated, Any

import msgspec

from sengine.strategy import BaseStrategy, MarketData, Plugin, Signal

plugin = Plugin("rsi", "1.0.0", "Relative strength index, mean reverting")


class Parameters(msgspec.Struct, frozen=True):
    period: Annotated[int, msgspec.Meta(ge=1, description="differences of the mid in each mean")] = 14
    overbought: Annotated[float, msgspec.Meta(gt=0, lt=100, description="sell above this RSI")] = 70.0
    oversold: Annotated[float, msgspec.Meta(gt=0, lt=100, description="buy below this RSI")] = 30.0


class Rsi(BaseStrategy):
    parameters = Parameters
    params: Parameters

    def __init__(self, strategy_id: str = "rsi") -> None:
        super().__init__(strategy_id)
        self.mids: list[float] = []
        self.rsi: float | None = None

    def initialize(self, config: dict[str, Any]) -> None:
        if self.params.oversold >= self.params.overbought:
            raise ValueError(
                f"oversold must be below overbought, got {self.params.oversold} and {self.params.overbought}"
            )

    def on_tick(self, data: MarketData) -> Signal | None:
        params, mids = self.params, self.mids
        mids.append(data.mid)
        surplus = len(mids) - (params.period + 1)
        if surplus < 0:
            return None
        del mids[:surplus]
        self.rsi = rsi = relative_strength_index(mids)
        if rsi < params.oversold and self.position <= 0:
            confidence = min(1.0, (params.oversold - rsi) / params.oversold)
            return Signal(symbol=data.symbol, direction="LONG", confidence=confidence, size=1.0, metadata={"rsi": rsi})
        if rsi > params.overbought and self.position >= 0:
            confidence = min(1.0, (rsi - params.overbought) / (100 - params.overbought))
            return Signal(symbol=data.symbol, direction="SHORT", confidence=confidence, size=1.0, metadata={"rsi": rsi})
        return None

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"rsi": self.rsi}


def relative_strength_index(mids: list[float]) -> float:
    """RSI, 0 to 100, over all differences of ``mids``."""
    period = len(mids) - 1
    changes = [after - before for before, after in pairwise(mids)]
    mean_gain = fsum(change for change in changes if change > 0) / period
    mean_loss = fsum(-change for change in changes if change < 0) / period
    if mean_loss == 0:
        return 100.0
    return 100 - 100 / (1 + mean_gain / mean_loss)


def create_strategy() -> BaseStrategy:
    return Rsi()
