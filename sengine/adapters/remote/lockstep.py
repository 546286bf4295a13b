"""Strategies in processes of their own, in lockstep: each tick waits for its answer, as a replay must.

The run is then the one that the strategy would make inside the engine, to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import grpc

from sengine.adapters.containment.standstill import QUESTIONED_S, Standstills
from sengine.adapters.remote.channel import Target, configured_target, refusal
from sengine.adapters.remote.lockstep_process import LockstepProcess
from sengine.adapters.remote.messages import (
    TickEncoder,
    answer_of,
    error_of,
    fill_message,
    json_of,
    news_message,
    object_of,
    with_in_flight,
)
from sengine.config.schema import StrategyConfig
from sengine.domain.events import ReportedError
from sengine.domain.market import DataKind, MarketData
from sengine.domain.order import Fill
from sengine.domain.order_news import OrderNews
from sengine.domain.strategy_line import StrategyLine
from sengine.engine.strategies.faults import RemoteError
from sengine.engine.strategies.spec import StrategySpec
from sengine.errors import PluginError
from sengine.proto import strategy_pb2 as pb
from sengine.proto.strategy_pb2_grpc import StrategyServiceStub
from sengine.strategy import BaseStrategy, in_flight_on

_START_S: Final = 20.0
_CONNECT_S: Final = 5.0
_CALL_S: Final = 30.0
_WOKEN_EVERY_S: Final = 0.25


class LockstepHosts:
    """Starts, or connects to, the processes of strategies that have one of their own; leaving the ``with`` ends what it
    started.

    ``find`` gives the file that a module names. Whoever owes an answer for ``answer_within_s`` is not waited for.
    ``on_line`` is given what strategies say in processes that were started here.
    """

    def __init__(
        self,
        find: Callable[[str], Path],
        answer_within_s: float = _CALL_S,
        on_line: Callable[[StrategyLine], None] = lambda line: None,
    ) -> None:
        self._find = find
        self._on_line = on_line
        self._answer_within_s = answer_within_s
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def spec(self, strategy: StrategyConfig) -> StrategySpec:
        """What the engine needs. Raises ``PluginError`` when the process does not start or refuses, ``ConfigError``
        for an address that is no good."""
        process: LockstepProcess | None = None
        if strategy.address:
            target = configured_target(strategy)
        else:
            file = self._find(strategy.plugin_name)
            process = self._stack.enter_context(LockstepProcess(file, strategy.port, strategy.memory_mb))
            target = Target(process.address)
        channel = target.blocking_channel()
        self._stack.callback(channel.close)
        proxy = LockstepStrategy(
            strategy, StrategyServiceStub(channel), target, process, self._answer_within_s, self._on_line
        )
        ready = proxy.start()
        try:
            kinds = tuple(DataKind(kind) for kind in strategy.data or ready.market_data or ("book",))
            config = object_of(ready.config_json)
        except ValueError as error:
            raise PluginError(f"strategies.{strategy.id}: its process answered Initialize wrongly: {error}") from None
        return StrategySpec(
            strategy.id,
            lambda: proxy,
            tuple(strategy.symbols),
            strategy.route or ready.route or "vote",
            strategy.default_size,
            kinds,
            config,
            version=ready.version,
            # Its process makes an instance for each symbol, where it is of that kind.
            one_instance_per_symbol=False,
        )


class LockstepStrategy(BaseStrategy):
    """Stands for the strategy inside the engine, for all of its symbols. Each call is one to its process."""

    one_instance_per_symbol = False

    def __init__(
        self,
        strategy: StrategyConfig,
        stub: StrategyServiceStub,
        target: Target,
        process: LockstepProcess | None,
        answer_within_s: float,
        on_line: Callable[[StrategyLine], None],
    ) -> None:
        super().__init__(strategy.id)
        self._on_line = on_line
        self._strategy = strategy
        self._metadata = target.metadata
        self._stub: Any = stub
        self._encoder = TickEncoder()
        self._number = 0
        self._address = target.address
        self._process = process
        self._answer_within_s = answer_within_s
        self._wants_orders = False
        # gRPC wakes a thread that waits for an answer so often.
        self._standstills = Standstills(_WOKEN_EVERY_S)
        self._asked_s = 0.0

    def start(self) -> pb.InitializeResponse:
        """Initialise the strategy in its process. Raises ``PluginError``."""
        request = pb.InitializeRequest(
            strategy_id=self.strategy_id,
            config_json=json_of(self._strategy.config),
            symbols=self._strategy.symbols,
            default_size=self._strategy.default_size,
        )
        try:
            response: pb.InitializeResponse = self._stub.Initialize(
                request,
                timeout=_CONNECT_S if self._strategy.address else _START_S,
                metadata=self._metadata,
                wait_for_ready=True,
            )
        except grpc.RpcError as error:
            how = self._process.how_it_ended() if self._process is not None else ""
            what = f"its process {how}" if how else f"no strategy answers at {self._address} ({refusal(error)})"
            raise PluginError(f"strategies.{self.strategy_id}: {what}") from None
        if not response.success:
            raise PluginError(response.error or f"strategies.{self.strategy_id}: its process refused without a reason")
        self._wants_orders = response.wants_orders
        return response

    def on_tick(self, data: MarketData) -> Any:
        self._number += 1
        tick = self._encoder.encode(self._number, data)
        answer: pb.Answer = self._call(self._stub.OnTick, self._with_in_flight(tick, data.symbol))
        if answer.tick != self._number:
            raise _broken(f"answered tick {answer.tick} when asked about tick {self._number}")
        if not answer.signals and not answer.errors:
            return None
        signals, errors = answer_of(answer)
        return (*signals, *errors)

    def on_fill(self, fill: Fill) -> None:
        super().on_fill(fill)
        _raise_first(self._call(self._stub.OnFill, self._with_in_flight(fill_message(fill), fill.symbol)).errors)

    def on_order(self, update: OrderNews) -> None:
        if self._wants_orders:
            told = self._with_in_flight(news_message(update), update.symbol)
            _raise_first(self._call(self._stub.OnOrder, told).errors)

    def _with_in_flight(self, message: Any, symbol: str) -> Any:
        """Whatever it said to a tick is settled before it hears of anything else."""
        return with_in_flight(message, in_flight_on(self, symbol), self._number)

    def get_state(self) -> dict[str, Any]:
        return object_of(self._call(self._stub.GetState, pb.GetStateRequest()).state_json)

    def hot_reload(self, config: dict[str, Any]) -> None:
        response = self._call(self._stub.HotReload, pb.HotReloadRequest(config_json=json_of(config)))
        if not response.success:
            raise RemoteError(ReportedError("reload", response.error))

    def shutdown(self) -> None:
        _raise_first(self._call(self._stub.Shutdown, pb.ShutdownRequest()).errors)

    def _call(self, method: Any, request: Any) -> Any:
        self._asked_s = self._standstills.look()
        try:
            return method(request, timeout=self._answer_within_s, metadata=self._metadata)
        except grpc.RpcError as error:
            raise self._lost(error) from None
        finally:
            if self._process is not None:
                for line in self._process.said(self.strategy_id):
                    self._on_line(line)

    def _lost(self, error: grpc.RpcError) -> RemoteError:
        """What a call that failed means: of a process of ours it is known how it ended, or where it is."""
        process = self._process
        if isinstance(error, grpc.Call) and error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            within = f"has not answered within {self._answer_within_s:g} s"
            still_s = self._answer_within_s - self._standstills.awake_s_since(self._asked_s)
            if still_s > QUESTIONED_S:
                return _broken(
                    f"could not be heard: this process stood still itself for {still_s:.0f} s of the "
                    f"{self._answer_within_s:g} s in which it was to answer; run it again"
                )
            return _broken(within, process.where_it_is() if process is not None else "")
        how = process.how_it_ended() if process is not None else ""
        return _broken(how or f"does not answer: {refusal(error)}")


def _broken(what: str, where: str = "") -> RemoteError:
    return RemoteError(ReportedError("disconnected", f"the strategy's process {what}", where))


def _raise_first(errors: Sequence[pb.Error]) -> None:
    if errors:
        raise RemoteError(error_of(errors[0]))
