"""Everything that can happen to the engine, in one ordered stream. ``Engine.process`` takes exactly these.

``received_ns`` is when the live feed saw the event; replay leaves it 0. It is carried for lag figures and the
journal, and decides nothing: windows, staleness and rates use ``timestamp_ns``. ``late_ns`` is how long it had waited
when it was handed to the engine, by the wall clock; a part of the event, it decides again what it decided then.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from sengine.domain.market import OHLCV, OrderBook, Quote
from sengine.domain.order import Fill, OrderUpdate
from sengine.domain.signal import Signal


class BookEvent(msgspec.Struct, frozen=True, gc=False):
    """A new order book of a symbol. ``sequence`` is the publisher's, -1 where it sends none."""

    symbol: str
    timestamp_ns: int
    book: OrderBook
    sequence: int = -1
    received_ns: int = 0
    late_ns: int = 0


class SoundBookEvent(BookEvent, frozen=True, gc=False):
    """A book event whose book was found sound, column by column, by the feed that read it."""


class TradeEvent(msgspec.Struct, frozen=True, gc=False):
    """A trade in the market; ``side`` is the taker's."""

    symbol: str
    timestamp_ns: int
    price: float
    quantity: float
    side: str
    sequence: int = -1
    received_ns: int = 0
    late_ns: int = 0


class BarEvent(msgspec.Struct, frozen=True, gc=False):
    """A finished bar of a symbol."""

    symbol: str
    timestamp_ns: int
    bar: OHLCV
    sequence: int = -1
    received_ns: int = 0
    late_ns: int = 0


class PauseStrategy(msgspec.Struct, frozen=True):
    """Stop calling ``on_tick`` of a strategy; it keeps its positions and its fills still reach it."""

    strategy_id: str
    reason: str = "operator"


class ResumeStrategy(msgspec.Struct, frozen=True):
    strategy_id: str


class UnloadStrategy(msgspec.Struct, frozen=True):
    """Shut a strategy down and take it out of the engine; its positions stay on the books."""

    strategy_id: str


class ReloadParameters(msgspec.Struct, frozen=True):
    """Give a running strategy new parameters through its ``hot_reload``; a failure leaves the old ones."""

    strategy_id: str
    config: dict[str, object]


class ReportedError(msgspec.Struct, frozen=True):
    """What the process of a remote strategy says went wrong there. ``kind`` is the metric label, ``where`` is
    ``file:line`` when known."""

    kind: str
    message: str
    where: str = ""
    traceback: str = ""


class RemoteSignals(msgspec.Struct, frozen=True):
    """What a strategy in another process answered to one of its ticks, later.

    ``symbol`` and ``timestamp_ns`` are that tick's, ``tick`` is its number among the strategy's. Errors outside of any
    tick carry tick 0 and the event time when they came in.
    """

    strategy_id: str
    symbol: str
    timestamp_ns: int
    tick: int
    signals: tuple[Signal, ...] = ()
    errors: tuple[ReportedError, ...] = ()
    received_ns: int = 0
    late_ns: int = 0


class RemoteReady(msgspec.Struct, frozen=True):
    """The process of a remote strategy has started, runs ``version`` and asks for these kinds of events and this
    route. ``config`` is the parameters in force, defaults filled in."""

    strategy_id: str
    version: str
    route: str
    kinds: tuple[str, ...]
    config: dict[str, object] = {}


class RemoteRolledBack(msgspec.Struct, frozen=True):
    """New code of a remote strategy failed with ``error`` on trial, after ``ticks`` ticks, and the process before it,
    as ``ready`` describes it, is in use again."""

    ready: RemoteReady
    failed_version: str
    ticks: int
    error: ReportedError


class Interrupted(msgspec.Struct, frozen=True):
    """While the next event is processed, this call into a strategy is to end as timed out, without being made.

    Only a journal holds these: time is not in the events, so what a timer cut short must be told. ``call`` and
    ``number`` are those of the fault.
    """

    strategy_id: str
    call: str
    number: int
    message: str


class HoldFill(msgspec.Struct, frozen=True):
    """A fill that a person is to look at before it is booked, and why: the live engine's way in takes it for a mistake.

    It is known by ``fill_id``, or by its order, moment, price and quantity where it has none.
    """

    fill: Fill
    reason: str


class AcceptFill(msgspec.Struct, frozen=True):
    """Book a fill that waits for a person."""

    fill_id: str


class RefuseFill(msgspec.Struct, frozen=True):
    """Do not book a fill that waits for a person, now or when the very same comes again; one that is corrected is
    another."""

    fill_id: str


class KillSwitch(msgspec.Struct, frozen=True):
    """Send nothing more and cancel what is open, until a person re-arms. Strategies still see the market."""

    reason: str = "operator"


class Rearm(msgspec.Struct, frozen=True):
    """Let orders out again after a kill."""


class ChangeAggregation(msgspec.Struct, frozen=True):
    """Combine votes another way from now on; votes on the book stay, those outside the new window no longer count."""

    method: str
    window_ns: int


class Flatten(msgspec.Struct, frozen=True):
    """Bring positions to zero with market orders, the kill switch or not: those of one strategy, on one symbol, or
    both; empty means all. What rests there is cancelled first."""

    strategy_id: str = ""
    symbol: str = ""
    reason: str = "operator"


class CancelOrder(msgspec.Struct, frozen=True):
    """Ask for the cancellation of one open order."""

    order_id: str


class Shutdown(msgspec.Struct, frozen=True):
    """Call each strategy's ``shutdown`` and take no more market data. ``cancel_orders`` asks for the cancellation of
    what is open first."""

    cancel_orders: bool = False


class TakeHeld(msgspec.Struct, frozen=True):
    """Process the next market data event that was held back for its time and is confirmed by now; ``number`` is that of
    its arrival among those held back."""

    number: int = 0


class EndOfData(msgspec.Struct, frozen=True):
    """No more market data comes: decide what is still held back for its time."""


class ForgetTime(msgspec.Struct, frozen=True):
    """The last time of a symbol is wrong, as after a clock that was wrong: the next event begins anew. What else is
    dated after ``now_ns``, the right time, is forgotten too: the day, and when orders were sent."""

    symbol: str
    now_ns: int


MarketEvent: TypeAlias = Quote | BookEvent | TradeEvent | BarEvent
Command: TypeAlias = (
    PauseStrategy
    | ResumeStrategy
    | UnloadStrategy
    | ReloadParameters
    | KillSwitch
    | Rearm
    | ChangeAggregation
    | Flatten
    | CancelOrder
    | AcceptFill
    | RefuseFill
    | Shutdown
    | Interrupted
    | TakeHeld
    | EndOfData
    | ForgetTime
)
RemoteEvent: TypeAlias = RemoteSignals | RemoteReady | RemoteRolledBack
Event: TypeAlias = MarketEvent | Fill | HoldFill | OrderUpdate | Command | RemoteEvent
