"""The order desk of the paper execution service: who asked for what, what was answered, and how it went on.

An order id is executed once. Its first answer is remembered, and with a journal it outlives the process.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import msgspec
import structlog

from sengine.adapters.paper.journal import FillLine, NewsLine, OrderLine, PaperJournal
from sengine.adapters.paper.messages import MAX_ID_CHARS, fill_message, order_fault, order_of, report_of
from sengine.adapters.paper.venue import EventTimeVenue
from sengine.domain.events import BarEvent, BookEvent
from sengine.domain.order import Fill
from sengine.domain.position import FLAT_BELOW
from sengine.engine.orders.simulated_venue import VenueReport
from sengine.errors import SengineError
from sengine.proto import execution_pb2 as pb

ORDERS_KEPT: Final = 100_000
"""Ended orders whose answers are remembered."""
MAX_OPEN_ORDERS: Final = 10_000
FILLS_KEPT: Final = 20_000
"""Fills that an engine which was away may ask for."""
JOURNAL_ORDERS_KEPT: Final = 10_000
"""Ended orders that stay in a journal when it is shortened."""

_log = structlog.get_logger("sengine.paper")

Listener: TypeAlias = Callable[[pb.OrderReport], None]


class OrderRecord(msgspec.Struct):
    """An order the service has answered. ``answer`` never changes, ``news`` is what is true now."""

    answer: pb.OrderReply
    news: pb.OrderReply
    quantity: float = 0.0
    filled: float = 0.0
    fills: int = 0
    restored_fills: int = 0
    """Fills from before a restart; the venue counts anew from 1."""
    listener: Listener | None = None
    request: pb.OrderRequest | None = None


class PaperOrderBook:
    """Takes orders and market data, gives answers at once, and passes fills and later news on.

    ``on_fill`` gets every fill. News of an order goes to the listener that sent or cancelled it last.
    """

    def __init__(
        self,
        venue: EventTimeVenue,
        on_fill: Callable[[Fill], None],
        journal: PaperJournal | None = None,
        orders_kept: int = ORDERS_KEPT,
        max_open_orders: int = MAX_OPEN_ORDERS,
    ) -> None:
        self.venue = venue
        self._on_fill = on_fill
        self._journal = journal
        self._records: dict[str, OrderRecord] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._orders_kept = orders_kept
        self._max_open_orders = max_open_orders
        self._recent_fills: deque[Fill] = deque(maxlen=FILLS_KEPT)
        self.orders = 0
        self.repeated = 0
        self.rejected = 0
        self.fills = 0
        self.is_full: Callable[[], bool] = lambda: False
        """Whether fills can no longer be kept for publishing; then no order is taken."""

    # Commands.

    def submit(self, request: pb.OrderRequest, listener: Listener | None = None) -> pb.OrderReply:
        """Take an order; an id that was seen before gets its first answer again, and then what became of it."""
        order_id = request.client_order_id
        known = self._records.get(order_id)
        if known is not None:
            self.repeated += 1
            if listener is not None:
                listener(report_of(known.answer, pb.REPORT_CAUSE_SUBMIT, 0.0))
                if known.news.status != known.answer.status:
                    listener(report_of(known.news, pb.REPORT_CAUSE_MARKET, known.filled))
                elif known.news.status == pb.ORDER_STATUS_ACCEPTED:
                    known.listener = listener
            return known.answer
        if self._journal is not None and self._journal.is_long:
            self._shorten(self._journal)
        now_ns = self.venue.newest_ns(request.symbol)
        self.orders += 1
        reason = order_fault(request)
        if not reason and self.venue.open_orders >= self._max_open_orders:
            reason = f"{self._max_open_orders} orders are open already"
        if not reason and self.is_full():
            reason = "its fills could not be published: the broker is away and too many wait already"
        if not reason and self._journal is not None and (failure := self._journal.flush()):
            reason = f"its journal cannot be written: {failure}"
        if not request.timestamp_ns:
            request.timestamp_ns = now_ns
        reply = pb.OrderReply(
            client_order_id=order_id[:MAX_ID_CHARS],
            status=pb.ORDER_STATUS_REJECTED if reason else pb.ORDER_STATUS_ACCEPTED,
            reason=reason,
            timestamp_ns=max(now_ns, request.timestamp_ns),
        )
        record = OrderRecord(reply, reply, request.quantity, listener=listener, request=request)
        # An unusable id is not worth remembering.
        if 0 < len(order_id) <= MAX_ID_CHARS:
            self._records[order_id] = record
            if self._journal is not None:
                self._journal.append(OrderLine(request.SerializeToString(), reply.SerializeToString()))
        if listener is not None:
            listener(report_of(reply, pb.REPORT_CAUSE_SUBMIT, 0.0))
        if not reason:
            self._take(self.venue.submit(order_of(request, request.quantity), request.book_crc))
            return reply
        self.rejected += 1
        if order_id in self._records:
            self._end(order_id)
        return reply

    def cancel(self, request: pb.CancelRequest, listener: Listener | None = None) -> pb.OrderReply:
        """Take an order out of the market; what is true of it afterwards."""
        order_id = request.client_order_id
        record = self._records.get(order_id)
        if record is None:
            reply = pb.OrderReply(
                client_order_id=order_id[:MAX_ID_CHARS],
                status=pb.ORDER_STATUS_REJECTED,
                reason=f'there is no order "{order_id[:MAX_ID_CHARS]}"',
            )
        else:
            if record.news.status == pb.ORDER_STATUS_ACCEPTED:
                owner, record.listener = record.listener, None  # who asks gets the answer, and not twice
                self._take(self.venue.cancel(order_id, request.timestamp_ns or record.answer.timestamp_ns))
                if record.news.status == pb.ORDER_STATUS_ACCEPTED:
                    record.listener = listener or owner
                elif owner != listener:
                    _tell(owner, record)
            reply = record.news
        if listener is not None:
            listener(report_of(reply, pb.REPORT_CAUSE_CANCEL, 0.0 if record is None else record.filled))
        return reply

    # Market data.

    def on_book(self, event: BookEvent) -> None:
        self._take(self.venue.on_book(event))

    def on_bar(self, event: BarEvent) -> None:
        self._take(self.venue.on_bar(event))

    # For an engine that was away.

    def reconcile(self, since_ns: int, order_ids: Sequence[str]) -> Iterator[pb.ReconcileItem]:
        """Fills since ``since_ns``, the orders in the market, and those of ``order_ids``."""
        for fill in list(self._recent_fills):
            if fill.timestamp_ns >= since_ns:
                yield pb.ReconcileItem(fill=fill_message(fill))
        in_market = [key for key, each in self._records.items() if each.news.status == pb.ORDER_STATUS_ACCEPTED]
        for order_id in dict.fromkeys((*in_market, *order_ids)):
            yield pb.ReconcileItem(order=order_state(order_id, self._records.get(order_id)))

    # After a restart.

    def restore(self, lines: Sequence[OrderLine | FillLine | NewsLine]) -> Sequence[Fill]:
        """Take up what a journal holds; the fills that it does not know to be published."""
        requests: dict[str, pb.OrderRequest] = {}
        unpublished: OrderedDict[str, Fill] = OrderedDict()
        for line in lines:
            if isinstance(line, OrderLine):
                request = pb.OrderRequest.FromString(line.request)
                reply = pb.OrderReply.FromString(line.reply)
                requests[request.client_order_id] = request
                self._records[request.client_order_id] = OrderRecord(reply, reply, request.quantity, request=request)
            elif isinstance(line, FillLine):
                unpublished[line.fill.fill_id] = line.fill
                self._recent_fills.append(line.fill)
                record = self._records.get(line.fill.order_id)
                if record is not None:
                    self._count(record, line.fill)
                    record.restored_fills = record.fills
            elif line.published:
                unpublished.pop(line.published, None)
            elif line.reply:
                news = pb.OrderReply.FromString(line.reply)
                if news.client_order_id in self._records:
                    self._records[news.client_order_id].news = news
        for order_id, record in list(self._records.items()):
            if record.news.status != pb.ORDER_STATUS_ACCEPTED:
                self._end(order_id)
            else:
                order = order_of(requests[order_id], record.quantity - record.filled)
                self._take(self.venue.submit(order, has_rested=True))
        return list(unpublished.values())

    def _shorten(self, journal: PaperJournal) -> None:
        newest = set(islice(reversed(self._ended), JOURNAL_ORDERS_KEPT))

        def is_kept(order_id: str) -> bool:
            return order_id in newest or (order_id in self._records and order_id not in self._ended)

        try:
            journal.compact(is_kept)
        except SengineError as error:
            _log.warning("the journal goes on growing", reason=str(error))

    # What the venue says.

    def _take(self, reports: Sequence[VenueReport]) -> None:
        for report in reports:
            record = self._records[report.order_id]
            if isinstance(report, Fill):
                if record.restored_fills:
                    number = record.fills + 1
                    report = msgspec.structs.replace(report, fill_id=f"{report.order_id}-{number}")
                self._count(record, report)
                self._recent_fills.append(report)
                self.fills += 1
                if self._journal is not None:
                    self._journal.append(FillLine(report))
                self._on_fill(report)
                if record.news.status == pb.ORDER_STATUS_FILLED:
                    _tell(record.listener, record)
                    self._end(report.order_id)
            else:
                record.news = pb.OrderReply(
                    client_order_id=report.order_id,
                    status=pb.ORDER_STATUS_CANCELLED,
                    reason=report.reason,
                    timestamp_ns=report.timestamp_ns,
                )
                if self._journal is not None:
                    self._journal.append(NewsLine(record.news.SerializeToString()))
                _tell(record.listener, record)
                self._end(report.order_id)

    def _count(self, record: OrderRecord, fill: Fill) -> None:
        record.fills += 1
        record.filled += fill.quantity
        if record.quantity - record.filled <= FLAT_BELOW * record.quantity:
            record.news = pb.OrderReply(
                client_order_id=fill.order_id, status=pb.ORDER_STATUS_FILLED, timestamp_ns=fill.timestamp_ns
            )

    def _end(self, order_id: str) -> None:
        self._records[order_id].listener = None
        self._ended[order_id] = None
        if len(self._ended) > self._orders_kept:
            oldest, _ = self._ended.popitem(last=False)
            del self._records[oldest]


def order_state(order_id: str, record: OrderRecord | None) -> pb.OrderState:
    """An order as ``Reconcile`` tells of it."""
    if record is None or record.request is None:
        return pb.OrderState(client_order_id=order_id)
    request = record.request
    return pb.OrderState(
        client_order_id=order_id,
        status=record.news.status,
        reason=record.news.reason,
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        quantity=request.quantity,
        limit_price=request.limit_price,
        filled_quantity=record.filled,
        timestamp_ns=record.news.timestamp_ns,
    )


def _tell(listener: Listener | None, record: OrderRecord) -> None:
    if listener is not None:
        listener(report_of(record.news, pb.REPORT_CAUSE_MARKET, record.filled))
