"""The paper execution service: a gRPC server that fills orders against market data from NATS.

It is the counterpart of ``execution.py``: the same protocol as a real execution service, with the fills of replay.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from time import time_ns
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH_NAME
from grpc_health.v1.health import aio as health
from grpc_reflection.v1alpha import reflection
from nats.errors import Error as NatsError

from sengine.adapters.nats.connection import OrderedConnection, content_type, until_sent
from sengine.adapters.nats.ending import end
from sengine.adapters.nats.options import connect_options, server_urls, trouble_in_words
from sengine.adapters.nats.wire import BadMessageError, Decoder
from sengine.adapters.paper.fills import FillPublisher
from sengine.adapters.paper.journal import NewsLine, PaperJournal
from sengine.adapters.paper.order_book import PaperOrderBook
from sengine.adapters.paper.venue import EventTimeVenue
from sengine.adapters.transport.connections import CONNECTION_BOUNDS
from sengine.adapters.transport.private_socket import LISTEN_OPTION, PrivateSocket
from sengine.clock import format_timestamp
from sengine.config.schema import Config
from sengine.domain.events import BarEvent, BookEvent
from sengine.engine.time_jumps import JumpRule
from sengine.errors import ConfigError
from sengine.proto import execution_pb2 as pb
from sengine.proto.execution_pb2_grpc import OrderExecutionServicer, add_OrderExecutionServicer_to_server

REPORTS_KEPT: Final = 10_000
"""Reports that may wait for a client that does not read; with more, its stream is ended."""
IDS_AT_ONCE: Final = 500
_NATS_START_S: Final = 2.0
_RECONNECT_S: Final = 0.1
_SERVICE: Final = pb.DESCRIPTOR.services_by_name["OrderExecution"].full_name

_SERVER_OPTIONS: Final = (
    ("grpc.max_receive_message_length", 64 * 1024),
    ("grpc.max_send_message_length", 64 * 1024),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 100),
    ("grpc.so_reuseport", 0),
    # The gateway asks every 20 s whether we are still here; gRPC's default would hang up on it for that.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    *CONNECTION_BOUNDS,
)

_log = structlog.get_logger("sengine.paper")
_Event = TypeVar("_Event", BookEvent, BarEvent)


class _Session:
    """One client's Orders stream: the reports that go out on it."""

    def __init__(self) -> None:
        self.reports: deque[pb.OrderReport] = deque()
        self.wake = asyncio.Event()
        self.overflowed = False

    def send(self, report: pb.OrderReport) -> None:
        if len(self.reports) >= REPORTS_KEPT:
            self.overflowed = True
        else:
            self.reports.append(report)
        self.wake.set()


class _OrderExecution(OrderExecutionServicer):
    """The protocol, on top of the desk."""

    def __init__(self, desk: PaperOrderBook) -> None:
        self._desk = desk

    async def SubmitOrder(self, request: pb.OrderRequest, context: Any) -> pb.OrderReply:  # noqa: N802 (the protocol's name)
        return self._desk.submit(request)

    async def CancelOrder(self, request: pb.CancelRequest, context: Any) -> pb.OrderReply:  # noqa: N802
        return self._desk.cancel(request)

    async def Reconcile(self, request: pb.ReconcileRequest, context: Any) -> Any:  # noqa: N802
        for item in self._desk.reconcile(request.since_ns, request.client_order_ids[:IDS_AT_ONCE]):
            yield item

    async def Orders(self, request_iterator: Any, context: Any) -> None:  # noqa: N802
        session = _Session()
        await context.send_initial_metadata(())
        reader = asyncio.create_task(self._read(context, session))
        try:
            while True:
                while session.reports:
                    await context.write(session.reports.popleft())
                if session.overflowed:
                    await context.abort(
                        grpc.StatusCode.RESOURCE_EXHAUSTED,
                        f"more than {REPORTS_KEPT} reports were not read; connect again and ask for your orders",
                    )
                if reader.done():
                    reader.result()
                    return
                session.wake.clear()
                await session.wake.wait()
        finally:
            reader.cancel()

    async def _read(self, context: Any, session: _Session) -> None:
        try:
            while (command := await context.read()) is not grpc.aio.EOF:
                wanted = command.WhichOneof("command")
                if wanted == "submit":
                    self._desk.submit(command.submit, session.send)
                elif wanted == "cancel":
                    self._desk.cancel(command.cancel, session.send)
                else:
                    session.send(
                        pb.OrderReport(
                            status=pb.ORDER_STATUS_REJECTED, reason="command: expected submit or cancel, got neither"
                        )
                    )
        finally:
            session.wake.set()


class PaperExecution:
    """The service. ``listen`` is ``host:port`` (port 0 takes any free one) or ``unix:/path``, its owner's alone.

    With a ``journal`` its orders outlive the process: a service that was killed and started again knows which orders it
    has answered, goes on with the open ones and publishes the fills that nobody got.
    """

    def __init__(self, config: Config, nats_url: str, listen: str = "127.0.0.1:0", journal: Path | None = None) -> None:
        self._config = config
        self._servers = server_urls(nats_url)
        self._nats_options = connect_options(config.nats)
        self._listen = listen
        self._journal = PaperJournal(journal) if journal is not None else None
        named = frozenset(symbol for strategy in config.strategies for symbol in strategy.symbols)
        self._decoder = Decoder(config.nats.topics, config.nats.max_message_bytes, is_reserved=named.__contains__)
        self._max_ahead_ns = config.market_data.max_ahead_ns
        self.fills = FillPublisher(config.nats.topics.fills, self._on_published)
        self.venue = EventTimeVenue(
            config.execution,
            jumps=JumpRule(config.market_data.max_jump_ns, config.market_data.confirm),
            is_reserved=named.__contains__,
        )
        self.desk = PaperOrderBook(self.venue, self.fills.publish, self._journal)
        self.desk.is_full = self.fills.is_full
        self.address = ""
        self.is_connected = False
        self.malformed: Counter[str] = Counter()
        self.nats_errors = 0
        self._server: grpc.aio.Server | None = None
        self._health = health.HealthServicer()
        self._socket: PrivateSocket | None = None
        self._connection: OrderedConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._connected = asyncio.Event()
        self._is_stopping = False

    async def start(self) -> str:
        """Listen, connect to the broker and return the address for clients.

        A broker that is absent is waited for in the background: orders are taken meanwhile, and wait for their books.
        Raises ``ConfigError`` for an address that cannot be used and ``SengineError`` for one in use.
        """
        if self._journal is not None:
            for fill in self.desk.restore(self._journal.read()):
                self.fills.publish(fill)
        self._server = server = grpc.aio.server(options=_SERVER_OPTIONS)
        add_OrderExecutionServicer_to_server(_OrderExecution(self.desk), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection((_SERVICE, HEALTH_NAME, reflection.SERVICE_NAME), server)
        self.address = self._bind(server)
        await self._set_health(serving=False)
        await server.start()
        self._tasks = [
            asyncio.create_task(self._keep_connected(), name="paper broker connection"),
            *self.fills.start(),
        ]
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), _NATS_START_S)
        if not self.is_connected:
            _log.warning("the broker does not answer yet; orders wait for market data")
        return self.address

    async def stop(self, grace_s: float = 1.0) -> None:
        """Take no more orders, get the fills to the broker, and disconnect."""
        self._is_stopping = True
        if self._server is not None:
            await self._server.stop(0.1)
        if self.fills.waiting and not await self.fills.drain(grace_s):
            _log.error("stopped before the broker had all fills", missing=self.fills.waiting)
        await end(*self._tasks)
        if self._connection is not None:
            await self._connection.close_soon()
        if self._socket is not None:
            self._socket.release()
        if self._journal is not None:
            self._journal.close()

    def _bind(self, server: grpc.aio.Server) -> str:
        listen = self._listen
        try:
            if listen.startswith("unix:"):
                path = Path(listen.removeprefix("unix:")).absolute()
                self._socket = PrivateSocket(path, LISTEN_OPTION)
                with self._socket.creating():
                    server.add_insecure_port(f"unix:{path}")
                return f"unix:{path}"
            host, colon, port = listen.rpartition(":")
            if not colon or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
                raise ConfigError([f'--listen: expected host:port or unix:/path, got "{listen}"'])
            return f"{host}:{server.add_insecure_port(listen)}"
        except RuntimeError as error:
            raise ConfigError(
                [f"--listen {listen}: cannot be listened on ({error}); is it in use? Port 0 takes any free one"]
            ) from None

    # The broker.

    async def _keep_connected(self) -> None:
        """Connect and stay so. nats-py reconnects by itself; should it ever give up, a new connection is made."""
        while True:
            closed = asyncio.Event()
            connection = self._connection = OrderedConnection()
            try:
                await self._connect(connection, closed)
                await closed.wait()
            except (NatsError, OSError, ValueError) as error:
                self._trouble(error)
            await connection.close_soon()
            await asyncio.sleep(_RECONNECT_S)

    async def _connect(self, connection: OrderedConnection, closed: asyncio.Event) -> None:
        async def on_error(error: Exception) -> None:
            self._trouble(error)

        async def on_disconnect() -> None:
            self.is_connected = False
            if self._is_stopping:
                return
            _log.warning("the broker is away; connecting again")
            await self._set_health(serving=False)

        async def on_reconnect() -> None:
            await self._has_connection(connection)

        async def on_close() -> None:
            closed.set()

        await connection.connect(
            servers=self._servers,
            name="sengine-paper",
            error_cb=on_error,
            disconnected_cb=on_disconnect,
            reconnected_cb=on_reconnect,
            closed_cb=on_close,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_S,  # type: ignore[arg-type]  # any number of seconds
            **self._nats_options,
        )
        topics = self._config.nats.topics
        await connection.listen(topics.market_data, self._book_arrived)
        await connection.listen(topics.bars, self._bar_arrived)
        await until_sent(connection)
        await self._has_connection(connection)

    async def _has_connection(self, connection: OrderedConnection) -> None:
        self.is_connected = True
        self.fills.connected(connection)
        self._connected.set()
        await self._set_health(serving=True)
        _log.info("connected to the broker")

    def _trouble(self, error: Exception) -> None:
        self.nats_errors += 1
        if self.nats_errors <= 3 or self.nats_errors % 100 == 0:
            _log.warning("broker", error=trouble_in_words(error, self._config.nats), count=self.nats_errors)

    def _book_arrived(self, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        event = self._decoded(self._decoder.decode_book, subject, payload, headers)
        if event is not None:
            self.desk.on_book(event)

    def _bar_arrived(self, subject: bytes, payload: bytes, headers: bytes | None) -> None:
        event = self._decoded(self._decoder.decode_bar, subject, payload, headers)
        if event is not None:
            self.desk.on_bar(event)

    def _decoded(
        self, decode: Callable[..., _Event], subject: bytes, payload: bytes, headers: bytes | None
    ) -> _Event | None:
        kind = content_type(headers)
        try:
            event = decode(
                subject.decode(), payload, {"Content-Type": kind.decode("ascii", "replace")} if kind else None
            )
            if self._max_ahead_ns is None or event.timestamp_ns <= time_ns() + self._max_ahead_ns:
                return event
            # As the engine does: everything after it would be older.
            self._bad("from_the_future", f"timestamp: {event.symbol} is dated {format_timestamp(event.timestamp_ns)}")
        except BadMessageError as error:
            self._bad(error.reason, str(error))
        except UnicodeDecodeError:
            self._bad("bad_subject", "subject: expected UTF-8 text")
        return None

    def _bad(self, reason: str, sentence: str) -> None:
        self.malformed[reason] += 1
        if self.malformed[reason] == 1:
            _log.warning("market data that cannot be read; more of this kind is only counted", reason=sentence)

    def _on_published(self, fill_id: str) -> None:
        if self._journal is not None:
            self._journal.append(NewsLine(published=fill_id))

    async def _set_health(self, *, serving: bool) -> None:
        kinds = health_pb2.HealthCheckResponse
        status = kinds.SERVING if serving else kinds.NOT_SERVING
        await self._health.set(_SERVICE, status)
        await self._health.set("", status)
