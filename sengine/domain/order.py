"""Orders before and after risk, fills, and the news about orders that comes back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import msgspec

from sengine.clock import to_datetime


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    MARKET = "market"
    LIMIT = "limit"


class Contribution(msgspec.Struct, frozen=True, gc=False):
    """One strategy's part of an order: signed ``quantity``, buys positive, and the signal that asked for it, 0 where an
    operator did."""

    strategy_id: str
    quantity: float
    signal_sequence: int


class ProposedOrder(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An order that has not passed the order-scope checks. No gateway takes this type."""

    symbol: str
    side: Side
    quantity: float
    timestamp_ns: int
    contributions: tuple[Contribution, ...]
    limit_price: float | None = None

    @property
    def order_type(self) -> OrderType:
        return OrderType.MARKET if self.limit_price is None else OrderType.LIMIT


class Order(ProposedOrder, frozen=True, kw_only=True, gc=False):
    """An order that passed every check. Only the risk pipeline's approval makes one; gateways take nothing else."""

    order_id: str

    @classmethod
    def approved(cls, proposal: ProposedOrder, order_id: str) -> Order:
        return cls(
            proposal.symbol,
            proposal.side,
            proposal.quantity,
            proposal.timestamp_ns,
            proposal.contributions,
            proposal.limit_price,
            order_id=order_id,
        )


class Fill(msgspec.Struct, frozen=True, gc=False):
    """An execution. ``on_fill`` gets the strategy's own share; on the way in ``strategy_id`` is empty and
    ``quantity`` is the whole fill's. ``side`` is ``buy`` or ``sell``, ``commission`` is in quote currency."""

    order_id: str
    strategy_id: str
    symbol: str
    side: str
    price: float
    quantity: float
    commission: float
    timestamp_ns: int
    fill_id: str = ""

    @property
    def timestamp(self) -> datetime:
        return to_datetime(self.timestamp_ns)

    @property
    def signed_quantity(self) -> float:
        return self.quantity if self.side == "buy" else -self.quantity


class OrderStatus(StrEnum):
    """What an execution venue says of an order besides its fills."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


class OrderUpdate(msgspec.Struct, frozen=True, gc=False):
    """News about one order. ``UNKNOWN`` means that nobody can say: the order stays in flight until told otherwise. One
    that ``never_left`` was rejected by this program itself, and no venue has seen it."""

    order_id: str
    status: OrderStatus
    timestamp_ns: int
    reason: str = ""
    never_left: bool = False
