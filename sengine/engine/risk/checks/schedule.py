"""Checks of when and what may be traded at all."""

from __future__ import annotations

from typing import Final

from sengine.clock import NS_PER_S
from sengine.domain.order import ProposedOrder
from sengine.engine.risk import limits
from sengine.engine.risk.checks.basis import ContributionCheck, OrderCheck
from sengine.engine.risk.limit import Refusal
from sengine.engine.risk.limits import WEEKDAYS
from sengine.engine.risk.view import ProposedContribution, RiskView

_DAY_NS: Final = 86_400 * NS_PER_S
_MINUTE_NS: Final = 60 * NS_PER_S


class TradingHoursCheck(OrderCheck):
    """Refuses outside the hours, in event time."""

    def __init__(self, limit: limits.TradingHours) -> None:
        super().__init__(limit)
        self._hours = f"{limit.open} to {limit.close} on {', '.join(limit.days)}"
        self._opens, self._closes = minute_of(limit.open), minute_of(limit.close)
        self._days = [day in limit.days for day in WEEKDAYS]

    def review(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        day, minute = day_and_minute(order.timestamp_ns)
        if self._opens < self._closes:
            is_open = self._days[day] and self._opens <= minute < self._closes
        else:
            is_open = (self._days[day] and minute >= self._opens) or (self._days[day - 1] and minute < self._closes)
        if is_open:
            return None
        now = f"{WEEKDAYS[day]} {minute // 60:02}:{minute % 60:02}"
        return self.refuse(
            "outside_trading_hours",
            f"it is {now} UTC; trading is from {self._hours}",
        )


class SymbolAllowListCheck(ContributionCheck):
    """Refuses symbols that are not listed."""

    def __init__(self, limit: limits.SymbolAllowList) -> None:
        super().__init__(limit)
        self.symbols = limit.symbols

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        symbol = proposal.signal.symbol
        if symbol in self.symbols or proposal.reduces:
            return None
        return self.refuse("symbol_not_allowed", f"{symbol} is not one of {', '.join(self.symbols)}")


def day_and_minute(time_ns: int) -> tuple[int, int]:
    """Day of the week, Monday 0, and minute of the day, UTC. The epoch was a Thursday."""
    days, rest_ns = divmod(time_ns, _DAY_NS)
    return (days + 3) % 7, rest_ns // _MINUTE_NS


def minute_of(time: str) -> int:
    """Minute of the day of ``HH:MM``; there are no more than 1440."""
    return int(time[:2]) * 60 + int(time[3:])
