"""Strategies in processes of their own, in lockstep: each tick waits for its answer, as a replay must.

The run is then the one that the strategy would make inside the engine, to the last bit.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Final, Self

import grpc

from sengine.adapters.children import DIE_WITH_PARENT, own_command
from sengine.adapters.remote.channel import Target, configured_target, refusal
from sengine.adapters.remote.host_server import TOKEN_VARIABLE
from sengine.adapters.remote.messages import (
    TickEncoder,
    answer_of,
    error_of,
    fill_message,
    json_of,
    object_of,
)
from sengine.config.schema import StrategyConfig
from sengine.domain.events import ReportedError
from sengine.domain.market import DataKind, MarketData
from sengine.domain.order import Fill
from sengine.engine.faults import RemoteError
from sengine.engine.spec import StrategySpec
from sengine.errors import PluginError
from sengine.proto import strategy_pb2 as pb
from sengine.proto.strategy_pb2_grpc import StrategyServiceStub
from sengine.strategy import BaseStrategy

_START_S: Final = 20.0
_CONNECT_S: Final = 5.0
_CALL_S: Final = 30.0
_STOP_S: Final = 2.0
_POLL_S: Final = 0.01
# Without gRPC's pool of polling threads a message is handed from thread to thread less: a sixth off the round trip.
_ONE_POLLER: Final = "-event_engine_client,-event_engine_listener,-event_engine_callback_cq"


class LockstepHosts:
    """Starts, or connects to, the processes of ``type: grpc`` strategies; leaving the ``with`` ends what it started.

    ``find`` gives the file that a module names.
    """

    def __init__(self, find: Callable[[str], Path]) -> None:
        self._find = find
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
        target = configured_target(strategy) if strategy.address else self._start(strategy)
        channel = target.blocking_channel()
        self._stack.callback(channel.close)
        proxy = LockstepStrategy(strategy, StrategyServiceStub(channel), target)
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

    def _start(self, strategy: StrategyConfig) -> Target:
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="sengine-")))
        announced = directory / "address"
        command = host_command(self._find(strategy.plugin_name), strategy.port, directory)
        said = directory / "stderr"
        with said.open("wb") as stderr:
            process = subprocess.Popen(
                own_command(*command, DIE_WITH_PARENT),
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
                env=host_environment(),
            )
        self._stack.callback(_end, process)
        deadline_s = monotonic() + _START_S
        while not announced.exists():
            code = process.poll()
            if code is not None or monotonic() > deadline_s:
                lines = said.read_text("utf-8", "replace").strip().splitlines()
                raise PluginError(lines[-1].removeprefix("sengine: ") if lines else f"its process ended with {code}")
            sleep(_POLL_S)
        return Target(announced.read_text("utf-8").strip())


class LockstepStrategy(BaseStrategy):
    """Stands for the strategy inside the engine, for all of its symbols. Each call is one to its process."""

    def __init__(self, strategy: StrategyConfig, stub: StrategyServiceStub, target: Target) -> None:
        super().__init__(strategy.id)
        self._strategy = strategy
        self._metadata = target.metadata
        self._stub: Any = stub
        self._encoder = TickEncoder()
        self._number = 0
        self._address = target.address

    def start(self) -> pb.InitializeResponse:
        """Initialise the strategy in its process. Raises ``PluginError``."""
        request = pb.InitializeRequest(
            strategy_id=self.strategy_id,
            config_json=json_of(self._strategy.config),
            symbols=self._strategy.symbols,
        )
        try:
            response: pb.InitializeResponse = self._stub.Initialize(
                request,
                timeout=_CONNECT_S if self._strategy.address else _START_S,
                metadata=self._metadata,
                wait_for_ready=True,
            )
        except grpc.RpcError as error:
            raise PluginError(
                f"strategies.{self.strategy_id}: no strategy answers at {self._address} ({refusal(error)})"
            ) from None
        if not response.success:
            raise PluginError(response.error or f"strategies.{self.strategy_id}: its process refused without a reason")
        return response

    def on_tick(self, data: MarketData) -> Any:
        self._number += 1
        answer: pb.Answer = self._call(self._stub.OnTick, self._encoder.encode(self._number, data))
        if answer.tick != self._number:
            raise _broken(f"answered tick {answer.tick} when asked about tick {self._number}")
        if not answer.signals and not answer.errors:
            return None
        signals, errors = answer_of(answer)
        return (*signals, *errors)

    def on_fill(self, fill: Fill) -> None:
        super().on_fill(fill)
        _raise_first(self._call(self._stub.OnFill, fill_message(fill)).errors)

    def get_state(self) -> dict[str, Any]:
        return object_of(self._call(self._stub.GetState, pb.GetStateRequest()).state_json)

    def hot_reload(self, config: dict[str, Any]) -> None:
        response = self._call(self._stub.HotReload, pb.HotReloadRequest(config_json=json_of(config)))
        if not response.success:
            raise RemoteError(ReportedError("reload", response.error))

    def shutdown(self) -> None:
        _raise_first(self._call(self._stub.Shutdown, pb.ShutdownRequest()).errors)

    def _call(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=_CALL_S, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _broken(f"does not answer: {refusal(error)}") from None


def host_command(file: Path, port: int | None, directory: Path) -> Sequence[str]:
    """``sengine strategy-host`` with its socket and announcement in ``directory``, or on a loopback port."""
    listen = f"unix:{directory / 'host.sock'}" if port is None else f"127.0.0.1:{port}"
    return ("strategy-host", str(file), "--listen", listen, "--address-file", str(directory / "address"))


def host_environment() -> Mapping[str, str]:
    """Ours, without the token: a process on a private socket asks for none."""
    ours = {name: value for name, value in os.environ.items() if name != TOKEN_VARIABLE}
    return {"GRPC_EXPERIMENTS": _ONE_POLLER} | ours


def _broken(what: str) -> RemoteError:
    return RemoteError(ReportedError("disconnected", f"the strategy's process {what}"))


def _raise_first(errors: Sequence[pb.Error]) -> None:
    if errors:
        raise RemoteError(error_of(errors[0]))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Its standard input is the pipe that it watches: closing that is asking it to end."""
    assert process.stdin is not None
    process.stdin.close()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_S)
        return
    process.kill()
    process.wait()
