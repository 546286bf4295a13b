"""What a strategy's process says, on its way into the engine: as events."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns, time_ns
from typing import Any

import msgspec

from sengine.adapters.remote.messages import object_of
from sengine.adapters.remote.outbox import Sent
from sengine.adapters.remote.proxy import RemoteStrategy
from sengine.adapters.remote.session import SessionError, Start
from sengine.config.schema import StrategyConfig
from sengine.domain.events import RemoteReady, RemoteRolledBack, RemoteSignals, ReportedError
from sengine.domain.market import EMPTY_BOOK, MarketData
from sengine.domain.signal import Signal
from sengine.engine.state.recent_ticks import ANY_SYMBOL, recent_ticks
from sengine.engine.strategies.stamping import InvalidSignalError, stamp
from sengine.proto import strategy_pb2 as pb
from sengine.runtime.live_engine import LiveEngine


class RemoteIntake:
    """Of one strategy. Nothing here waits."""

    def __init__(self, strategy: StrategyConfig, live: LiveEngine) -> None:
        self.strategy = strategy
        self.live = live
        self.ready: RemoteReady | None = None
        """What the engine was last told that runs."""

    @property
    def is_loaded(self) -> bool:
        return self.live.engine.registry.find(self.strategy.id) is not None

    @property
    def running(self) -> RemoteReady:
        """What runs now, with the parameters that it has by now."""
        assert self.ready is not None
        return msgspec.structs.replace(self.ready, config=dict(self.live.engine.registry.get(self.strategy.id).config))

    def start(self, proxy: RemoteStrategy, config: dict[str, Any], saved: dict[str, str], saved_version: int) -> Start:
        """What a process is initialised with now. Its warm-up are the ticks that the engine keeps, numbered ahead of
        those to come."""
        engine, strategy_id = self.live.engine, self.strategy.id
        spec = engine.registry.get(strategy_id).spec
        ticks = recent_ticks(engine.markets, ANY_SYMBOL, spec.symbols, spec.kinds)
        first = proxy.number + 1
        proxy.number += len(ticks)
        return Start(
            strategy_id,
            config,
            self.strategy.symbols,
            [each for each in engine.portfolio.positions() if each.strategy_id == strategy_id],
            saved,
            saved_version,
            [Sent(first + place, data, perf_counter_ns(), True) for place, (_, data) in enumerate(ticks)],
            spec.default_size,
        )

    def process_ready(self, ready: pb.InitializeResponse) -> None:
        """What runs is what the strategy is. Raises ``SengineError`` for an answer that is none."""
        strategy = self.strategy
        kinds = tuple(strategy.data or ready.market_data or ("book",))
        route = strategy.route or ready.route or "vote"
        try:
            config = object_of(ready.config_json)
        except ValueError as error:
            raise SessionError(f"answered Initialize wrongly: {error}") from None
        event = RemoteReady(strategy.id, ready.version[:64] or "unknown", route, kinds, config)
        self.process_running(event)
        self.say("info", "a strategy's process is ready", version=event.version)

    def process_running(self, ready: RemoteReady) -> None:
        """This runs from here on. Raises ``EngineError`` for what the engine has no use for."""
        self.live.process(ready)
        self.ready = ready

    def process_rolled_back(self, back: RemoteRolledBack) -> None:
        self.live.process(back)
        self.ready = back.ready

    def checked(self, sent: Sent, signals: tuple[Signal, ...]) -> tuple[tuple[Signal, ...], tuple[ReportedError, ...]]:
        """The signals that the engine will not refuse as invalid, and what is wrong with the others."""
        spec = self.live.engine.registry.get(self.strategy.id).spec
        tick = MarketData(sent.data.symbol, sent.data.timestamp_ns, EMPTY_BOOK)
        valid, errors = [], []
        for signal in signals:
            try:
                stamp(spec, signal, tick, 0)
                valid.append(signal)
            except InvalidSignalError as error:
                errors.append(ReportedError("invalid_signal", str(error)))
        return tuple(valid), tuple(errors)

    def process_answer(self, sent: Sent, signals: tuple[Signal, ...], errors: tuple[ReportedError, ...]) -> None:
        data = sent.data
        # A strategy may think for as long as it is configured to; what the engine is late itself comes on top.
        runtime, thought_ns = self.live.engine.registry.find(self.strategy.id), perf_counter_ns() - sent.given_ns
        may_think_ns = (runtime.spec.max_signal_age_ns or 0) if runtime is not None else 0
        late_ns = self.live.late_ns + (thought_ns if thought_ns > may_think_ns else 0)
        self.live.process(
            RemoteSignals(
                self.strategy.id,
                data.symbol,
                data.timestamp_ns,
                sent.number,
                signals,
                errors,
                time_ns() - late_ns,
                late_ns,
            )
        )

    def process_error(self, error: ReportedError) -> None:
        """An error outside of any tick."""
        self.live.process(RemoteSignals(self.strategy.id, "", self.live.engine.now_ns, 0, errors=(error,)))

    def round_trips(self) -> Callable[[int], None]:
        """Where each tick's nanoseconds from the engine and back go."""
        runtime = self.live.engine.registry.find(self.strategy.id)
        return runtime.on_tick_latency.record if runtime is not None else lambda duration_ns: None

    def say(self, level: str, event: str, **fields: Any) -> None:
        self.live.say(level, event, strategy_id=self.strategy.id, **fields)
