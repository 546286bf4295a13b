"""Checks of when and what may be traded at all."""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Final

from sengine.clock import NS_PER_S
from sengine.domain.order import ProposedOrder
from sengine.engine.risk.checks.basis import Check, ProposedContribution, Reducing, Refusal, RiskView

_DAY_NS: Final = 86_400 * NS_PER_S
_MINUTE_NS: Final = 60 * NS_PER_S
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class TradingHoursCheck(Check, frozen=True, tag="trading_hours"):
    """Orders only from ``open`` up to ``close``, UTC event time; a close before the open is on the next day.

    ``days`` are those on which it opens.
    """

    open: str
    close: str
    days: tuple[str, ...] = WEEKDAYS

    name: ClassVar[str] = "trading_hours"
    codes: ClassVar = {"outside_trading_hours": "the event's time is not between `open` and `close` of one of `days`"}
    reducing = Reducing.IS_CHECKED
    source = "SEC rule 15c3-5 (c)(2)"

    def review_order(self, order: ProposedOrder, view: RiskView) -> Refusal | None:
        day, minute = day_and_minute(order.timestamp_ns)
        opens, closes = minute_of(self.open), minute_of(self.close)
        if opens < closes:
            is_open = WEEKDAYS[day] in self.days and opens <= minute < closes
        else:
            is_open = (WEEKDAYS[day] in self.days and minute >= opens) or (
                WEEKDAYS[day - 1] in self.days and minute < closes
            )
        if is_open:
            return None
        now = f"{WEEKDAYS[day]} {minute // 60:02}:{minute % 60:02}"
        return self.refuse(
            "outside_trading_hours",
            f"it is {now} UTC; trading is from {self.open} to {self.close} on {', '.join(self.days)}",
        )


class SymbolAllowListCheck(Check, frozen=True, tag="symbol_allow_list"):
    """Only ``symbols`` are traded."""

    symbols: tuple[str, ...]

    name: ClassVar[str] = "symbol_allow_list"
    codes: ClassVar = {"symbol_not_allowed": "the symbol is not one of `symbols`"}
    reducing = Reducing.PASSES
    source = "SEC rule 15c3-5 (c)(2); RTS 6 article 15"

    def review(self, proposal: ProposedContribution, view: RiskView) -> Refusal | None:
        symbol = proposal.signal.symbol
        if symbol in self.symbols or proposal.reduces:
            return None
        return self.refuse("symbol_not_allowed", f"{symbol} is not one of {', '.join(self.symbols)}")

    def _is_looser(self, name: str, before: Any, after: Any) -> bool:
        if name == "symbols":
            return not set(after) <= set(before)
        return super()._is_looser(name, before, after)


def day_and_minute(time_ns: int) -> tuple[int, int]:
    """Day of the week, Monday 0, and minute of the day, UTC. The epoch was a Thursday."""
    days, rest_ns = divmod(time_ns, _DAY_NS)
    return (days + 3) % 7, rest_ns // _MINUTE_NS


@cache
def minute_of(time: str) -> int:
    """Minute of the day of ``HH:MM``; there are no more than 1440."""
    return int(time[:2]) * 60 + int(time[3:])
