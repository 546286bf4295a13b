"""The live service: start-up, run, shutdown. Everything a running engine needs, stopped in reverse order.

A market data message goes feed -> ``LiveEngine.take`` -> gateway. Fills come back through the feed, order updates
through the gateway, operators through the control server; monitoring looks on through HTTP.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any, Final

from sengine.adapters.containment.call_timer import CallTimer
from sengine.adapters.containment.forks import forks_forbidden
from sengine.adapters.containment.standstill import STANDSTILLS
from sengine.adapters.containment.strategy_output import StrategyOutput, called_by, kept_by
from sengine.adapters.containment.strategy_watch import StrategyWatch
from sengine.adapters.containment.watchdog import FILE as HELD_UP
from sengine.adapters.containment.watchdog import Watchdog
from sengine.adapters.control.flatten_watch import FlattenWatch
from sengine.adapters.control.server import ControlServer
from sengine.adapters.execution.gateway import ExecutionGateway
from sengine.adapters.execution.stats import GatewayStats
from sengine.adapters.nats.broker import EmbeddedBroker, Login
from sengine.adapters.nats.feed import NatsFeed
from sengine.adapters.nats.options import LOGIN_KEYS
from sengine.adapters.remote.remotes import Remotes
from sengine.adapters.web.http import HttpServer
from sengine.assembly import build_engine, build_venue, catalog, fill_bounds, load_strategies, mixed_limits
from sengine.clock import NS_PER_S
from sengine.config import Config, load_config
from sengine.config.exposed import exposed_secrets
from sengine.config.own_files import in_own_files
from sengine.config.schema import StrategyConfig
from sengine.domain.events import CancelOrder, Shutdown
from sengine.domain.reload import ReloadReport
from sengine.domain.strategy_line import StrategyLine
from sengine.errors import ConfigError, PluginError
from sengine.runtime.audit import AuditTrail
from sengine.runtime.descriptors import DescriptorWatch
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import CONNECTED, ServiceStatus
from sengine.runtime.supervision import keep_doing, keep_running
from sengine.service.data_directory import DataDirectory
from sengine.service.gc_schedule import collect_between_turns
from sengine.service.kill_switch import KillSwitchKeeper
from sengine.service.paper_process import PaperChild
from sengine.service.reconciliation import Reconciliation
from sengine.service.recording import Recording
from sengine.service.reload.strategies import Reloading
from sengine.service.reload.watching import Watcher

# Together with the time that children may take to end this stays below the 5 s that an operator waits.
_CONFIRM_CANCELS_S: Final = 1.0
_STANDSTILL_TOLD_S: Final = 1.0
_STOP_GATEWAY_S: Final = 0.5
# For shutdown() of all strategies together, out of the five seconds in which the engine is to end.
_SHUTDOWNS_S: Final = 1.5
_POLL_S: Final = 0.005
_TELL_EVERY_S: Final = 0.5


class EngineService:
    """One engine with everything around it. ``run`` lives from start-up to shutdown.

    ``on_started`` is called once, when orders can flow. ``read_config`` gives the configuration anew on a reload.
    """

    def __init__(
        self,
        config: Config,
        read_config: Callable[[], Config],
        *,
        config_file: Path | None = None,
        overrides: Sequence[str] = (),
        on_started: Callable[[EngineService], None] | None = None,
    ) -> None:
        self.config = config
        self._config_file = config_file
        self._overrides = overrides
        self._on_started = on_started
        self._stopping = asyncio.Event()
        simulated = config.execution.target == "simulated"
        # Ids name orders at the execution service for longer than this process lives, so each session has its own.
        self._prefix = "" if simulated else f"{_base36(time_ns() // 1_000_000)}-"
        engine = build_engine(config, build_venue(config) if simulated else None, self._prefix, reloads=True)
        plugins = config.plugins
        engine.guard.tick_budget_ns = int(plugins.tick_budget_us * 1000)
        # Ctrl-C is the loop's to handle, so a KeyboardInterrupt is a strategy's own doing.
        engine.guard.passes_on = ()
        self._timer = CallTimer(engine.guard, plugins.tick_timeout_ms, plugins.setup_timeout_ms)
        self.live = LiveEngine(engine)
        self.live.fill_bounds = fill_bounds(config)
        self._output = StrategyOutput(
            called_by(engine.guard), lambda: engine.now_ns, self._take_line, during=kept_by(engine.guard)
        )
        self.facts = ServiceStatus(config.service.name, is_starting=True)
        self.broker_url = config.nats.url
        self._plugins = catalog(config)
        self.remotes = Remotes(
            self.live, self._plugins.find, plugins.remote_restart_after_ns / NS_PER_S, plugins.rollback_ticks
        )
        self.facts.remotes = self.remotes.links
        self._reloading = Reloading(self.live, self.facts, self._plugins, config, read_config, self.remotes)

    async def run(self) -> None:
        """Start, serve until ``shutdown`` or a signal, and stop. Raises ``SengineError`` when it cannot start."""
        self._loop = loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self.shutdown)
                stack.callback(loop.remove_signal_handler, number)
            # The configuration has just been read; a reload has nothing to do yet.
            loop.add_signal_handler(signal.SIGHUP, lambda: None)
            stack.callback(loop.remove_signal_handler, signal.SIGHUP)
            stack.enter_context(self._output)
            stack.callback(self.live.tell_said)
            stack.enter_context(forks_forbidden(self.live.engine.guard, self._forked))
            self._timer.start()
            STANDSTILLS.wake_every_s, STANDSTILLS.on_standstill = self._timer.period_s, self._stood_still
            self._keep_doing(stack, "watch for standstills", STANDSTILLS.watch)
            stack.callback(self._timer.stop)
            feed = await self._unless_stopped(stack)
            if feed is None:
                return
            loop.add_signal_handler(signal.SIGHUP, self._reload_all)
            self._keep_doing(stack, "collection of garbage", collect_between_turns)
            if self._on_started is not None:
                self._on_started(self)
            await self._stopping.wait()
            await self._stop_trading(feed)

    def _forked(self, sentence: str) -> None:
        """In the thread that forked."""
        self._loop.call_soon_threadsafe(partial(self.live.say, "error", sentence))

    def _stood_still(self, seconds: float) -> None:
        if seconds >= _STANDSTILL_TOLD_S:
            why = "it was stopped or got no processor, and nobody is blamed for what was late meanwhile"
            self.live.say("warning", f"this process stood still for {seconds:.1f} s: {why}")

    def shutdown(self) -> None:
        """Ask ``run`` to end."""
        self._stopping.set()

    # What strategies say.

    def _take_line(self, line: StrategyLine) -> None:
        """Within a call to a strategy, so only kept. What was said before the last end was told then."""
        if not self.live.is_recovering:
            self.live.said.append(line)

    async def _tell_output(self) -> None:
        while True:
            await asyncio.sleep(_TELL_EVERY_S)
            self._output.finish()
            self.live.tell_said()

    # Start-up.

    async def _unless_stopped(self, stack: AsyncExitStack) -> NatsFeed | None:
        """Start, or give up starting when asked to end meanwhile."""
        starting = asyncio.create_task(self._start(stack), name="start-up")
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not starting.done():
            starting.cancel()
        try:
            return await starting
        except asyncio.CancelledError:
            return None

    async def _start(self, stack: AsyncExitStack) -> NatsFeed:
        config, live, facts = self.config, self.live, self.facts
        control = ControlServer(live, self, config.api, config.service.data_directory)
        # First of all: a second engine on the same files must not touch anything.
        directory = stack.enter_context(DataDirectory(config.service.data_directory)).path
        facts.audit = audit = AuditTrail(directory, partial(live.say, "error"))
        stack.callback(audit.close)
        # Before anybody can ask for it: a kill that is answered is on disk.
        switch = KillSwitchKeeper(live, facts, config.risk, directory, audit, STANDSTILLS.awake_s)
        stack.callback(switch.close)
        switch.restore()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, switch.pull_by_signal)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        stack.push_async_callback(control.stop)
        facts.listeners["control API"] = await control.start()
        self._keep_doing(stack, "kill switch", switch.watch)
        self._keep_doing(stack, "output of strategies", self._tell_output)
        self._keep_doing(stack, "watch over file descriptors", DescriptorWatch(live.say, self._is_cut_off).run)
        for sentence in (*exposed_secrets(config, self._config_file), *mixed_limits(config)):
            live.say("warning", sentence)
        http = HttpServer(live, facts, config.http.host, config.service.port, metrics=config.metrics.enabled)
        stack.push_async_callback(http.stop)
        facts.listeners["http"] = await http.start()
        for port, key in _metrics_ports(config).items():
            extra = HttpServer(live, facts, port=port, metrics=config.metrics.enabled, pages=False, place=key)
            stack.push_async_callback(extra.stop)
            facts.listeners[key] = await extra.start()
        if config.nats.url == "embedded":
            await self._start_broker(stack, directory)
        stack.push_async_callback(self.remotes.stop)
        source = str(self._config_file or "")
        # Before the files are read: what changes from here on is taken.
        watcher = Watcher(self._reloading, self._plugins.folders, config.plugins)
        try:
            failed = load_strategies(live.engine, config.strategies, self._plugins, source, self.remotes.spec)
        except ConfigError as error:
            named = [in_own_files(mistake, config.plugins, config.strategies) for mistake in error.mistakes]
            raise ConfigError(named) from None
        facts.failed = [(one.strategy_id, one.reason) for one in failed]
        for one in failed:
            live.say("error", "a strategy could not be loaded", strategy_id=one.strategy_id, reason=one.reason)
        await self.remotes.tried()
        recording = Recording(live, facts, config, directory, self._prefix, switch.pull)
        stack.push_async_callback(recording.close)
        await recording.start()
        facts.strategies_are_loaded = True
        watchdog = Watchdog(
            live,
            directory / HELD_UP,
            config.plugins.watchdog_after_ns / NS_PER_S,
        )
        self._keep_doing(stack, "watchdog", watchdog.run)
        watch = StrategyWatch(
            live,
            self._timer,
            config.plugins.stalled_after_ns,
            config.plugins.resume_after_ns,
            config.plugins.slow_budget_ns,
            self.remotes.silence_of,
        )
        self._keep_doing(stack, "strategy watch", watch.run)
        self._keep_doing(stack, "flatten watch", FlattenWatch(live).run)
        stack.push_async_callback(self._reloading.stop)
        await self._reloading.start()
        if config.plugins.hot_reload:
            self._keep_doing(stack, "watcher of strategy files", watcher.run)
        simulated = config.execution.target == "simulated"
        holds = recording.has_past and not simulated
        feed = NatsFeed(
            config.nats,
            self.broker_url,
            live,
            lockstep=config.execution.lockstep,
            holds=holds,
            max_ahead_ns=config.market_data.max_ahead_ns,
        )
        if not simulated:
            await self._start_gateway(stack, directory, recording, feed)
        else:
            await self._start_feed(stack, feed)
        facts.is_starting = False
        for name, address in facts.listeners.items():
            live.say("info", "listening", what=name, address=address)
        return feed

    async def _start_broker(self, stack: AsyncExitStack, directory: Path) -> None:
        logins = [f"nats.{key}" for key in LOGIN_KEYS if getattr(self.config.nats, key)]
        if logins:
            raise ConfigError(
                [f"{logins[0]}: the embedded broker has a login of its own; remove it, or set nats.url to your server"]
            )
        broker = EmbeddedBroker(directory / "nats", login=Login.random())
        stack.push_async_callback(broker.stop)
        await broker.start()
        self.broker_url = broker.url
        self.facts.listeners["nats broker"] = broker.address
        watching = partial(keep_running, "the embedded broker", broker.wait, broker.start, self.live.say)
        self._keep_doing(stack, "watch over the embedded broker", watching)

    async def _start_feed(self, stack: AsyncExitStack, feed: NatsFeed) -> None:
        self.facts.feed = feed.stats
        stack.push_async_callback(feed.stop)
        await feed.start()

    async def _start_gateway(
        self, stack: AsyncExitStack, directory: Path, recording: Recording, feed: NatsFeed
    ) -> None:
        """Orders out, and their fills in: ``feed`` begins before the execution service is asked for what was missed."""
        target = self.config.execution.target
        if target == "paper":
            goes_on, say = recording.has_past, self.live.say
            paper = PaperChild(directory, self.broker_url, self._config_file, self._overrides, say, goes_on=goes_on)
            stack.push_async_callback(paper.stop)
            await paper.start()
            target = self.facts.listeners["paper"] = paper.address
        self.facts.gateway = stats = GatewayStats()
        self.live.gateway = gateway = ExecutionGateway(target, self.config.execution, self.live, stats)
        stack.push_async_callback(gateway.stop, _STOP_GATEWAY_S)
        reconciliation = Reconciliation(self.live, self.facts, self.config, gateway, feed)
        await gateway.start()
        # What an earlier session asked for, or the kill switch before there was anybody to ask. Twice does no harm.
        for working in self.live.engine.orders.open_orders():
            if working.is_cancelling:
                gateway.cancel(working.order.order_id)
        await self._start_feed(stack, feed)
        if recording.has_past:
            if await reconciliation.at_start(recording.past_session):
                recording.resume_flattens()
            else:
                recording.give_up_flattens()
        self._keep_doing(stack, "reconciliation", reconciliation.watch)

    def _is_cut_off(self) -> bool:
        return any(each is not None and each.state != CONNECTED for each in (self.facts.feed, self.facts.gateway))

    def _keep_doing(self, stack: AsyncExitStack, what: str, do: Callable[[], Awaitable[None]]) -> None:
        """In the background, until ``stack`` ends."""
        task = asyncio.create_task(keep_doing(what, do, self.live.say), name=what)
        stack.push_async_callback(_cancelled, task)

    # Shutdown.

    async def _stop_trading(self, feed: NatsFeed) -> None:
        """No more ticks; then what is open is cancelled and heard of; then the strategies end."""
        live, orders = self.live, self.live.engine.orders
        live.say("info", "stopping")
        feed.stop_market_data()
        if self._reloading.settings.in_force.execution.cancel_on_shutdown and live.gateway is not None:
            for working in list(orders.open_orders()):
                if not working.is_cancelling:
                    live.process(CancelOrder(working.order.order_id))
            try:
                async with asyncio.timeout(_CONFIRM_CANCELS_S):
                    while next(iter(orders.open_orders()), None) is not None:
                        await asyncio.sleep(_POLL_S)
            except TimeoutError:
                left = [working.order.order_id for working in orders.open_orders()]
                live.say(
                    "warning",
                    "stopping without knowing how all orders ended",
                    orders=len(left),
                    first=left[:3],
                )
        # Fills and cancellations are in the strategies' books when they are asked to end.
        self._timer.share(_SHUTDOWNS_S)
        live.process(Shutdown(cancel_orders=self._reloading.settings.in_force.execution.cancel_on_shutdown))

    def _reload_all(self) -> None:
        self._reloading.reload_all()
        if self.facts.audit is not None:
            self.facts.audit.record("whoever may signal this process", "SIGHUP", "Reload", "reloaded; see the log")

    # What operators ask for: the context of the control server.

    async def reload_risk(self, allow_loosening: bool) -> str:
        """Put the limits that the configuration has now into force."""
        return self._reloading.reload_risk(allow_loosening)

    async def reload(self, strategy_id: str) -> ReloadReport:
        """Read a strategy's configuration and file again and put them into force."""
        return await self._reloading.reload(strategy_id)

    async def load(
        self,
        plugin: str,
        strategy_id: str,
        symbols: Sequence[str],
        config: dict[str, Any],
        isolation: str,
    ) -> str:
        """Load a strategy file by name or path and activate it. Raises ``PluginError`` where it is no good."""
        strategy = StrategyConfig(
            id=strategy_id,
            plugin=plugin,
            symbols=list(symbols) or ["*"],
            config=config,
            isolation="process" if isolation == "process" else "none",
        )
        report = await self._reloading.load(strategy)
        if not report.is_done:
            raise PluginError(report.message)
        return report.message


def config_reader(file: Path | None, overrides: Sequence[str]) -> Callable[[], Config]:
    """Reads the configuration of this run, again each time it is called."""
    return lambda: load_config(file, overrides=overrides)


def _metrics_ports(config: Config) -> dict[int, str]:
    """Ports that monitoring wants beside ``service.port``, with the keys that say so."""
    wanted = {
        config.metrics.prometheus_port if config.metrics.enabled else None: "metrics.prometheus_port",
        config.service.metrics_port: "service.metrics_port",
    }
    return {port: key for port, key in wanted.items() if port is not None and port != config.service.port}


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    # How it ends must not keep what is stopped after it from being stopped.
    await asyncio.gather(task, return_exceptions=True)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits
