"""What a run left out and why: counts by reason, each with the first row as an example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from replay.rows import Reason, RejectedRow
from sengine.clock import format_timestamp
from sengine.domain.epoch_numbers import COUNTS_BELOW_NS
from sengine.domain.events import BarEvent, BookEvent, MarketEvent, TradeEvent

WARN_ABOVE: Final = 0.01
# Rows that nobody trades are no fault of the file.
NOT_A_FAULT: Final = "no_strategy_wants_symbol"


class DroppedRow(msgspec.Struct, frozen=True):
    """The first row dropped for a reason: where it is, and the cell or values that were refused."""

    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}"


class DropExamples:
    """The first dropped row of each reason, in the order in which the reasons came up."""

    def __init__(self) -> None:
        self.first: dict[str, DroppedRow] = {}

    def row(self, row: RejectedRow) -> None:
        """A row that gave no event."""
        if row.reason not in self.first:
            self.first[row.reason] = DroppedRow(row.place, row.detail)

    def event(self, reason: str, event: MarketEvent, place: str) -> None:
        """An event that the engine refused."""
        if reason not in self.first:
            self.first[reason] = DroppedRow(place, refusal_of(reason, event))


def refusal_of(reason: str, event: MarketEvent) -> str:
    """An engine's reason code and what it is about, as ``crossed book: bid 102, ask 101``."""
    words = reason.replace("_", " ")
    if reason == NOT_A_FAULT:
        return f"no strategy wants {event.symbol}"
    return f"{words}: {_values(reason, event)}"


def _values(reason: str, event: MarketEvent) -> str:
    if reason.startswith("time"):
        return f"timestamp {format_timestamp(event.timestamp_ns)}"
    if isinstance(event, BookEvent):
        sides = (("bid", event.book.bids), ("ask", event.book.asks))
        return ", ".join(
            f"{name}{f' {at}' if at > 1 else ''} {level.price:.15g} x {level.quantity:.15g}"
            for name, levels in sides
            for at, level in enumerate(levels[:3], 1)
        )
    if isinstance(event, TradeEvent):
        return f"price {event.price:.15g}, quantity {event.quantity:.15g}, side {event.side}"
    assert isinstance(event, BarEvent)
    return ", ".join(f"{name} {value:.15g}" for name, value in msgspec.structs.asdict(event.bar).items())


def faults(rejected: Mapping[str, int]) -> int:
    """How many rows were dropped for a reason that is a fault of the data."""
    return sum(count for reason, count in rejected.items() if reason != NOT_A_FAULT)


def nothing_left(rejected: Mapping[str, int], first: Mapping[str, DroppedRow]) -> str:
    """Why a run had no market data at all, one line a reason."""
    if not rejected:
        return "the market data holds no rows, so there was nothing to run on; expected rows below the header"
    total = sum(rejected.values())
    what = "the only row was" if total == 1 else f"all {total:,} rows were"
    lines = [f"{what} dropped, so there was nothing to run on"]
    return "\n".join([*lines, *_by_reason(rejected, first)])


def counts_alone(last_ns: int, rejected: Mapping[str, int], first: Mapping[str, DroppedRow]) -> str:
    """Why a run has read its times wrongly: some of them are no epoch numbers, and all others are as small as a count,
    as seconds of a day that begin at midnight; else empty."""
    if Reason.NOT_EPOCH not in rejected or last_ns >= COUNTS_BELOW_NS:
        return ""
    rest = "the times that were taken are of the first hours of 1970, so they are none either"
    return f"{rejected[Reason.NOT_EPOCH]:,} times are no epoch numbers, first {first[Reason.NOT_EPOCH]}\n{rest}"


def much_dropped(ticks: int, rejected: Mapping[str, int], first: Mapping[str, DroppedRow]) -> str:
    """A warning where more than 1 % of the rows were dropped for faults, one line a reason; else empty."""
    bad, total = faults(rejected), ticks + sum(rejected.values())
    if bad <= WARN_ABOVE * total:
        return ""
    lines = [f"warning: {bad:,} of {total:,} rows ({bad / total:.1%}) were dropped; what is left is not the whole data"]
    return "\n".join([*lines, *_by_reason({r: c for r, c in rejected.items() if r != NOT_A_FAULT}, first)])


def _by_reason(rejected: Mapping[str, int], first: Mapping[str, DroppedRow]) -> list[str]:
    """The reason that came up first comes first: it is the one to look at."""
    order = [
        *(reason for reason in first if reason in rejected),
        *(reason for reason in rejected if reason not in first),
    ]
    return [
        f"{rejected[reason]:,} {reason.replace('_', ' ')}" + (f", first {first[reason]}" if reason in first else "")
        for reason in order
    ]
