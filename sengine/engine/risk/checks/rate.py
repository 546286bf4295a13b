"""Checks of what was sent before: too many orders, too many executions on one side, the same order twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sengine.clock import NS_PER_MS, NS_PER_S
from sengine.domain.order import ProposedOrder, Side
from sengine.engine.risk.checks.basis import (
    Check,
    ProposedContribution,
    Reducing,
    Refusal,
    RiskView,
    Usage,
    scope_of,
)
from sengine.engine.state.trading_record import twin_of


class OrderRateCheck(Check, frozen=True, tag="order_rate"):
    """At most ``max_orders`` sent within ``per``, and at most ``max_orders_per_strategy`` of each contributor."""

    max_orders: int
    per_ns: int
    max_orders_per_strategy: int | None = None

    name: ClassVar[str] = "order_rate"
    codes: ClassVar = {
        "above_max_orders": "`max_orders` were sent within `per` already",
        "above_max_orders_per_strategy": "`max_orders_per_strategy` of one strategy were sent within `per` already",
    }
    reducing = Reducing.IS_CHECKED
    source = "RTS 6 article 15 (1)(d); FIA best practices: message throttles"
    looser_above = ("max_orders", "max_orders_per_strategy")
    looser_below = ("per_ns",)

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
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


class RepeatedExecutionCheck(Check, frozen=True, tag="repeated_execution"):
    """A strategy that executed ``max_executions`` times on one side of a symbol within ``within``, without one on the
    other side, may not go on, and is paused until a person resumes it.

    A market order counts when it is sent, a limit order when it first fills.
    """

    max_executions: int
    within_ns: int

    name: ClassVar[str] = "repeated_execution"
    codes: ClassVar = {"repeated_execution": "`max_executions` on one side within `within`; the strategy is paused"}
    reducing = Reducing.IS_CHECKED
    source = "RTS 6 article 15 (3); FIA best practices: repeated automated execution limit"
    looser_above = ("max_executions",)
    looser_below = ("within_ns",)

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


class DuplicateOrderCheck(Check, frozen=True, tag="duplicate_order"):
    """No order like one sent within ``within``: same strategies, symbol, side, quantity and limit price."""

    within_ns: int

    name: ClassVar[str] = "duplicate_order"
    codes: ClassVar = {"duplicate_order": "the same order was sent within `within`"}
    reducing = Reducing.IS_CHECKED
    source = "SEC rule 15c3-5 (c)(1)(ii)"
    looser_below = ("within_ns",)

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
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
