"""What news of orders leaves to be done, once it is booked."""

from __future__ import annotations

from sengine.engine.engine_state import EngineState
from sengine.engine.orders.flatten import Flattener
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.outcome import Outcome
from sengine.engine.signals.after_close import AfterClose


class FollowUp:
    """Trades back what nobody wants any more, goes on with flattens, and tells strategies what became of orders."""

    def __init__(self, state: EngineState, flow: OrderFlow, after_close: AfterClose, flattener: Flattener) -> None:
        self._state = state
        self._flow = flow
        self._after_close = after_close
        self._flattener = flattener

    def after(self, outcome: Outcome, now_ns: int) -> Outcome:
        """The same outcome, with what followed at once."""
        if self._state.unwanted:
            self._after_close.follow_up(outcome, now_ns)
        if self._state.flattening:
            self._flattener.follow_up(outcome, now_ns)
        self._flow.news.tell(outcome, now_ns)
        return outcome
