"""Relative strength index: buys what is oversold, sells what is overbought.

RSI = 100 - 100 / (1 + mean gain / mean loss) over ``period`` differences of the mid, plain means (Cutler's form of
Wilder's index). No loss at all gives 100.
"""

from __future__ import annotations

from math import fsum
from typing import Annotated, Any

import msgspec

from sengine.strategy import BaseStrategy, MarketData, Plugin, Signal

plugin = Plugin("rsi", "1.0.0", "Relative strength index, mean reverting")


class Parameters(msgspec.Struct, frozen=True):
    period: Annotated[int, msgspec.Meta(ge=1, description="differences of the mid in each mean")] = 14
    overbought: Annotated[float, msgspec.Meta(gt=0, lt=100, description="sell above this RSI")] = 70.0
    oversold: Annotated[float, msgspec.Meta(gt=0, lt=100, description="buy below this RSI")] = 30.0

    def __post_init__(self) -> None:
        if self.oversold >= self.overbought:
            raise ValueError(f"oversold must be below overbought, got {self.oversold} and {self.overbought}")


class Rsi(BaseStrategy):
    parameters = Parameters
    params: Parameters

    def __init__(self, strategy_id: str = "rsi") -> None:
        super().__init__(strategy_id)
        self.last_mid: float | None = None
        self.gains: list[float] = []
        self.losses: list[float] = []
        self.rsi: float | None = None

    def on_tick(self, data: MarketData) -> Signal | None:
        params, mid = self.params, data.mid
        last, self.last_mid = self.last_mid, mid
        if last is None:
            return None
        gains, losses = self.gains, self.losses
        gains.append(max(mid - last, 0.0))
        losses.append(max(last - mid, 0.0))
        if len(gains) < params.period:
            return None
        if len(gains) > params.period:
            del gains[0], losses[0]
        self.rsi = rsi = relative_strength_index(gains, losses)
        # What is in flight counts: a fill that takes its time is not asked for twice.
        if rsi < params.oversold and self.position <= 0 and self.position + self.in_flight <= 0:
            confidence = min(1.0, (params.oversold - rsi) / params.oversold)
            return Signal(symbol=data.symbol, direction="LONG", confidence=confidence, size=1.0, metadata={"rsi": rsi})
        if rsi > params.overbought and self.position >= 0 and self.position + self.in_flight >= 0:
            confidence = min(1.0, (rsi - params.overbought) / (100 - params.overbought))
            return Signal(symbol=data.symbol, direction="SHORT", confidence=confidence, size=1.0, metadata={"rsi": rsi})
        return None

    def get_state(self) -> dict[str, Any]:
        return super().get_state() | {"rsi": self.rsi}


def relative_strength_index(gains: list[float], losses: list[float]) -> float:
    """RSI, 0 to 100, of equally many gains and losses, each 0.0 where the mid went the other way."""
    mean_gain = fsum(gains) / len(gains)
    mean_loss = fsum(losses) / len(losses)
    if mean_loss == 0:
        return 100.0
    return 100 - 100 / (1 + mean_gain / mean_loss)


def create_strategy() -> BaseStrategy:
    return Rsi()
