"""From the signals of one event to orders: vote, contributions, risk, send. Steps 6 to 10 of a tick."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import fsum
from typing import Final, TypeAlias

from sengine.domain.order import Contribution, Order, ProposedOrder, Side
from sengine.domain.position import FLAT_BELOW
from sengine.domain.signal import Direction, Disposition, SignalResult, StampedSignal
from sengine.engine.engine_state import EngineState
from sengine.engine.orders.flow import OrderFlow
from sengine.engine.risk.limit import Refusal
from sengine.engine.risk.view import ProposedContribution
from sengine.engine.signals.aggregation import decide, outcome_in_words

# Members of an Enum are looked up through a descriptor; on the signal's way that shows.
_LONG: Final = Direction.LONG
_SHORT: Final = Direction.SHORT
_CLOSE: Final = Direction.CLOSE
_BUY: Final = Side.BUY
_SELL: Final = Side.SELL
_PASSED: Final = Disposition.PASSED
_OVERRULED: Final = Disposition.OVERRULED
_FLATTENING: Final = Refusal("flatten", "being_flattened", "an operator is bringing this position to zero")

_Accepted: TypeAlias = tuple[StampedSignal, Contribution]


class OrderDecider:
    """Settles the signals of one event. Every signal given comes back with exactly one disposition. What ``flow``
    sends may fill before it returns."""

    def __init__(self, state: EngineState, flow: OrderFlow) -> None:
        self._state = state
        self._votes = state.votes
        self._risk = state.risk
        self._view = state.risk_view
        self._portfolio = state.portfolio
        self._orders = state.orders
        self._flow = flow
        self._now_ns = 0
        self.disabled: dict[str, str] = {}
        """Strategies that a check has disabled, and why; whoever pauses them empties it."""

    def settle(
        self, direct: Sequence[StampedSignal], voting: Sequence[StampedSignal], now_ns: int
    ) -> list[SignalResult]:
        """Direct signals first, each its own order; then one decision for each symbol that got a new vote."""
        self._now_ns = now_ns
        results: list[SignalResult] = []
        if direct:
            sent_now: set[str] = set()
            results.extend([self._settle_direct(signal, now_ns, sent_now) for signal in direct])
        if len(voting) == 1:
            self._votes.cast(voting[0])
            self._settle_votes(voting[0].symbol, voting, now_ns, results)
        elif voting:
            by_symbol: dict[str, list[StampedSignal]] = {}
            for signal in voting:
                self._votes.cast(signal)
                by_symbol.setdefault(signal.symbol, []).append(signal)
            for symbol, signals in by_symbol.items():
                self._settle_votes(symbol, signals, now_ns, results)
        if len(results) > 1:
            results.sort(key=lambda result: result.signal.sequence)
        return results

    def _settle_votes(
        self, symbol: str, signals: Sequence[StampedSignal], now_ns: int, results: list[SignalResult]
    ) -> None:
        decision = decide(self._votes, symbol, now_ns)
        accepted: list[_Accepted] = []
        outvoted_by = ""
        for signal in signals:
            if signal.direction is not decision.direction:
                outvoted_by = outvoted_by or outcome_in_words(self._votes, symbol, decision, now_ns)
                if signal.direction is _CLOSE:
                    self._note_overruled_close(signal, outvoted_by)
                results.append(SignalResult(signal, _OVERRULED, reason=outvoted_by))
                continue
            # What this strategy already adds in this event counts as if it were in flight.
            pending = 0.0
            if accepted:
                pending = fsum([part.quantity for _, part in accepted if part.strategy_id == signal.strategy_id])
            verdict = self._contribution(signal, decision.confidence, pending)
            if isinstance(verdict, Contribution):
                accepted.append((signal, verdict))
            else:
                results.append(verdict)
        if decision.direction is not _CLOSE:
            self._order(symbol, accepted, now_ns, results)
        else:
            self._order(symbol, [each for each in accepted if each[1].quantity > 0.0], now_ns, results)
            self._order(symbol, [each for each in accepted if each[1].quantity < 0.0], now_ns, results)

    def _note_overruled_close(self, signal: StampedSignal, outvoted_by: str) -> None:
        """A way out that others closed: who holds something and is not let out has to hear of it, once."""
        held = self._portfolio.quantity(signal.strategy_id, signal.symbol)
        if not held:
            return
        pair = (signal.strategy_id, signal.symbol)
        counted = self._state.overruled_closes
        counted[pair] += 1
        if counted[pair] == 1:
            self._flow.notice(
                f"{signal.strategy_id} holds {held:.10g} {signal.symbol}, and its CLOSE is overruled: {outvoted_by}; "
                "where it must get out when it says so, set route: direct. Further ones are counted"
            )

    def _order(self, symbol: str, accepted: Sequence[_Accepted], now_ns: int, results: list[SignalResult]) -> None:
        """Sum contributions of one side into one market order."""
        if not accepted:
            return
        if len(accepted) == 1:
            contributions: tuple[Contribution, ...] = (accepted[0][1],)
            quantity = contributions[0].quantity
        else:
            contributions = tuple([part for _, part in accepted])
            quantity = fsum([part.quantity for part in contributions])
        side = _BUY if quantity > 0.0 else _SELL
        refusal = self.submit(ProposedOrder(symbol, side, abs(quantity), now_ns, contributions))
        for signal, _ in accepted:
            results.append(_result(signal, refusal))

    def _settle_direct(self, signal: StampedSignal, now_ns: int, sent_now: set[str]) -> SignalResult:
        limit_price = signal.limit_price
        if limit_price is not None and signal.direction is not _CLOSE:
            side = _BUY if signal.direction is _LONG else _SELL
            # One live quote a side: it replaces what rests there from earlier events.
            for order_id in self._orders.resting(signal.strategy_id, signal.symbol, side):
                if order_id not in sent_now:
                    self._flow.cancel(order_id)
        verdict = self._contribution(signal, signal.confidence, 0.0, sent_now)
        if not isinstance(verdict, Contribution):
            return verdict
        side = _BUY if verdict.quantity > 0.0 else _SELL
        proposal = ProposedOrder(signal.symbol, side, abs(verdict.quantity), now_ns, (verdict,), limit_price)
        refusal = self.submit(proposal, sent_now)
        return _result(signal, refusal)

    def _contribution(
        self, signal: StampedSignal, confidence: float, pending: float, sent_now: Collection[str] = ()
    ) -> Contribution | SignalResult:
        """What a signal that agrees with the decision adds to an order, or how it ends instead. A CLOSE withdraws what
        rests from earlier events, which would open the position again or turn it round, and trades the position."""
        held = self._portfolio.quantity(signal.strategy_id, signal.symbol)
        closes = signal.direction is _CLOSE
        resting: Sequence[str] = ()
        if closes:
            resting = [
                order_id
                for order_id in self._orders.resting(signal.strategy_id, signal.symbol)
                if order_id not in sent_now
            ]
        in_flight = self._orders.in_flight(signal.strategy_id, signal.symbol, resting) + pending
        position = held + in_flight
        if signal.direction is _LONG:
            quantity = signal.size
        elif signal.direction is _SHORT:
            quantity = -signal.size
        else:
            # What rounding leaves of both together is nothing to trade.
            largest = max(self._portfolio.largest(signal.strategy_id, signal.symbol), abs(in_flight))
            quantity = -position if abs(position) > FLAT_BELOW * largest else 0.0
        if quantity == 0.0:
            for order_id in resting:
                self._flow.withdraw(order_id, signal.sequence)
            return SignalResult(signal, Disposition.NO_CHANGE)
        flattening = self._state.flattening
        if flattening and (signal.strategy_id, signal.symbol) in flattening:
            return _result(signal, _FLATTENING)
        if self._view.record.rejections:
            pause = self._flow.reject_pause.refusal(signal.strategy_id, signal.symbol, self._now_ns)
            if pause is not None:
                return _result(signal, pause)
        refusal = self._risk.review(ProposedContribution(signal, quantity, confidence, position), self._view)
        if refusal is not None:
            if refusal.disables:
                self.disabled[signal.strategy_id] = refusal.reason
            return _result(signal, refusal)
        for order_id in resting:
            self._flow.withdraw(order_id, signal.sequence)
        return Contribution(signal.strategy_id, quantity, signal.sequence)

    def submit(self, proposal: ProposedOrder, sent_now: set[str] | None = None) -> Refusal | None:
        """Send an order that the order-scope checks approve; the refusal otherwise."""
        state = self._state
        if state.kill_reason:
            return Refusal("kill_switch", "kill_switch_pulled", f"the kill switch is pulled: {state.kill_reason}")
        verdict = self._risk.approve(proposal, self._view, state.next_order_id())
        if not isinstance(verdict, Order):
            return verdict
        if sent_now is not None:
            sent_now.add(verdict.order_id)
        self._flow.send(verdict)
        return None


def _result(signal: StampedSignal, refusal: Refusal | None) -> SignalResult:
    if refusal is None:
        return SignalResult(signal, _PASSED)
    return SignalResult(signal, Disposition.FILTERED, refusal.check, refusal.code, refusal.reason)
