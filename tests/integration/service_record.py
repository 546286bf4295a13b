"""What the paper service and the engine's journal have on record, for tests to hold against each other."""

from __future__ import annotations

from collections import Counter

import msgspec

from sengine.adapters.journal.reader import JournalReader
from sengine.adapters.paper.journal import FillLine, Line, NewsLine, OrderLine
from sengine.domain.order import Fill, OrderUpdate
from sengine.domain.position import Position
from sengine.engine.checkpoint.follower import Happened
from sengine.proto import execution_pb2 as pb
from tests.integration.engine_process import EngineProcess


class Record:
    """What the execution service and the engine's journal have on record."""

    def __init__(self, engine: EngineProcess) -> None:
        data = engine.folder / "data"
        decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)
        self.requests: dict[str, pb.OrderRequest] = {}
        self.cancelled: set[str] = set()
        self.fills: list[Fill] = []
        for text in (data / "paper.journal").read_bytes().splitlines(keepends=True):
            if not text.endswith(b"\n"):
                break
            line = decoder.decode(text)
            if isinstance(line, OrderLine):
                request = pb.OrderRequest.FromString(line.request)
                assert request.client_order_id not in self.requests
                self.requests[request.client_order_id] = request
                if pb.OrderReply.FromString(line.reply).status == pb.ORDER_STATUS_REJECTED:
                    self.cancelled.add(request.client_order_id)
            elif isinstance(line, FillLine):
                self.fills.append(line.fill)
            elif isinstance(line, NewsLine) and line.reply:
                self.cancelled.add(pb.OrderReply.FromString(line.reply).client_order_id)
        records = [entry.record for entry in JournalReader(data / "journal")]
        self.orders = [order for each in records if isinstance(each, Happened) for order in each.orders]
        ends = ("rejected", "cancelled")
        self.ended = {each.order_id for each in records if isinstance(each, OrderUpdate) and each.status in ends}

    def books(self) -> dict[str, Position]:
        """The strategies' positions by the service's fills, shared out by the orders that were sent."""
        owner = {order.order_id: order.contributions[0].strategy_id for order in self.orders}
        books: dict[str, Position] = {}
        for fill in self.fills:
            strategy_id = owner[fill.order_id]
            position = books.setdefault(strategy_id, Position(strategy_id, fill.symbol))
            position.apply(fill.signed_quantity, fill.price, fill.commission)
        return books

    def check_orders(self) -> None:
        """Each order once, and none forgotten."""
        ids = [order.order_id for order in self.orders]
        assert len(ids) == len(set(ids))
        causes = Counter(part.signal_sequence for order in self.orders for part in order.contributions)
        assert set(causes.values()) == {1}
        assert set(self.requests) <= set(ids)
        filled: Counter[str] = Counter()
        for fill in self.fills:
            filled[fill.order_id] += fill.quantity
        fills = [fill.fill_id for fill in self.fills]
        assert len(fills) == len(set(fills))
        for order in self.orders:
            if order.order_id not in self.requests:
                assert order.order_id in self.ended
            else:
                assert filled[order.order_id] <= order.quantity
