"""From the journal's records to the store's rows. Its books are the engine's own arithmetic on the same fills.

The state that it needs begins anew with each segment's checkpoint, so any segment can be the first. What a checkpoint
knows and the rows do not, as after lost records, becomes rows of the checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from sengine.adapters.journal.format import Closed, Header, Sample, StrategyLoaded, StrategySwapped
from sengine.adapters.store.schema import ENDED
from sengine.adapters.store.tail import TailEntry
from sengine.config.redact import plain
from sengine.domain.events import ReloadParameters, RemoteReady, UnloadStrategy
from sengine.domain.order import Fill, Order, OrderStatus, OrderUpdate
from sengine.domain.position import Position
from sengine.engine.checkpoint.checkpoint import Checkpoint
from sengine.engine.checkpoint.follower import Happened
from sengine.engine.state.orders import OrderTracker, WorkingOrder, fill_fault

Statement: TypeAlias = tuple[str, Sequence[Any]]

_PLACES: Final = {
    "sessions": 7, "strategies": 9, "signals": 16, "order_parts": 7, "fills": 13, "positions": 10, "pnl": 9,
}  # fmt: skip
_INSERT: Final = {table: f"INSERT INTO {table} VALUES ({', '.join('?' * count)})" for table, count in _PLACES.items()}
_ORDER: Final = f"INSERT INTO orders VALUES (NULL, {', '.join('?' * 18)})"
_NEWEST: Final = "id = (SELECT max(id) FROM orders WHERE order_id = ?)"
_FILLED: Final = (
    "UPDATE orders SET filled = filled + ?, notional = notional + ?, commission = commission + ?, updated_ns = ?, "
    f"status = CASE WHEN ? = '' THEN status ELSE ? END WHERE {_NEWEST}"
)
_ENDED: Final = f"UPDATE orders SET status = ?, updated_ns = ?, reason = ? WHERE {_NEWEST}"
_ACCEPTED: Final = f"UPDATE orders SET status = ?, updated_ns = ? WHERE status = 'sent' AND {_NEWEST}"
_CANCEL_ASKED: Final = f"UPDATE orders SET cancel_asked = 1 WHERE {_NEWEST}"
_KNOWN_ORDER: Final = (
    f"INSERT INTO orders SELECT NULL, {', '.join('?' * 18)} WHERE NOT EXISTS (SELECT 1 FROM orders WHERE order_id = ?)"
)
_KNOWN_STRATEGY: Final = (
    f"INSERT INTO strategies SELECT {', '.join('?' * 9)} WHERE NOT EXISTS (SELECT 1 FROM "
    "(SELECT version FROM strategies WHERE strategy_id = ? AND failure = '' "
    "ORDER BY segment DESC, offset DESC, n DESC LIMIT 1) WHERE version = ?)"
)
_LOST_ORDERS: Final = (
    "UPDATE orders SET status = 'lost', updated_ns = ?, reason = 'the records of its end are missing' "
    f"WHERE NOT ({ENDED}) AND order_id NOT IN (SELECT value FROM json_each(?))"
)
_KNOWN_POSITION: Final = (
    f"INSERT INTO positions SELECT {', '.join('?' * 10)} WHERE NOT EXISTS (SELECT 1 FROM "
    "(SELECT quantity, average_price, realized_pnl, commission FROM positions WHERE strategy_id = ? AND symbol = ? "
    "ORDER BY segment DESC, offset DESC, n DESC LIMIT 1) "
    "WHERE quantity IS ? AND average_price IS ? AND realized_pnl IS ? AND commission IS ?)"
)
_LOST_POSITIONS: Final = (
    "INSERT INTO positions SELECT ?, ?, ? + row_number() OVER (ORDER BY strategy_id, symbol), ?, strategy_id, symbol, "
    "0.0, 0.0, realized_pnl, commission FROM held WHERE quantity != 0.0 "
    "AND strategy_id || char(31) || symbol NOT IN (SELECT value FROM json_each(?))"
)
_SESSION_ENDED: Final = (
    "UPDATE sessions SET ended_ns = ? WHERE (segment, offset) = (SELECT segment, offset FROM sessions "
    "ORDER BY segment DESC, offset DESC LIMIT 1)"
)
_CHANGE_FAILED: Final = "UPDATE strategies SET failure = ? WHERE segment = ? AND offset = ? AND n = ?"


class Projection:
    """Takes records in the journal's order; ``statements`` collects what they make of the store."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            Header: self._header,
            Checkpoint: self._checkpoint,
            Happened: self._happened,
            Fill: self._fill_event,
            OrderUpdate: self._update,
            Sample: self._sample,
            Closed: lambda record: self._do(_SESSION_ENDED, record.time_ns),
            StrategyLoaded: self._loaded,
            StrategySwapped: self._swapped,
            ReloadParameters: self._parameters,
            UnloadStrategy: self._unloaded,
            RemoteReady: self._remote_ready,
        }
        self._segment = self._offset = self._n = 0
        self._starts_session = False
        self._time_ns = 0
        self._versions: dict[str, str] = {}
        self._orders = OrderTracker()
        self._books: dict[tuple[str, str], Position] = {}
        self._change: tuple[str, str, tuple[int, int, int]] | None = None
        """The strategy that the last record was to change, its version before, and the row about it."""

    def apply(self, entry: TailEntry) -> None:
        """One record. ``Happened`` is taken right after the event that led to it."""
        self._segment, self._offset, self._n = entry.segment, entry.offset, 0
        handler = self._handlers.get(type(entry.record))
        if handler is not None:
            handler(entry.record)
        if self._change is not None and self._change[2][1] != entry.offset:
            self._change = None

    # Rows.

    def _do(self, sql: str, *values: Any) -> None:
        self.statements.append((sql, values))

    def _place(self) -> tuple[int, int, int]:
        self._n += 1
        return self._segment, self._offset, self._n

    def _insert(self, table: str, *values: Any) -> None:
        self.statements.append((_INSERT[table], (*self._place(), *values)))

    # Segments.

    def _header(self, header: Header) -> None:
        self._time_ns = header.time_ns
        self._versions = {}
        self._starts_session = header.starts_session
        if header.starts_session:
            self._insert("sessions", header.time_ns, header.session.rstrip("-"), header.program, None)
        for strategy in header.strategies:
            strategy_id, version = strategy.strategy_id, strategy.version
            if header.starts_session:
                self._changed(strategy_id, "started", version, strategy.config)
            else:
                values = (*self._place(), self._time_ns, strategy_id, "found", version, _as_json(strategy.config), "")
                self._do(_KNOWN_STRATEGY, *values, strategy_id, version)
            self._versions[strategy_id] = version

    def _checkpoint(self, state: Checkpoint) -> None:
        self._orders = OrderTracker()
        self._orders.restore(state.orders)
        self._books = {}
        for position in state.books.positions:
            self._books[position.strategy_id, position.symbol] = Position(*msgspec.structs.astuple(position))
            figures = (position.quantity, position.average_price, position.realized_pnl, position.commission)
            pair = (position.strategy_id, position.symbol)
            self._do(_KNOWN_POSITION, *self._place(), state.now_ns, *pair, *figures, *pair, *figures)
        if self._starts_session:
            pairs = msgspec.json.encode(["\x1f".join(pair) for pair in self._books]).decode()
            self._do(_LOST_POSITIONS, self._segment, self._offset, self._n, state.now_ns, pairs)
        for working in state.orders.open:
            status = "partially_filled" if working.filled else "sent"
            values = self._order_values(working.order, status, working.filled)
            self._do(_KNOWN_ORDER, *self._place(), *values, working.order.order_id)
        ids = msgspec.json.encode([working.order.order_id for working in state.orders.open]).decode()
        self._do(_LOST_ORDERS, state.now_ns, ids)

    def _sample(self, sample: Sample) -> None:
        self._time_ns = sample.time_ns
        for strategy_id, earned in (("", sample.total), *sample.strategies.items()):
            equity = earned.realized + earned.unrealized
            self._insert(
                "pnl", sample.time_ns, strategy_id, earned.realized, earned.unrealized, equity, earned.max_drawdown
            )

    # Signals, orders and fills.

    def _happened(self, what: Happened) -> None:
        for result in what.signals:
            signal = result.signal
            self._insert(
                "signals", signal.timestamp_ns, signal.sequence, signal.strategy_id,
                self._versions.get(signal.strategy_id, ""), signal.symbol, str(signal.direction), signal.confidence,
                signal.size, signal.limit_price, str(result.disposition), result.check, result.code, result.reason,
            )  # fmt: skip
        for order in what.orders:
            self._orders.sent(order)
            self._do(_ORDER, *self._place(), *self._order_values(order, "sent", 0.0))
            for part in order.contributions:
                self._insert("order_parts", order.order_id, part.strategy_id, part.quantity, part.signal_sequence)
        for fill in what.fills:
            if fill.strategy_id:
                self._book([fill])  # crossed inside: there is no order
            else:
                self._fill(fill)
        for update in what.updates:
            self._update(update)
        for order_id in what.cancels:
            self._orders.ask_to_cancel(order_id)
            self._do(_CANCEL_ASKED, order_id)
        for fault in what.faults:
            if self._change is not None and self._change[0] == fault.strategy_id and fault.kind == "reload":
                _, self._versions[fault.strategy_id], row = self._change
                self._do(_CHANGE_FAILED, fault.message, *row)
        for back in what.rollbacks:
            self._changed(back.strategy_id, "rolled back", back.version, {}, back.reason)

    def _order_values(self, order: Order, status: str, filled: float) -> Sequence[Any]:
        names = ",".join(dict.fromkeys(part.strategy_id for part in order.contributions))
        return (
            order.timestamp_ns, order.order_id, names, order.symbol, str(order.side), str(order.order_type),
            order.quantity, order.limit_price, status, filled, 0.0, 0.0, order.timestamp_ns, 0, "",
        )  # fmt: skip

    def _fill_event(self, fill: Fill) -> None:
        if fill_fault(fill) is None and not self._orders.has_seen(fill):
            self._fill(fill)

    def _fill(self, fill: Fill) -> None:
        shares = self._orders.shares(fill)
        if shares is None:
            return
        self._orders.remember(fill)
        status = ""
        if self._orders.is_open(fill.order_id):
            status = "partially_filled"
        elif not self._orders.ended_early(fill.order_id):
            status = "filled"
        notional = fill.price * fill.quantity
        self._do(_FILLED, fill.quantity, notional, fill.commission, fill.timestamp_ns, status, status, fill.order_id)
        self._book(shares)

    def _book(self, shares: Sequence[Fill]) -> None:
        for share in shares:
            pair = share.strategy_id, share.symbol
            position = self._books.get(pair)
            if position is None:
                position = self._books[pair] = Position(*pair)
            realized = position.apply(share.signed_quantity, share.price, share.commission)
            self._insert(
                "fills", share.timestamp_ns, share.fill_id, share.order_id, *pair, share.side, share.price,
                share.quantity, share.commission, realized,
            )  # fmt: skip
            self._insert(
                "positions", share.timestamp_ns, *pair, position.quantity, position.average_price,
                position.realized_pnl, position.commission,
            )  # fmt: skip

    def _update(self, update: OrderUpdate) -> None:
        working = self._orders.find(update.order_id)
        if working is None:
            return
        if update.status in (OrderStatus.REJECTED, OrderStatus.CANCELLED):
            self._end(working, update.status, update.timestamp_ns, update.reason)
        elif self._orders.is_open(update.order_id):
            if update.status is OrderStatus.UNKNOWN:
                self._do(_ENDED, "unknown", update.timestamp_ns, update.reason, update.order_id)
            else:
                self._do(_ACCEPTED, str(update.status), update.timestamp_ns, update.order_id)

    def _end(self, working: WorkingOrder, status: OrderStatus, time_ns: int, reason: str) -> None:
        order_id = working.order.order_id
        if self._orders.close(order_id) is not None:
            self._do(_ENDED, str(status), time_ns, reason, order_id)

    # Strategies. Of commands that could not be carried out nothing is recorded but themselves.

    def _changed(self, strategy_id: str, what: str, version: str, config: Any, failure: str = "") -> None:
        before = self._versions.get(strategy_id, "")
        self._versions[strategy_id] = version
        self._insert("strategies", self._time_ns, strategy_id, what, version, _as_json(config), failure)
        self._change = (strategy_id, before, (self._segment, self._offset, self._n))

    def _loaded(self, loaded: StrategyLoaded) -> None:
        strategy = loaded.strategy
        self._time_ns = loaded.time_ns or self._time_ns
        if strategy.strategy_id not in self._versions:
            self._changed(strategy.strategy_id, "loaded", strategy.version, strategy.config)

    def _swapped(self, swapped: StrategySwapped) -> None:
        strategy = swapped.strategy
        self._time_ns = swapped.time_ns or self._time_ns
        if strategy.strategy_id in self._versions:
            self._changed(strategy.strategy_id, "reloaded", strategy.version, strategy.config)

    def _parameters(self, command: ReloadParameters) -> None:
        version = self._versions.get(command.strategy_id)
        if version is not None:
            self._changed(command.strategy_id, "parameters", version, command.config)

    def _unloaded(self, command: UnloadStrategy) -> None:
        version = self._versions.get(command.strategy_id)
        if version is not None:
            self._changed(command.strategy_id, "unloaded", version, {})
            del self._versions[command.strategy_id]

    def _remote_ready(self, ready: RemoteReady) -> None:
        if ready.strategy_id in self._versions:
            self._changed(ready.strategy_id, "ready", ready.version, ready.config)


def _as_json(config: Any) -> str:
    return msgspec.json.encode(plain(config), order="sorted").decode()
