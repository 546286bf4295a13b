"""Fills from outside: which are booked, which are not, and the sentence that is true of each.

A venue is right about what it did, so more than was asked for and fills of ended orders are booked, with a warning.
What is not booked is not remembered either: the same id may come again with the right figures.
"""

from __future__ import annotations

from typing import Final

from sengine.clock import NS_PER_S
from sengine.domain.events import AcceptFill, HoldFill, RefuseFill
from sengine.domain.order import Fill
from sengine.domain.position import FLAT_BELOW
from sengine.engine.engine_state import EngineState
from sengine.engine.orders.fill_doubts import FillBounds, cannot_be_booked, doubt_of
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.outcome import Outcome
from sengine.engine.state.held_fills import HELD_KEPT
from sengine.engine.state.orders import CLOSED_ORDERS_KEPT, WorkingOrder, fill_fault, identity_of
from sengine.errors import EngineError

_AHEAD_NS: Final = 5 * NS_PER_S


class FillHandler:
    """Judges fills, and has ``flow`` book those that are for a known order."""

    def __init__(self, state: EngineState, flow: OrderFlow) -> None:
        self._state = state
        self.held = state.held_fills
        self._orders = state.orders
        self._markets = state.markets
        self._anomalies = state.anomalies
        self._flow = flow

    def doubt(self, fill: Fill, bounds: FillBounds) -> str:
        """Why a person is to look at a fill before it is booked, a clause; empty when it may be taken as it is."""
        working = self._orders.find(fill.order_id)
        if working is None or self._orders.has_seen(fill) or _refusal(fill, working):
            return ""
        if self.held.was_refused(fill):
            return "it was refused before"
        market = self._markets.get(fill.symbol)
        return doubt_of(fill, working, market.mid if market is not None else 0.0, bounds)

    def lacks(self, fill: Fill, session: str) -> bool:
        """Whether the books lack a fill that was applied once: of an order that is known, or of one of ``session``, a
        prefix of ids, that has a higher number than any on record."""
        working = self._orders.find(fill.order_id)
        if self._orders.has_seen(fill) or self.held.waits(fill) or self.held.was_refused(fill):
            return False
        if working is not None:
            return _refusal(fill, working) is None
        number = fill.order_id.removeprefix(session)
        is_own = bool(session) and fill.order_id.startswith(session) and number.isascii() and number.isdigit()
        return is_own and int(number) > self._state.orders_sent

    def on_fill(self, fill: Fill) -> Outcome:
        """A fill from outside: booked once, and only if it can be true."""
        outcome = Outcome()
        name = _name(fill)
        working = self._orders.find(fill.order_id)
        if self._orders.has_seen(fill):
            self._tell("duplicate_fill", f"{name} is not booked again: one of that id was; counted once", outcome)
        elif (refusal := _refusal(fill, working)) is not None:
            self._tell(*refusal, outcome)
        else:
            assert working is not None
            if self.held.drop(fill) is not None:
                outcome.notices.append(f"{name} came again with other figures, and waits for nobody any more")
            self._take(fill, working, outcome)
        return outcome

    def hold(self, event: HoldFill) -> Outcome:
        """Keep a fill for a person to look at."""
        outcome = Outcome()
        name, held = _name(event.fill), self.held
        if held.was_refused(event.fill):
            self._tell("refused_fill", f"{name} came again as it was refused; not booked", outcome)
        elif held.waits(event.fill):
            self._tell("duplicate_fill", f"{name} came again while one of that id waits for you; not booked", outcome)
        elif held.is_full:
            reason = f"{name} is not booked, and not kept: {HELD_KEPT} wait for you already; {event.reason}"
            self._tell("held_fill", reason, outcome)
        else:
            held.add(event)
            self._anomalies["held_fill"] += 1
            outcome.warnings.append(
                f"{name} is not booked: {event.reason}; look at the venue, then `sengine fills accept "
                f"{identity_of(event.fill)}` or `sengine fills refuse {identity_of(event.fill)}`"
            )
        return outcome

    def accept(self, command: AcceptFill) -> Outcome:
        """Raises ``EngineError`` for a fill that does not wait, or that cannot be booked by anybody's will."""
        held = self._find(command.fill_id)
        name, working = _name(held.fill), self._orders.find(held.fill.order_id)
        if cannot_be_booked(held.fill):
            raise EngineError(
                f"{name} cannot be booked, {held.reason}; refuse it, and set the position right at the venue"
            )
        if working is None:
            raise EngineError(f"{name} cannot be booked: nobody knows any more whose order it was; refuse it")
        outcome = Outcome()
        self.held.drop(held.fill)
        self._take(held.fill, working, outcome)
        return outcome

    def refuse(self, command: RefuseFill) -> Outcome:
        """Raises ``EngineError`` for a fill that does not wait."""
        held = self._find(command.fill_id)
        self.held.refuse(held.fill)
        outcome = Outcome()
        self._tell("refused_fill", f"{_name(held.fill)} is refused; not booked", outcome)
        return outcome

    def _find(self, fill_id: str) -> HoldFill:
        held = self.held.find(fill_id)
        if held is None:
            waiting = ", ".join(identity_of(each.fill) for each in self.held.waiting[:20]) or "none"
            raise EngineError(f'no fill "{fill_id}" waits for you; those that do: {waiting}')
        return held

    def _take(self, fill: Fill, working: WorkingOrder, outcome: Outcome) -> None:
        order = working.order
        filled = working.filled + fill.quantity
        is_over = filled - order.quantity > FLAT_BELOW * order.quantity
        if not self._orders.is_open(order.order_id):
            how = "cancelled or rejected" if self._orders.ended_early(order.order_id) else "filled whole"
            said = f"{_name(fill)} came after that order was {how}; booked"
            self._tell("late_fill", said, outcome)
        if is_over:
            said = f"{_name(fill)} makes {filled:g} filled of {order.quantity:g} that were ordered; booked"
            self._tell("overfill", said, outcome)
        self._orders.remember(fill)
        # A fill may overtake market data. What a venue dates tomorrow has been executed now.
        now_ns = self._state.now_ns
        is_ahead = fill.timestamp_ns > now_ns + _AHEAD_NS
        self._flow.apply_fill(fill, outcome, now_ns if is_ahead else fill.timestamp_ns)

    def _tell(self, anomaly: str, sentence: str, outcome: Outcome) -> None:
        self._anomalies[anomaly] += 1
        outcome.notices.append(sentence)


def _name(fill: Fill) -> str:
    return f"fill {identity_of(fill)} of order {fill.order_id}"


def _refusal(fill: Fill, working: WorkingOrder | None) -> tuple[str, str] | None:
    """Why a fill cannot be booked, as the anomaly and a sentence; ``None`` when it can."""
    fault = fill_fault(fill)
    if fault is not None:
        return "bad_fill", f"{_name(fill)} is not booked: {fault}"
    if working is None:
        return "unknown_order_fill", (
            f"{_name(fill)} is not booked: no such order is on record here; this engine did not send it, or it ended "
            f"more than {CLOSED_ORDERS_KEPT} orders ago"
        )
    order = working.order
    if fill.symbol != order.symbol:
        return "wrong_symbol", f"{_name(fill)} is not booked: it is of {fill.symbol}, and the order of {order.symbol}"
    if fill.side != order.side:
        return "wrong_side", f"{_name(fill)} is not booked: it is a {fill.side}, and the order a {order.side}"
    return None
