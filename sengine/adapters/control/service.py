"""What each call of the control API does. Commands are events that the engine takes like any other."""

# ruff: noqa: N802 -- the methods bear the names of the .proto.

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

import grpc
import structlog

from sengine.adapters.control.answering import Call, answering, caller_of, json_object
from sengine.adapters.control.flatten_watch import until_flat
from sengine.adapters.control.holdings import flatten_reply, positions_message
from sengine.adapters.control.market import market_message
from sengine.adapters.control.messages import shown_time_ns, snapshot_message, strategies_message, strategy_detail
from sengine.adapters.control.pnl_history import PnlHistory
from sengine.adapters.control.price_history import PriceHistory
from sengine.adapters.control.records import log_message, reload_message, signal_message
from sengine.adapters.control.streams import StreamLimit, batches
from sengine.adapters.control.text import bounded_reason, config_text
from sengine.config.redact import with_secrets
from sengine.domain.events import (
    AcceptFill,
    CancelOrder,
    Flatten,
    KillSwitch,
    PauseStrategy,
    RefuseFill,
    ResumeStrategy,
    UnloadStrategy,
)
from sengine.domain.reload import ReloadReport
from sengine.errors import ConfigError, EngineError, LifecycleError, PluginError, SengineError
from sengine.proto import engine_pb2 as pb
from sengine.proto.engine_pb2_grpc import EngineControlServicer
from sengine.runtime.audit import details_of
from sengine.runtime.live_engine import HISTORY, LiveEngine, LogRecord, SignalRecord
from sengine.runtime.parameters import give_parameters, prepared_parameters
from sengine.runtime.status import ServiceStatus

LEAST_INTERVAL_MS: Final = 100
DEFAULT_INTERVAL_MS: Final = 500
_SNAPSHOT_FRESH_S: Final = 0.05

_log = structlog.get_logger("sengine.control")
_QUESTIONS: Final = ("ListStrategies", "GetStrategyState", "GetPositions", "GetMarket", "GetPnlHistory", "GetSnapshot")


class EngineContext(Protocol):
    """What the service does for the API beyond the engine itself. Each may raise any ``SengineError``."""

    facts: ServiceStatus

    async def reload(self, strategy_id: str) -> ReloadReport:
        """Read a strategy's configuration and file again and put them into force. Records the reload in
        ``facts.reloads`` and in the log, failed or not."""

    async def reload_risk(self, allow_loosening: bool) -> str:
        """Put the configuration's limits into force. Returns what was done, a sentence."""

    async def load(
        self,
        plugin: str,
        strategy_id: str,
        symbols: Sequence[str],
        config: dict[str, Any],
        isolation: str,
    ) -> str:
        """Load a strategy by name or path; empty ``symbols`` are all; ``isolation`` is ``none`` or ``process``. Returns
        what was done, a sentence."""

    def shutdown(self) -> None:
        """Begin to stop the whole service, as SIGTERM does; returns at once."""


class ControlService(EngineControlServicer):
    """The servicer. Every method runs on the engine's loop, so none of them may take long."""

    def __init__(self, live: LiveEngine, context: EngineContext, address: Callable[[], str]) -> None:
        self._live = live
        self._context = context
        self._address = address
        self._streams = StreamLimit()
        self._making = asyncio.Lock()
        self._pnl_history = PnlHistory(self._pnl_now)
        self._price_history = PriceHistory(live.engine.markets)
        self._last_snapshot: tuple[float, pb.Snapshot] | None = None

    @property
    def _facts(self) -> ServiceStatus:
        return self._context.facts

    async def keep_history(self) -> None:
        """Sample P&L and prices once a second, until it is cancelled."""
        while True:
            self._pnl_history.sample()
            self._price_history.sample(shown_time_ns(self._live, self._facts))
            await asyncio.sleep(1.0)

    def audit(self, name: str, request: Any, context: Call, result: object) -> None:
        """A line in the audit trail for a command, carried out or refused. Questions leave none."""
        trail = self._facts.audit
        if trail is None or name in _QUESTIONS or getattr(request, "validate_only", False):
            return
        said = f"refused: {result}" if isinstance(result, SengineError) else getattr(result, "message", "") or "done"
        trail.record(*caller_of(context), name, said, **details_of(request))

    # Questions.

    @answering
    async def ListStrategies(self, request: pb.ListStrategiesRequest, context: Call) -> pb.ListStrategiesResponse:
        return await strategies_message(self._live, self._facts)

    @answering
    async def GetStrategyState(self, request: pb.GetStrategyStateRequest, context: Call) -> pb.StrategyDetail:
        runtime = self._live.engine.registry.get(request.strategy_id)
        return strategy_detail(self._live, self._facts, runtime)

    @answering
    async def GetPositions(self, request: pb.GetPositionsRequest, context: Call) -> pb.GetPositionsResponse:
        return await positions_message(self._live, request.strategy_id, request.include_flat)

    @answering
    async def GetMarket(self, request: pb.GetMarketRequest, context: Call) -> pb.MarketDetail:
        markets = self._live.engine.markets
        market = markets.get(request.symbol)
        if market is None:
            known = ", ".join(list(markets)[:20]) or "none has arrived yet"
            raise EngineError(f'there is no market data of "{request.symbol}"; symbols: {known}')
        return market_message(market, *self._price_history.of(request.symbol))

    @answering
    async def GetPnlHistory(self, request: pb.GetPnlHistoryRequest, context: Call) -> pb.PnlHistory:
        return pb.PnlHistory(times_ns=self._pnl_history.times_ns, pnl=self._pnl_history.pnl)

    @answering
    async def GetSnapshot(self, request: pb.GetSnapshotRequest, context: Call) -> pb.Snapshot:
        return await snapshot_message(self._live, self._facts, self._address())

    # Commands.

    @answering
    async def Pause(self, request: pb.PauseRequest, context: Call) -> pb.CommandReply:
        reason = bounded_reason(request.reason)
        self._live.process(PauseStrategy(request.strategy_id, reason))
        return self._done(f"strategy {request.strategy_id} is paused: {reason}")

    @answering
    async def Resume(self, request: pb.ResumeRequest, context: Call) -> pb.CommandReply:
        self._live.process(ResumeStrategy(request.strategy_id))
        return self._done(f"strategy {request.strategy_id} is active")

    @answering
    async def Reload(self, request: pb.ReloadRequest, context: Call) -> pb.ReloadReply:
        name = request.strategy_id
        runtime = self._live.engine.registry.get(name)
        if not request.HasField("config_json"):
            if request.validate_only:
                raise ConfigError(["validate_only checks config_json, and there is none"])
            return self._reloaded(await self._context.reload(name))
        config = with_secrets(json_object(request.config_json), dict(runtime.config))
        if request.validate_only:
            prepared = prepared_parameters(runtime, config)
            return pb.ReloadReply(message="these parameters are valid", config_json=config_text(prepared))
        report = give_parameters(self._live, name, config, "command")
        self._facts.reloads.record(report)
        self._live.say("info" if report.is_done else "error", report.message, by="operator")
        return self._reloaded(report)

    def _reloaded(self, report: ReloadReport) -> pb.ReloadReply:
        """Raises ``ConfigError`` or ``PluginError`` for a reload that failed."""
        if not report.is_done:
            raise ConfigError([report.message]) if report.what == "parameters" else PluginError(report.message)
        runtime = self._live.engine.registry.get(report.strategy_id)
        return pb.ReloadReply(
            message=report.message,
            config_json=config_text(runtime.config),
            report=reload_message(report),
        )

    @answering
    async def ReloadRisk(self, request: pb.ReloadRiskRequest, context: Call) -> pb.CommandReply:
        return pb.CommandReply(message=await self._context.reload_risk(request.allow_loosening))

    @answering
    async def Load(self, request: pb.LoadRequest, context: Call) -> pb.CommandReply:
        if not request.plugin or not request.strategy_id:
            raise ConfigError(["Load needs plugin (a strategy's name or path) and strategy_id"])
        config = json_object(request.config_json) if request.config_json else {}
        isolation = request.isolation or "none"
        if isolation not in ("none", "process"):
            raise ConfigError([f'Load: isolation: expected none or process, got "{isolation}"'])
        symbols = tuple(request.symbols)
        return self._done(await self._context.load(request.plugin, request.strategy_id, symbols, config, isolation))

    @answering
    async def Unload(self, request: pb.UnloadRequest, context: Call) -> pb.CommandReply:
        outcome = self._live.process(UnloadStrategy(request.strategy_id))
        failed = f", but its shutdown() failed: {outcome.faults[0].message}" if outcome.faults else ""
        return self._done(f"strategy {request.strategy_id} is unloaded{failed}; its positions stay on the books")

    @answering
    async def KillSwitch(self, request: pb.KillSwitchRequest, context: Call) -> pb.CommandReply:
        reason = bounded_reason(request.reason)
        # The engine itself says so in the log, here and below.
        cancels = len(self._live.process(KillSwitch(reason)).cancels)
        message = f"kill switch pulled: {reason}; no orders go out, {cancels} open orders are being cancelled"
        if self._live.is_recovering:
            message = f"kill switch pulled: {reason}; no orders go out, those of earlier are cancelled after the start"
        if self._facts.kill_is_forgotten:
            message += f"; do not restart the engine, it would not know: {self._facts.kill_is_forgotten}"
        if request.flatten:
            try:
                self._live.process(Flatten(reason=f"kill switch: {reason}"))
            except LifecycleError as error:
                message += f"; positions are not brought to zero: {error}"
        return pb.CommandReply(message=message, orders_to_cancel=cancels)

    @answering
    async def Rearm(self, request: pb.RearmRequest, context: Call) -> pb.CommandReply:
        if not self._live.engine.kill_reason and not self._live.is_recovering:
            raise LifecycleError("the kill switch is not pulled; there is nothing to re-arm")
        self._live.rearm()
        message = "re-armed; orders may go out again"
        if self._facts.mismatches:
            self._facts.mismatches = ()
            self._facts.on_adopt()
            message += "; the books stay as they are, with what differs from the execution service's record"
        return pb.CommandReply(message=message)

    @answering
    async def Flatten(self, request: pb.FlattenRequest, context: Call) -> pb.FlattenReply:
        engine, scope = self._live.engine, (request.strategy_id, request.symbol)
        plan = engine.flatten_plan(*scope)
        if not request.validate_only:
            self._live.process(Flatten(*scope, bounded_reason(request.reason)))
            await until_flat(engine, *scope)
        return flatten_reply(plan, engine.flatten_waits_for(*scope))

    @answering
    async def CancelOrder(self, request: pb.CancelOrderRequest, context: Call) -> pb.CommandReply:
        cancels = len(self._live.process(CancelOrder(request.order_id)).cancels)
        said = "is being cancelled" if cancels else "was already being cancelled"
        reply = self._done(f"order {request.order_id} {said}")
        reply.orders_to_cancel = cancels
        return reply

    @answering
    async def SettleFill(self, request: pb.SettleFillRequest, context: Call) -> pb.CommandReply:
        command = AcceptFill(request.fill_id) if request.accept else RefuseFill(request.fill_id)
        self._live.process(command)
        return self._done(f"fill {request.fill_id} is {'booked' if request.accept else 'refused; it is not booked'}")

    @answering
    async def Shutdown(self, request: pb.ShutdownRequest, context: Call) -> pb.CommandReply:
        reply = self._done("the engine is stopping")
        self._context.shutdown()
        return reply

    @answering
    async def DriveReplay(self, request: pb.DriveReplayRequest, context: Call) -> pb.CommandReply:
        replay = self._facts.replay
        if replay is None:
            raise LifecycleError("this engine trades live; only a replay can be paused, stepped and paced")
        speed = request.speed if request.HasField("speed") else None
        if speed is not None and not 0.0 <= speed < math.inf:
            raise ConfigError([f"speed: expected 0 (as fast as it goes) or a factor above it, got {speed}"])
        is_paused = request.is_paused if request.HasField("is_paused") else None
        return pb.CommandReply(
            message=replay.drive(is_paused=is_paused, speed=speed, steps=max(0, request.steps), finish=request.finish)
        )

    # Streams. They write instead of yielding: a generator that is cancelled while suspended is closed late.

    async def StreamSnapshots(self, request: pb.StreamSnapshotsRequest, context: Call) -> None:
        interval_ms = request.interval_ms or DEFAULT_INTERVAL_MS
        if interval_ms < LEAST_INTERVAL_MS:
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"interval_ms: expected {LEAST_INTERVAL_MS} or more, got {interval_ms}",
            )
        async with self._streams.entered(context):
            while True:
                await context.write(await self._fresh_snapshot())
                await asyncio.sleep(interval_ms / 1000)

    async def StreamSignals(self, request: pb.StreamSignalsRequest, context: Call) -> None:
        def wanted(record: SignalRecord) -> bool:
            return request.strategy_id in ("", record.strategy_id) and request.disposition in ("", record.disposition)

        async with (
            self._streams.entered(context),
            aclosing(batches(self._live.signals, _history(request), wanted)) as signals,
        ):
            async for records, dropped in signals:
                await context.write(
                    pb.SignalBatch(signals=[signal_message(record) for record in records], dropped=dropped)
                )

    async def StreamLog(self, request: pb.StreamLogRequest, context: Call) -> None:
        async with (
            self._streams.entered(context),
            aclosing(batches(self._live.logs, _history(request), _every)) as lines,
        ):
            async for records, dropped in lines:
                await context.write(pb.LogBatch(lines=[log_message(record) for record in records], dropped=dropped))

    async def _fresh_snapshot(self) -> pb.Snapshot:
        """Several screens share one: making it is what costs the tick loop."""
        clock = asyncio.get_running_loop().time
        async with self._making:
            if self._last_snapshot is None or clock() - self._last_snapshot[0] > _SNAPSHOT_FRESH_S:
                message = await snapshot_message(self._live, self._facts, self._address())
                self._last_snapshot = clock(), message
            return self._last_snapshot[1]

    def _pnl_now(self) -> tuple[int, float] | None:
        portfolio = self._live.engine.portfolio
        # What an earlier session's fills come to while they are taken up was never the account's in this one.
        if self._live.is_recovering or portfolio.currencies.without_sum.get(""):
            return None
        return shown_time_ns(self._live, self._facts), portfolio.total.equity

    def _done(self, message: str) -> pb.CommandReply:
        self._live.say("info", message, by="operator")
        return pb.CommandReply(message=message)


def _every(_: LogRecord) -> bool:
    return True


def _history(request: pb.StreamSignalsRequest | pb.StreamLogRequest) -> int:
    return min(max(request.history, 0), HISTORY) if request.HasField("history") else HISTORY
