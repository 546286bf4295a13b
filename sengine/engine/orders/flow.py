"""Orders out, and what comes back: sending, cancelling, fills and order updates, and who is told of them."""

from __future__ import annotations

from collections.abc import Sequence

from sengine.domain.market import OrderBook
from sengine.domain.order import Fill, Order, OrderStatus, OrderUpdate
from sengine.engine.engine_state import EngineState
from sengine.engine.orders.limit_breach import LimitBreachWatch
from sengine.engine.orders.reject_pause import RejectPause
from sengine.engine.orders.simulated_venue import SimulatedVenue, VenueReport
from sengine.engine.orders.updates import OrderUpdateHandler
from sengine.engine.outcome import Outcome
from sengine.engine.state.orders import split
from sengine.engine.strategies.faults import kind_of


class OrderFlow:
    """Keeps orders in flight, positions and strategies in step. ``begin`` says which outcome what follows adds to."""

    def __init__(self, state: EngineState, venue: SimulatedVenue | None, most_rejections: int = 0) -> None:
        self._state = state
        self.news = OrderUpdateHandler(state.registry)
        self.reject_pause = RejectPause(most_rejections, state.record, state.anomalies)
        self._limit_breaches = LimitBreachWatch(state)
        self._record = state.record
        self._orders = state.orders
        self._portfolio = state.portfolio
        self._registry = state.registry
        self._markets = state.markets
        self._venue = venue
        self._outcome = Outcome()
        self._now_ns = 0

    def begin(self, outcome: Outcome, now_ns: int) -> None:
        self._outcome = outcome
        self._now_ns = now_ns

    def notice(self, sentence: str) -> None:
        """Have operators told."""
        self._outcome.notices.append(sentence)

    @property
    def is_simulated(self) -> bool:
        """Whether orders meet the simulated venue, and not an execution service."""
        return self._venue is not None

    def send(self, order: Order) -> None:
        """Count an approved order as in flight and let it out; the simulated venue may fill it at once."""
        if self._state.is_following:
            return
        self.let_out(order)

    def let_out(self, order: Order) -> None:
        """``send`` also while the engine follows a recorded session."""
        self._state.orders_sent += 1
        outcome = self._outcome
        outcome.orders.append(order)
        self._record.sent(order)
        market = self._markets.get(order.symbol)
        if self._venue is None:
            self._orders.sent(order, market.mid if market is not None else 0.0)
            return
        touch = market.touch if market is not None else None
        reports = self._venue.submit(order, touch, self._now_ns)
        if len(reports) == 1 and reports[0].quantity == order.quantity:
            # Filled whole before anything could ask for it: there is no moment at which it is in flight.
            if order.limit_price is not None:
                self._record.executed(order, reports[0].timestamp_ns)
            self._book(reports[0], split(reports[0], order), outcome, reports[0].timestamp_ns)
            return
        self._orders.sent(order, market.mid if market is not None else 0.0)
        self._take_reports(reports, outcome)

    def cancel(self, order_id: str) -> None:
        """Ask for an order's cancellation, once."""
        if not self._state.is_following:
            self.call_back(order_id)

    def call_back(self, order_id: str) -> None:
        """``cancel`` also while the engine follows a recorded session."""
        if not self._orders.ask_to_cancel(order_id):
            return
        self._outcome.cancels.append(order_id)
        if self._venue is not None:
            self._take_reports(self._venue.cancel(order_id, self._now_ns), self._outcome)

    def withdraw(self, order_id: str, by: int) -> None:
        """Cancel for the CLOSE with the sequence ``by``. What fills of it all the same is traded back."""
        if self._state.is_following:
            return
        self.cancel(order_id)
        if self._orders.withdraw(order_id, by):
            self._outcome.withdrawn[order_id] = by

    def cross(self, fills: Sequence[Fill]) -> None:
        """Book what strategies trade with each other inside: no order, and each fill already one strategy's own."""
        outcome = self._outcome
        outcome.fills.extend(fills)
        for fill in fills:
            market = self._markets.get(fill.symbol)
            self._book_shares([fill], market.mid if market is not None and market.mid else fill.price, outcome)
        self._tell_shares(fills, outcome, self._now_ns)

    def cancel_all(self) -> None:
        for working in list(self._orders.open_orders()):
            self.cancel(working.order.order_id)

    def match(self, symbol: str, touch: OrderBook, now_ns: int) -> Outcome:
        """What rests at the simulated venue against a new touch."""
        outcome = Outcome()
        assert self._venue is not None
        self._take_reports(self._venue.on_book(symbol, touch, now_ns), outcome)
        return outcome

    def on_update(self, update: OrderUpdate, now_ns: int) -> Outcome:
        """News of an order from outside, at event time ``now_ns``."""
        outcome = Outcome()
        is_news = update.status is not OrderStatus.ACCEPTED
        if update.status is OrderStatus.CANCELLED and self._orders.is_cancelling(update.order_id):
            is_news = False
        if not self._apply_update(update, now_ns, outcome):
            self._state.anomalies["unknown_order_update"] += 1
        elif is_news:
            outcome.notices.append(f"order {update.order_id} {update.status}: {update.reason or 'no reason given'}")
        return outcome

    def _take_reports(self, reports: Sequence[VenueReport], outcome: Outcome) -> None:
        for report in reports:
            if isinstance(report, Fill):
                self.apply_fill(report, outcome, report.timestamp_ns)
            else:
                self._apply_update(report, report.timestamp_ns, outcome)
                outcome.updates.append(report)

    def apply_fill(self, fill: Fill, outcome: Outcome, now_ns: int) -> None:
        """Take a fill of a known order, on its side, at event time ``now_ns``."""
        working = self._orders.find(fill.order_id)
        is_first = working is not None and not working.fills
        shares = self._orders.shares(fill)
        assert working is not None
        assert shares is not None
        if is_first and working.order.limit_price is not None:
            self._record.executed(working.order, max(now_ns, working.order.timestamp_ns))
        self.reject_pause.went_through(working.order)
        self._book(fill, shares, outcome, now_ns)
        if working.withdrawn_by:
            self._state.unwanted.extend([(share, working.withdrawn_by) for share in shares])

    def _book(self, fill: Fill, shares: Sequence[Fill], outcome: Outcome, now_ns: int) -> None:
        """Positions first, then each contributing strategy is told of its share."""
        market = self._markets.get(fill.symbol)
        mark_price = market.mid if market is not None and market.mid else fill.price
        outcome.fills.append(fill)
        self._book_shares(shares, mark_price, outcome)
        self._tell_shares(shares, outcome, now_ns)

    def _book_shares(self, shares: Sequence[Fill], mark_price: float, outcome: Outcome) -> None:
        for share in shares:
            outcome.shares.append((share, self._portfolio.book(share, mark_price)))
            self._limit_breaches.booked(share, outcome)

    def _tell_shares(self, shares: Sequence[Fill], outcome: Outcome, now_ns: int) -> None:
        for share in shares:
            runtime = self._registry.find(share.strategy_id)
            if runtime is not None:
                try:
                    runtime.fill(share)
                except BaseException as error:
                    runtime.guard.contain(error)
                    self._registry.fault(runtime, kind_of(error, "on_fill"), error, now_ns, outcome)

    def _apply_update(self, update: OrderUpdate, now_ns: int, outcome: Outcome) -> bool:
        """End an order that will not fill any more; any other news leaves it in flight."""
        if update.status in (OrderStatus.REJECTED, OrderStatus.CANCELLED):
            working = self._orders.close(update.order_id)
            if working is None:
                return False
        else:
            # Of one that is filled whole there is no more news.
            working = None if self._orders.is_filled(update.order_id) else self._orders.find(update.order_id)
        if working is not None:
            self.news.of_order(working, update)
            if update.status is OrderStatus.REJECTED and not update.never_left:
                self.reject_pause.rejected(working.order, update.reason, now_ns, outcome)
            elif update.status is OrderStatus.ACCEPTED:
                self.reject_pause.went_through(working.order)
        return True
