"""The fills of a run, as many as a chart can show."""

from __future__ import annotations

from typing import Final

import msgspec

from sengine.engine.outcome import Outcome

MAX_MARKS: Final = 5_000


class TradeMark(msgspec.Struct, frozen=True):
    """One strategy's share of a fill."""

    timestamp_ns: int
    strategy_id: str
    symbol: str
    side: str
    price: float
    quantity: float


class TradeMarks:
    """The first ``MAX_MARKS`` fills; ``total`` counts them all."""

    def __init__(self) -> None:
        self.kept: list[TradeMark] = []
        self.total = 0

    def observe(self, outcome: Outcome) -> None:
        for share, _ in outcome.shares:
            self.total += 1
            if len(self.kept) < MAX_MARKS:
                self.kept.append(
                    TradeMark(
                        share.timestamp_ns, share.strategy_id, share.symbol, share.side, share.price, share.quantity
                    )
                )
