"""What one event led to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sengine.domain.events import Interrupted, MarketEvent
from sengine.domain.order import Fill, Order, OrderUpdate
from sengine.domain.signal import SignalResult
from sengine.engine.strategies.faults import StrategyFault
from sengine.engine.strategies.guard import TIMEOUT
from sengine.engine.strategies.trial import RolledBack

_PARTS: Final = (
    "rejected",
    "signals",
    "orders",
    "cancels",
    "fills",
    "shares",
    "faults",
    "notices",
    "rollbacks",
    "warnings",
    "updates",
    "withdrawn",
    "is_held",
    "dropped",
    "is_first_wrong",
    "confirmed",
)


class Outcome:
    """Everything that an event caused, each list in the order in which it happened.

    ``orders`` passed every check and are to be sent, after ``cancels`` (order ids). ``fills`` are whole fills that
    were applied, and ``crosses``; ``shares`` are each strategy's part with the gross P&L that it realized (``None``
    where it only added). ``rejected`` is the reason code when a market data event was dropped. ``notices`` are told
    while they are few, ``warnings`` always. ``updates`` are the simulated venue's; those from outside are events.
    ``withdrawn`` are the orders that a CLOSE withdrew and that may still fill, by the sequence of its signal.

    ``is_held``: the event is held back until others confirm its time. ``dropped`` are earlier ones that were held back
    and are refused now, each with its reason code; ``is_first_wrong`` says that a symbol's first event counts as
    refused though it was processed. ``confirmed`` events are due: ``TakeHeld`` processes one.
    """

    __slots__ = (
        "cancels",
        "confirmed",
        "dropped",
        "faults",
        "fills",
        "is_first_wrong",
        "is_held",
        "notices",
        "orders",
        "rejected",
        "rollbacks",
        "shares",
        "signals",
        "updates",
        "warnings",
        "withdrawn",
    )

    def __init__(
        self,
        rejected: str = "",
        *,
        is_held: bool = False,
        dropped: Sequence[tuple[MarketEvent, str]] = (),
        confirmed: int = 0,
    ) -> None:
        self.rejected = rejected
        self.signals: list[SignalResult] = []
        self.orders: list[Order] = []
        self.cancels: list[str] = []
        self.fills: list[Fill] = []
        self.shares: list[tuple[Fill, float | None]] = []
        self.faults: list[StrategyFault] = []
        self.notices: list[str] = []
        self.rollbacks: list[RolledBack] = []
        self.warnings: list[str] = []
        self.updates: list[OrderUpdate] = []
        self.withdrawn: dict[str, int] = {}
        self.is_held = is_held
        self.dropped = list(dropped)
        self.is_first_wrong = False
        self.confirmed = confirmed

    def __repr__(self) -> str:
        happened = [f"{name}={value!r}" for name in _PARTS if (value := getattr(self, name))]
        return f"Outcome({', '.join(happened)})"

    @property
    def crosses(self) -> Sequence[Fill]:
        """What strategies traded with each other inside: fills of one strategy each, without an order."""
        return [fill for fill in self.fills if fill.strategy_id]

    def interruptions(self) -> Sequence[Interrupted]:
        """The calls that a timer cut short. Processed before the same event, they make it end as it did."""
        return [
            Interrupted(fault.strategy_id, fault.call, fault.number, fault.message)
            for fault in self.faults
            if fault.kind == TIMEOUT
        ]


# The outcome of nearly every tick, made once; compare with ``is``, and never add to it.
NOTHING = Outcome()
