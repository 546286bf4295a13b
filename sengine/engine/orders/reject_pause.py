"""A strategy whose orders on a symbol are rejected one after the other sends none there for a while.

The first pause lasts a second of event time, each further one twice as long, up to a minute. An order that goes through
ends the row.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from sengine.clock import NS_PER_S, format_timestamp
from sengine.domain.order import Order
from sengine.engine.outcome import Outcome
from sengine.engine.risk.limit import Refusal
from sengine.engine.state.trading_record import Rejections, TradingRecord

REJECT_PAUSE: Final = "reject_pause"
_FIRST_NS: Final = NS_PER_S
_LONGEST_NS: Final = 60 * NS_PER_S


class RejectPause:
    """After ``most`` rejections in a row, by strategy and symbol; 0 for never. What it knows is in ``record``."""

    def __init__(self, most: int, record: TradingRecord, anomalies: Counter[str]) -> None:
        self._most = most
        self._record = record
        self._anomalies = anomalies

    def rejected(self, order: Order, reason: str, now_ns: int, outcome: Outcome) -> None:
        """Count a rejection for each contributor; the one that begins a pause is told in ``outcome``."""
        if not self._most:
            return
        for part in order.contributions:
            # A flatten is an operator's order and says nothing about the strategy's.
            if part.signal_sequence:
                self._count(part.strategy_id, order, reason, now_ns, outcome)

    def went_through(self, order: Order) -> None:
        """The venue took the order, or filled it."""
        if self._record.rejections:
            for part in order.contributions:
                self._record.rejections.pop((part.strategy_id, order.symbol), None)

    def refusal(self, strategy_id: str, symbol: str, now_ns: int) -> Refusal | None:
        """Why nothing may be sent now; ``None`` outside of a pause."""
        row = self._record.rejections.get((strategy_id, symbol))
        if row is None or now_ns >= row.until_ns:
            return None
        return Refusal(
            REJECT_PAUSE,
            "orders_rejected",
            f"{row.in_a_row} orders of {strategy_id} on {symbol} were rejected in a row; its orders there pause until "
            f"{format_timestamp(row.until_ns)}",
        )

    def _count(self, strategy_id: str, order: Order, reason: str, now_ns: int, outcome: Outcome) -> None:
        row = self._record.rejections.setdefault((strategy_id, order.symbol), Rejections())
        row.in_a_row += 1
        # What was sent before a pause began is answered during it, and is no reason for a longer one.
        if row.in_a_row < self._most or (row.pause_ns and order.timestamp_ns <= row.since_ns):
            return
        row.pause_ns = min(2 * row.pause_ns or _FIRST_NS, _LONGEST_NS)
        row.since_ns, row.until_ns = now_ns, now_ns + row.pause_ns
        self._anomalies[REJECT_PAUSE] += 1
        outcome.warnings.append(
            f"{row.in_a_row} orders of {strategy_id} on {order.symbol} were rejected in a row, last: "
            f"{reason or 'no reason given'}; its orders there pause for {row.pause_ns / NS_PER_S:g} s"
        )
