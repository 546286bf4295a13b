"""What fills after a CLOSE withdrew it: the position that nobody asked for is traded back.

A CLOSE asks for the cancellation of what rests and trades the position at once, as if what it withdrew were gone. Live,
a cancellation takes time, and the order may fill meanwhile. Each such fill is answered by a market order for as much,
the other way. Where the order of the CLOSE itself still rests at a limit, that one is made anew for what is left; where
it was rejected or cancelled, the answer is at most what brings the position and what is in flight to zero.
"""

from __future__ import annotations

from sengine.domain.order import Contribution, Fill, ProposedOrder, Side
from sengine.domain.position import FLAT_BELOW
from sengine.engine.engine_state import EngineState
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.outcome import Outcome
from sengine.engine.signals.decisions import OrderDecider
from sengine.engine.state.orders import WorkingOrder


class AfterClose:
    """Takes the fills that nobody wants any more. Its orders go through checks and the kill switch like any."""

    def __init__(self, state: EngineState, flow: OrderFlow, decider: OrderDecider) -> None:
        self._state = state
        self._portfolio = state.portfolio
        self._orders = state.orders
        self._flow = flow
        self._decider = decider

    def follow_up(self, outcome: Outcome, now_ns: int) -> None:
        """Trade back what has filled. While the engine follows a recorded session, the recorded orders do that."""
        unwanted, self._state.unwanted = self._state.unwanted, []
        if self._state.is_following:
            return
        self._flow.begin(outcome, now_ns)
        for share, sequence in unwanted:
            # A flatten sees to late fills itself.
            if (share.strategy_id, share.symbol) not in self._state.flattening:
                self._trade_back(share, sequence, outcome, now_ns)

    def _trade_back(self, share: Fill, sequence: int, outcome: Outcome, now_ns: int) -> None:
        name, symbol, unwanted = share.strategy_id, share.symbol, share.signed_quantity
        wanted, limit_price = -unwanted, None
        close = self._resting_close(name, symbol, sequence)
        if close is not None:
            self._flow.withdraw(close.order.order_id, sequence)
            left = close.remaining if close.order.side is Side.BUY else -close.remaining
            wanted = left - unwanted
            if wanted * left > 0.0:
                limit_price = close.order.limit_price
        elif self._orders.has_failed(sequence):
            heading = self._portfolio.quantity(name, symbol) + self._orders.market_in_flight(name, symbol)
            wanted = max(0.0, min(wanted, -heading)) if wanted > 0.0 else min(0.0, max(wanted, -heading))
        late = f"order {share.order_id} of {name} filled {share.quantity:g} {symbol} after a CLOSE had withdrawn it"
        if abs(wanted) <= FLAT_BELOW * share.quantity:
            outcome.notices.append(f"{late}; nothing is to be traded back")
            return
        side = Side.BUY if wanted > 0.0 else Side.SELL
        part = Contribution(name, wanted, sequence)
        refusal = self._decider.submit(ProposedOrder(symbol, side, abs(wanted), now_ns, (part,), limit_price))
        if refusal is None:
            outcome.notices.append(f"{late}; {side}s {abs(wanted):.10g} instead")
        else:
            held = self._portfolio.quantity(name, symbol)
            outcome.warnings.append(f"{late}, and trading it back is refused: {refusal.reason}; {held:.10g} is held")

    def _resting_close(self, name: str, symbol: str, sequence: int) -> WorkingOrder | None:
        """The order of the CLOSE itself, where it has a limit price and waits for it."""
        for working in self._orders.of(name, symbol):
            parts = working.order.contributions
            if working.rests and not working.withdrawn_by and any(part.signal_sequence == sequence for part in parts):
                return working
        return None
