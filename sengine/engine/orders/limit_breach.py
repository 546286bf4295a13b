"""Fills that take a position beyond its limit.

The limit bounds where positions are heading, in flight counted net. A cancellation that comes too late, or one side of
a quote that fills alone, takes a position further than that. It is a fact then, and somebody has to hear of it.
"""

from __future__ import annotations

from typing import Final

from sengine.domain.order import Fill
from sengine.engine.engine_state import EngineState
from sengine.engine.outcome import Outcome

BEYOND_LIMIT: Final = "position_beyond_limit"


class LimitBreachWatch:
    """Counts such fills among ``anomalies`` and warns of each, once a way out: further fills on the same side are not
    told until the position was within its limit again."""

    def __init__(self, state: EngineState) -> None:
        self._risk = state.risk
        # On the way of every fill.
        self._limits = state.risk.max_positions
        self._portfolio = state.portfolio
        self._anomalies = state.anomalies

    def booked(self, share: Fill, outcome: Outcome) -> None:
        """A strategy's share of a fill is in its position."""
        key = (share.strategy_id, share.symbol)
        limit = self._limits.get(key)
        if limit is None:
            limit = self._risk.max_position(share.strategy_id, share.symbol)
        held = self._portfolio.quantity(share.strategy_id, share.symbol)
        # Written so that what is not a number is beyond.
        if abs(held) <= limit:
            return
        before = held - share.signed_quantity
        if abs(before) > limit and before * held > 0.0:
            return
        self._anomalies[BEYOND_LIMIT] += 1
        outcome.warnings.append(
            f"{share.strategy_id} holds {held:.10g} {share.symbol} after fill {share.fill_id}, beyond max_position "
            f"{limit:g}: orders in flight filled further than they were heading; what reduces it may still be sent"
        )
