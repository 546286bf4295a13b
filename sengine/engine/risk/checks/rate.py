"""Checks of what was sent before: too many orders, too many executions on one side, the same order twice."""

from __future__ import annotations

from collections.abc import Sequence

from sengine.clock import NS_PER_MS, NS_PER_S
from sengine.domain.order import ProposedOrder, Side
from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import ContributionCheck, OrderCheck, scope_of
from sengine.engine.risk.limit import Refusal, Usage
from sengine.engine.risk.view import ProposedContribution, RiskView
from sengine.engine.state.trading_record import twin_of


class OrderRateCheck(OrderCheck):
    """Refuses orders that come too fast."""

    def __init__(self, limit: limits.OrderRateLimit) -> None:
        super().__init__(limit)
        self.max_orders = limit.max_orders
        self.per_ns = limit.per_ns
        self.max_orders_per_strategy = limit.max_orders_per_strategy

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        sent_ns, now_ns = view.record.sent_ns, order.timestamp_ns
        if is_full(sent_ns.get((self.strategy, self.symbol)), self.max_orders, now_ns - self.per_ns):
            return self.refuse(
                "above_max_orders",
                f"{self.max_orders} orders{scope_of(self.strategy, self.symbol)} were sent within "
                f"{self.per_ns / NS_PER_S:g} s, which is max_orders",
            )
        most = self.max_orders_per_strategy
        if most is not None:
            for part in order.contributions:
                if is_full(sent_ns.get((part.strategy_id, self.symbol)), most, now_ns - self.per_ns):
                    return self.refuse(
                        "above_max_orders_per_strategy",
                        f"{most} orders{scope_of(part.strategy_id, self.symbol)} were sent within "
                        f"{self.per_ns / NS_PER_S:g} s, which is max_orders_per_strategy",
                    )
        return None

    def usage(self, view: RiskView) -> Usage:
        times_ns = view.record.sent_ns.get((self.strategy, self.symbol), ())
        # Measured back from the last order, which is the moment that was nearest to the limit.
        since_ns = times_ns[-1] - self.per_ns if times_ns else 0
        used = sum(1 for time_ns in times_ns[-self.max_orders :] if time_ns > since_ns)
        return Usage("max_orders", self.max_orders, used, self.strategy)


class RepeatedExecutionCheck(ContributionCheck):
    """Disables a strategy that executes again and again on one side."""

    def __init__(self, limit: limits.RepeatedExecutionLimit) -> None:
        super().__init__(limit)
        self.max_executions = limit.max_executions
        self.within_ns = limit.within_ns

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        signal = proposal.signal
        run = view.record.runs.get((signal.strategy_id, signal.symbol))
        side = Side.BUY if proposal.quantity > 0.0 else Side.SELL
        if run is None or run.side != side:
            return None
        if not is_full(run.times_ns, self.max_executions, signal.timestamp_ns - self.within_ns):
            return None
        return Refusal(
            self.title,
            "repeated_execution",
            f"{signal.strategy_id} executed {self.max_executions} times in a row to {side} {signal.symbol} within "
            f"{self.within_ns / NS_PER_S:g} s; it is paused until a person resumes it",
            disables=True,
        )

    def usage(self, view: RiskView) -> Usage:
        worst, worst_of = 0, ""
        for (strategy_id, symbol), run in view.record.runs.items():
            if self.strategy in ("", strategy_id) and self.symbol in ("", symbol):
                since_ns = run.times_ns[-1] - self.within_ns
                count = sum(1 for time_ns in run.times_ns[-self.max_executions :] if time_ns > since_ns)
                if count > worst:
                    worst, worst_of = count, f"{strategy_id} {symbol}"
        return Usage("max_executions", self.max_executions, worst, worst_of)


class DuplicateOrderCheck(OrderCheck):
    """Refuses the same order again."""

    def __init__(self, limit: limits.DuplicateOrderLimit) -> None:
        super().__init__(limit)
        self.within_ns = limit.within_ns

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        sent_ns = view.record.twins.get(twin_of(order))
        if sent_ns is None or order.timestamp_ns - sent_ns >= self.within_ns:
            return None
        ago_ms = (order.timestamp_ns - sent_ns) / NS_PER_MS
        return self.refuse(
            "duplicate_order",
            f"{order.side} {order.quantity:g} {order.symbol} was sent {ago_ms:g} ms ago already; "
            f"within is {self.within_ns / NS_PER_MS:g} ms",
        )

    def usage(self, view: RiskView) -> Usage:
        return Usage("within_ms", self.within_ns / NS_PER_MS)


def is_full(times_ns: Sequence[int] | None, most: int, after_ns: int) -> bool:
    """Whether the last ``most`` of these times are all later than ``after_ns``."""
    return times_ns is not None and len(times_ns) >= most and times_ns[-most] > after_ns
