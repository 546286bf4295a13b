"""The other side of the protocol: hosts one Python strategy, with the contract that it has inside the engine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import grpc
import grpc.aio
import msgspec

from sengine.adapters.remote.host_in_flight import HostInFlight
from sengine.adapters.remote.messages import (
    TickDecoder,
    errors_message,
    fill_of,
    json_of,
    news_of,
    object_of,
    signal_message,
)
from sengine.adapters.transport.memory_limit import MemoryLimit
from sengine.domain.events import ReportedError
from sengine.domain.position import Position
from sengine.domain.signal import Signal
from sengine.engine.state.recent_ticks import ANY_SYMBOL
from sengine.engine.strategies.exported import described, exported_state
from sengine.engine.strategies.faults import StrategyFault, in_words, kind_of
from sengine.engine.strategies.guard import Guard
from sengine.engine.strategies.plain_values import type_name
from sengine.engine.strategies.runtime import StrategyRuntime
from sengine.engine.strategies.spec import StrategySpec
from sengine.engine.strategies.stamping import InvalidSignalError, several
from sengine.engine.strategies.swap import take_over
from sengine.errors import ConfigError, PluginError, SengineError
from sengine.proto import strategy_pb2 as pb
from sengine.proto.strategy_pb2_grpc import StrategyServiceServicer
from sengine.strategy import BaseStrategy, held_on

SpecOf = Callable[[str, Sequence[str], dict[str, Any]], StrategySpec]
_FAULTS_COUNTED: Final = 1


class EventClock:
    """The event time of the call that is made, or was made last; 0 before the first."""

    __slots__ = ("time_ns",)

    def __init__(self) -> None:
        self.time_ns = 0

    def now_ns(self) -> int:
        return self.time_ns


class _Run:
    """One initialised strategy: its instances, and what they start with. Its code is called under ``memory``."""

    def __init__(
        self, spec: StrategySpec, request: pb.InitializeRequest, memory: MemoryLimit, clock: EventClock
    ) -> None:
        self.memory = memory
        self.clock = clock
        guard = Guard()
        # Ctrl-C is the loop's to handle, so a KeyboardInterrupt is the strategy's own doing.
        guard.passes_on = ()
        self.in_flight = HostInFlight(request.default_size)
        self.runtime = StrategyRuntime(spec, _FAULTS_COUNTED, 1, guard, self.in_flight.on)
        with memory:
            self.runtime.load()
        self.ticks = TickDecoder()
        self._held = [
            Position(spec.strategy_id, symbol, held.quantity, held.average_price, largest=held.largest)
            for symbol, held in sorted(request.positions.items())
        ]
        self._saved: dict[str, str] = dict(request.saved_json)
        self._saved_version = request.saved_version
        self._warming: set[str] = set()
        """Keys of the instances that have seen nothing but warm-up."""

    def instance(self, symbol: str, now_ns: int, *, is_warm_up: bool = False) -> BaseStrategy:
        """The instance for ``symbol``. Before its first live call it is told what it holds, and gets its declared
        state."""
        runtime = self.runtime
        key = symbol if runtime.spec.one_instance_per_symbol else ANY_SYMBOL
        instance = runtime.instances.get(key)
        held = [each for each in self._held if key in (ANY_SYMBOL, each.symbol)] if self._held else []
        if instance is None:
            instance = runtime.current.instance_for(symbol)
            instance.position = sum(each.quantity for each in held)
            self._warming.add(key)
        if not is_warm_up and key in self._warming:
            self._warming.discard(key)
            take_over(instance, key, None, held, now_ns)
            saved = self._saved.pop(key, "")
            if saved:
                instance.import_state(object_of(saved), self._saved_version)
        return instance

    def reported(self, kind: str, error: BaseException, timestamp_ns: int) -> ReportedError:
        fault: StrategyFault = self.runtime.fault(kind, self.memory.explained(error), timestamp_ns)
        return ReportedError(fault.kind, fault.message, fault.where, fault.traceback)


class StrategyService(StrategyServiceServicer):
    """``spec_of(id, symbols, config)`` gives what makes the strategy's instances, whose calls may take no more than
    ``memory``."""

    def __init__(self, spec_of: SpecOf, memory: MemoryLimit, clock: EventClock) -> None:
        self._spec_of = spec_of
        self._memory = memory
        self._clock = clock
        self._run: _Run | None = None

    # gRPC names its methods as the protocol does.

    async def Initialize(self, request: pb.InitializeRequest, context: Any) -> pb.InitializeResponse:  # noqa: N802
        try:
            self._memory.host_is_up()
            config = object_of(request.config_json)
            spec = self._spec_of(request.strategy_id, list(request.symbols) or [ANY_SYMBOL], config)
            run = _Run(spec, request, self._memory, self._clock)
        except (SengineError, ValueError) as error:
            return pb.InitializeResponse(success=False, error=str(self._memory.explained(error)))
        self._run = run
        return pb.InitializeResponse(
            success=True,
            version=spec.version,
            route=spec.route,
            market_data=list(spec.kinds),
            config_json=json_of(run.runtime.config),
            wants_orders=run.runtime.hears_of_orders,
        )

    async def OnTick(self, request: pb.Tick, context: Any) -> pb.Answer:  # noqa: N802
        run = await self._initialized(context)
        return _answer(run, request) or pb.Answer(tick=request.number)

    async def OnFill(self, request: pb.Fill, context: Any) -> pb.OnFillResponse:  # noqa: N802
        run = await self._initialized(context)
        return pb.OnFillResponse(errors=errors_message(_take_fill(run, request)))

    async def OnOrder(self, request: pb.OrderNews, context: Any) -> pb.OnOrderResponse:  # noqa: N802
        run = await self._initialized(context)
        return pb.OnOrderResponse(errors=errors_message(_take_news(run, request)))

    async def GetState(self, request: pb.GetStateRequest, context: Any) -> pb.GetStateResponse:  # noqa: N802
        run = await self._initialized(context)
        says: dict[str, Any] = {}
        saved: dict[str, str] = {}
        version = 0
        for symbol, instance in run.runtime.instances.items():
            try:
                with self._memory:
                    says[symbol] = described(instance)
                    state = exported_state(instance)
                    if state is not None:
                        saved[symbol] = msgspec.json.encode(msgspec.msgpack.decode(state)).decode()
                        version = int(instance.state_version)
            except BaseException as error:
                run.runtime.guard.contain(error)
                said, _ = in_words(run.runtime.guard, run.runtime, error)
                says[symbol] = {"error": f"its state cannot be told: {said}"}
        return pb.GetStateResponse(state_json=json_of(says), saved_json=saved, saved_version=version)

    async def HotReload(self, request: pb.HotReloadRequest, context: Any) -> pb.HotReloadResponse:  # noqa: N802
        run = await self._initialized(context)
        try:
            with self._memory:
                run.runtime.reload_parameters(object_of(request.config_json))
        except BaseException as error:
            is_ours = type(error) in (ConfigError, PluginError)
            text = str(error) if is_ours else run.reported("reload", error, 0).message
            return pb.HotReloadResponse(success=False, error=text)
        return pb.HotReloadResponse(success=True, config_json=json_of(run.runtime.config))

    async def Shutdown(self, request: pb.ShutdownRequest, context: Any) -> pb.ShutdownResponse:  # noqa: N802
        run, self._run = self._run, None
        errors = []
        for instance in run.runtime.current.all_instances if run is not None else ():
            try:
                with self._memory:
                    instance.shutdown()
            except BaseException as error:
                assert run is not None
                errors.append(run.reported("exception", error, 0))
        return pb.ShutdownResponse(errors=errors_message(errors))

    async def Run(  # noqa: N802
        self, requests: AsyncIterator[pb.EngineMessage], context: Any
    ) -> AsyncIterator[pb.HostMessage]:
        run = await self._initialized(context)
        async for request in requests:
            if run is not self._run:
                await context.abort(grpc.StatusCode.ABORTED, "this strategy was initialised anew by another connection")
            if request.HasField("ticks"):
                ticks = request.ticks.ticks
                answers = [answer for tick in ticks if (answer := _answer(run, tick)) is not None]
                if ticks:
                    yield pb.HostMessage(answers=pb.AnswerBatch(through=ticks[-1].number, answers=answers))
            elif request.HasField("fill"):
                for error in errors_message(_take_fill(run, request.fill)):
                    yield pb.HostMessage(error=error)
            elif request.HasField("order"):
                for error in errors_message(_take_news(run, request.order)):
                    yield pb.HostMessage(error=error)

    async def _initialized(self, context: Any) -> _Run:
        if self._run is None:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "nothing is initialised; call Initialize first")
        assert self._run is not None
        return self._run


def _answer(run: _Run, tick: pb.Tick) -> pb.Answer | None:
    """Call ``on_tick``; ``None`` when it has nothing to say. The second and last place that runs strategy code."""
    run.clock.time_ns = tick.timestamp_ns
    try:
        data = run.ticks.decode(tick)
        if not tick.is_warm_up:
            run.in_flight.hear(tick.symbol, tick.in_flight, tick.heard_through)
        with run.memory:
            instance = run.instance(tick.symbol, tick.timestamp_ns, is_warm_up=tick.is_warm_up)
            said = instance.on_tick(data)
    except BaseException as error:
        return pb.Answer(tick=tick.number, errors=errors_message([run.reported("exception", error, tick.timestamp_ns)]))
    if said is None or tick.is_warm_up:
        return None
    answer, reported = pb.Answer(tick=tick.number), list[ReportedError]()
    try:
        signals = several(said)
    except InvalidSignalError as error:
        signals = ()
        reported.append(run.reported("bad_return", error, tick.timestamp_ns))
    for signal in signals:
        is_one = issubclass(type(signal), Signal)
        try:
            if not is_one:
                raise InvalidSignalError(f"on_tick must return Signal, several or None, got {type_name(type(signal))}")
            message = signal_message(signal)  # type: ignore[arg-type]
            answer.signals.append(message)
            symbol = message.symbol or tick.symbol
            run.in_flight.say(tick.number, message, symbol, held_on(instance, symbol))
        except BaseException as error:
            kind = "invalid_signal" if is_one else "bad_return"
            reported.append(run.reported(kind, error, tick.timestamp_ns))
    answer.errors.extend(errors_message(reported))
    return answer


def _take_fill(run: _Run, message: pb.Fill) -> list[ReportedError]:
    fill = fill_of(message, run.runtime.strategy_id)
    run.clock.time_ns = fill.timestamp_ns
    run.in_flight.hear(fill.symbol, message.in_flight, message.heard_through)
    try:
        with run.memory:
            run.instance(fill.symbol, fill.timestamp_ns)
            run.runtime.fill(fill)
    except BaseException as error:
        return [run.reported(kind_of(error, "exception"), error, fill.timestamp_ns)]
    return []


def _take_news(run: _Run, message: pb.OrderNews) -> list[ReportedError]:
    try:
        run.clock.time_ns = message.timestamp_ns
        run.in_flight.hear(message.symbol, message.in_flight, message.heard_through)
        news = news_of(message, run.runtime.strategy_id)
        with run.memory:
            run.instance(news.symbol, news.timestamp_ns)
            run.runtime.tell(news)
    except BaseException as error:
        return [run.reported(kind_of(error, "exception"), error, message.timestamp_ns)]
    return []
