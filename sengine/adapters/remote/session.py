"""One connection to a strategy's process: ticks out in batches, answers in, and nobody waits for anybody."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from time import perf_counter_ns
from typing import Any, Final

import grpc
import grpc.aio
import msgspec

from sengine.adapters.containment.standstill import STANDSTILLS
from sengine.adapters.remote.channel import Target, refusal
from sengine.adapters.remote.messages import (
    TickEncoder,
    answer_of,
    error_of,
    fill_message,
    json_of,
    news_message,
    with_in_flight,
)
from sengine.adapters.remote.outbox import Outbox, RemoteCounts, Sent, Waiting
from sengine.domain.events import ReportedError
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews
from sengine.domain.position import Position
from sengine.domain.signal import Signal
from sengine.errors import SengineError
from sengine.proto import strategy_pb2 as pb
from sengine.proto.strategy_pb2_grpc import StrategyServiceStub

BATCH: Final = 128
MOST_UNANSWERED: Final = 1024
_CALL_S: Final = 10.0
_SHUTDOWN_S: Final = 1.0

OnAnswer = Callable[[Sent, tuple[Signal, ...], tuple[ReportedError, ...]], None]


class SessionError(SengineError):
    """The process does not answer, or not as the protocol says; the message says how."""


class SilentError(SessionError):
    """The process runs and does not answer."""


class LostError(SessionError):
    """A call broke off. Where its process died of it, that says more than the connection does."""


class Start(msgspec.Struct, frozen=True):
    """What a process is initialised with."""

    strategy_id: str
    config: dict[str, Any]
    symbols: Sequence[str]
    positions: Sequence[Position]
    saved: dict[str, str]
    saved_version: int
    recent: Sequence[Sent]
    default_size: float = 0.0


class RemoteSession:
    """``await open(start)``, then ``await run()`` until the connection ends; ``outbox`` is its way in.

    ``on_answer`` gets what was said to a tick, ``on_error`` what went wrong outside of ticks, ``on_round_trip`` each
    tick's nanoseconds from the engine and back; all of that only while ``is_heard``.
    """

    def __init__(
        self,
        target: Target,
        figures: RemoteCounts,
        on_answer: OnAnswer,
        on_error: Callable[[ReportedError], None],
        on_round_trip: Callable[[int], None],
    ) -> None:
        self.target = target
        self.outbox = Outbox(figures)
        self.is_heard = False
        """Whether what it says counts: it is the one in use."""
        self.early_error: ReportedError | None = None
        """What first went wrong in its warm-up, or while it was not heard."""
        self.answered = 0
        """Ticks that it has answered, those of its warm-up aside."""
        self.through = 0
        """Number of the last of them."""
        self._milestone = 0
        self._on_milestone: Callable[[], None] | None = None
        self._figures = figures
        self._on_answer = on_answer
        self._on_error = on_error
        self._on_round_trip = on_round_trip
        self._channel = target.channel()
        self._stub: Any = StrategyServiceStub(self._channel)
        self._encoder = TickEncoder()
        self._recent: deque[Sent] = deque()
        self._unanswered: deque[Sent] = deque()
        self._has_room = asyncio.Event()
        self.is_warm = asyncio.Event()
        """Set when all ticks of the warm-up were answered."""

    @property
    def owed_for_s(self) -> float:
        """How long the process has owed its oldest answer, without the time in which this process stood still itself;
        0 when it owes none."""
        return STANDSTILLS.awake_s_since_ns(self._unanswered[0].given_ns) if self._unanswered else 0.0

    @property
    def unanswered(self) -> int:
        return len(self._unanswered)

    async def open(self, start: Start, timeout_s: float) -> pb.InitializeResponse:
        """Initialise the strategy. Raises ``SessionError``."""
        request = pb.InitializeRequest(
            strategy_id=start.strategy_id,
            config_json=json_of(start.config),
            symbols=start.symbols,
            positions={
                each.symbol: pb.Position(quantity=each.quantity, average_price=each.average_price, largest=each.largest)
                for each in start.positions
                if each.quantity
            },
            saved_json=start.saved,
            saved_version=start.saved_version,
            default_size=start.default_size,
        )
        self._recent.extend(start.recent)
        if not self._recent:
            self.is_warm.set()
        response: pb.InitializeResponse = await self._call(self._stub.Initialize, request, timeout_s)
        if not response.success:
            raise SessionError(response.error or "its process refused to start, without a reason")
        self.outbox.takes_orders = response.wants_orders
        return response

    def after(self, ticks: int, then: Callable[[], None]) -> None:
        """Call ``then`` when it has answered ``ticks`` more."""
        self._milestone, self._on_milestone = self.answered + ticks, then

    async def state(self) -> pb.GetStateResponse:
        """Raises ``SessionError``."""
        response: pb.GetStateResponse = await self._call(self._stub.GetState, pb.GetStateRequest(), _CALL_S)
        return response

    async def reload(self, config: dict[str, Any]) -> pb.HotReloadResponse:
        """Raises ``SessionError``."""
        request = pb.HotReloadRequest(config_json=json_of(config))
        response: pb.HotReloadResponse = await self._call(self._stub.HotReload, request, _CALL_S)
        return response

    async def run(self) -> None:
        """Carry ticks and answers until the connection ends. Raises ``SessionError`` saying why."""
        stream = self._stub.Run(metadata=self.target.metadata)
        writing = asyncio.create_task(self._write(stream), name="remote-ticks")
        try:
            await self._read(stream)
        except grpc.RpcError as error:
            raise LostError(refusal(error)) from None
        finally:
            writing.cancel()
            stream.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.RpcError, asyncio.InvalidStateError):
                await writing
        raise SessionError("its process ended the stream")

    async def close(self, *, shut_down: bool = False) -> None:
        """Let go of the connection; with ``shut_down`` the strategy is told that this is its end."""
        if shut_down:
            with contextlib.suppress(SessionError):
                await self._call(self._stub.Shutdown, pb.ShutdownRequest(), _SHUTDOWN_S)
        await self._channel.close()

    async def _call(self, method: Any, request: Any, timeout_s: float) -> Any:
        try:
            return await method(request, timeout=timeout_s, metadata=self.target.metadata)
        except grpc.RpcError as error:
            raise LostError(refusal(error)) from None

    # Out.

    async def _write(self, stream: Any) -> None:
        outbox, unanswered = self.outbox, self._unanswered
        while True:
            while len(unanswered) >= MOST_UNANSWERED:
                self._has_room.clear()
                await self._has_room.wait()
            message = self._next_message()
            if message is not None:
                # Returns once gRPC has taken it; with a full window that is when the other side reads again.
                await stream.write(message)
                continue
            outbox.arrived.clear()
            if not len(outbox):
                await outbox.arrived.wait()

    def _next_message(self) -> pb.EngineMessage | None:
        if self._recent:
            ticks = [Waiting(self._recent.popleft(), 0.0, 0) for _ in range(min(BATCH, len(self._recent)))]
        else:
            taken = self.outbox.pop(BATCH)
            if isinstance(taken, Waiting):
                return _message_of(taken)
            if not taken:
                return None
            ticks = taken
            self._figures.sent_ticks += len(ticks)
            self._figures.sent_batches += 1
        self._unanswered.extend([each.what for each in ticks])  # type: ignore[misc]
        return pb.EngineMessage(ticks=pb.TickBatch(ticks=[self._tick(each) for each in ticks]))

    def _tick(self, waiting: Waiting) -> pb.Tick:
        sent = waiting.what
        assert isinstance(sent, Sent)
        tick = self._encoder.encode(sent.number, sent.data, is_warm_up=sent.is_warm_up)
        return with_in_flight(tick, waiting.in_flight, waiting.heard_through)

    # In.

    async def _read(self, stream: Any) -> None:
        while (message := await stream.read()) is not grpc.aio.EOF:
            if message.HasField("answers"):
                self._take(message.answers)
            elif message.HasField("error"):
                error = error_of(message.error)
                if self.is_heard:
                    self._on_error(error)
                else:
                    self.early_error = self.early_error or error

    def _take(self, batch: pb.AnswerBatch) -> None:
        """Match answers with the ticks that they are about. Raises ``SessionError`` for answers to anything else."""
        unanswered, now_ns = self._unanswered, perf_counter_ns()
        if not unanswered or not unanswered[0].number <= batch.through <= unanswered[-1].number:
            raise SessionError(f"answered up to tick {batch.through}, which it was not asked about")
        answers = iter(batch.answers)
        answer = next(answers, None)
        while unanswered and unanswered[0].number <= batch.through:
            sent = unanswered.popleft()
            if not sent.is_warm_up:
                self.answered += 1
                self.through = self.outbox.heard_through = sent.number
                if self.is_heard:
                    self._on_round_trip(now_ns - sent.given_ns)
            if answer is not None and answer.tick == sent.number:
                signals, errors = answer_of(answer)
                answer = next(answers, None)
                self._figures.answers += 1
                if self.is_heard and not sent.is_warm_up:
                    self._on_answer(sent, signals, errors)
                elif errors:
                    self.early_error = self.early_error or errors[0]
        self._has_room.set()
        if not self._recent and not (unanswered and unanswered[0].is_warm_up):
            self.is_warm.set()
        if self._on_milestone is not None and self.answered >= self._milestone:
            then, self._on_milestone = self._on_milestone, None
            then()
        if answer is not None:
            raise SessionError(f"answered tick {answer.tick} out of turn")


def _message_of(waiting: Waiting) -> pb.EngineMessage:
    """A fill, or news of an order."""
    told, state = waiting.what, (waiting.in_flight, waiting.heard_through)
    if isinstance(told, Fill):
        return pb.EngineMessage(fill=with_in_flight(fill_message(told), *state))
    assert isinstance(told, OrderNews)
    return pb.EngineMessage(order=with_in_flight(news_message(told), *state))
