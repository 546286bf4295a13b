"""Keeps one strategy's process running and connected, and brings what it says into the engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic, perf_counter_ns
from typing import Any, Final

from sengine.adapters.remote_channel import Target
from sengine.adapters.remote_messages import object_of
from sengine.adapters.remote_outbox import RemoteCounts, Sent
from sengine.adapters.remote_process import HostProcess
from sengine.adapters.remote_proxy import RemoteStrategy
from sengine.adapters.remote_session import RemoteSession, SessionError, Start
from sengine.config.schema import StrategyConfig
from sengine.domain.events import PauseStrategy, RemoteReady, RemoteSignals, ReportedError
from sengine.domain.signal import Signal
from sengine.engine.recent import ANY_SYMBOL, recent_ticks
from sengine.errors import ConfigError, SengineError
from sengine.live import LiveEngine
from sengine.proto import strategy_pb2 as pb

FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 2.0
CRASHES: Final = 5
CRASHES_WITHIN_S: Final = 60.0
STALLED_AFTER_S: Final = 1.0
_LOOK_EVERY_S: Final = 0.25
_OPEN_S: Final = 10.0
_WARM_S: Final = 20.0


class _Connection:
    """A session, the process behind it where that is ours, and the task that runs it."""

    def __init__(self, session: RemoteSession, process: HostProcess | None) -> None:
        self.session = session
        self.process = process
        self.task: asyncio.Task[None] | None = None

    async def end(self, *, shut_down: bool = False) -> None:
        if self.task is not None:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError, SessionError):
                await self.task
        await self.session.close(shut_down=shut_down)
        if self.process is not None:
            await self.process.stop()


class RemoteLink:
    """One remote strategy. ``start`` begins connecting, ``stop`` ends it and its process.

    ``target`` is where a process already runs; without it ``make_process`` makes our own, which is started again when
    it dies, or owes an answer for ``restart_after_s``. After ``CRASHES`` ends within ``CRASHES_WITHIN_S`` the strategy
    is paused, and tried again when resumed.
    """

    def __init__(
        self,
        strategy: StrategyConfig,
        live: LiveEngine,
        target: Target | None,
        make_process: Callable[[], HostProcess],
        on_end: Callable[[RemoteLink], None],
        restart_after_s: float,
    ) -> None:
        self.strategy_id = strategy.id
        self.figures = RemoteCounts()
        self.proxy = RemoteStrategy(strategy.id, dict(strategy.config), self.figures)
        self.proxy.on_config = self._on_config
        self.proxy.on_shutdown = lambda: on_end(self)
        self.proxy.describe = self.describe
        self.tried = asyncio.Event()
        """Set when the first attempt to connect has ended, well or not."""
        self.is_ours = target is None
        self.strategy = strategy
        self._live = live
        self._target = target
        self._make_process = make_process
        self._restart_after_s = restart_after_s
        self._current: _Connection | None = None
        self._state = "starting"
        self._reason = ""
        self._since_s = monotonic()
        self._ends: deque[float] = deque(maxlen=CRASHES)
        self._said: dict[str, Any] = {}
        self._saved: dict[str, str] = {}
        self._saved_version = 0
        self._is_stalled = False
        self._tasks: list[asyncio.Task[None]] = []
        self._reloads: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._keep_connected(), name=f"remote-{self.strategy_id}"),
            asyncio.create_task(self._look_after(), name=f"remote-{self.strategy_id}-state"),
        ]

    async def stop(self) -> None:
        for task in (*self._tasks, *self._reloads):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._reloads, return_exceptions=True)
        connection, self._current = self._current, None
        self.proxy.outboxes = ()
        if connection is not None:
            await connection.end(shut_down=True)

    # What operators see.

    @property
    def is_connected(self) -> bool:
        return self._current is not None and self._state == "connected"

    @property
    def owed_for_s(self) -> float:
        """How long the process has owed its oldest answer."""
        return self._current.session.oldest_unanswered_ns / 1e9 if self._current is not None else 0.0

    @property
    def restarts(self) -> int:
        return self.figures.restarts

    @property
    def dropped_ticks(self) -> int:
        return self.figures.dropped_ticks

    @property
    def missed_ticks(self) -> int:
        return self.figures.missed_ticks

    def describe(self) -> dict[str, Any]:
        figures, connection = self.figures, self._current
        described: dict[str, Any] = {
            "process": "stalled" if self.is_connected and self.owed_for_s > STALLED_AFTER_S else self._state,
            "for_s": round(monotonic() - self._since_s, 1),
        }
        if self._reason:
            described["reason"] = self._reason
        if connection is not None:
            described["address"] = connection.session.target.address
            described["owed_for_ms"] = round(self.owed_for_s * 1000, 1)
            described["waiting"] = len(connection.session.outbox)
            described["unanswered"] = connection.session.unanswered
            if connection.process is not None:
                described["pid"] = connection.process.pid
        for name in ("sent_ticks", "dropped_ticks", "missed_ticks", "restarts"):
            described[name] = getattr(figures, name)
        return described | {"strategy": self._said}

    # Connecting, and connecting again.

    async def _keep_connected(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                connection = await self._connect(is_trial=False)
            except SengineError as error:
                reason = str(error)
                if reason != self._reason:
                    self._say("error", "a strategy's process cannot be used", reason=reason)
            else:
                reason = await self._until_lost(connection)
                backoff_s = FIRST_BACKOFF_S
                self._report("disconnected", reason)
            self._enter("disconnected", reason)
            self.tried.set()
            self.figures.restarts += 1
            if self.is_ours and self._is_crash_loop():
                await self._give_up(reason)
                backoff_s = FIRST_BACKOFF_S
            else:
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)

    async def _connect(self, *, is_trial: bool) -> _Connection:
        """Start the process where it is ours, initialise the strategy and warm it up. On trial it is not current yet,
        and errors in its warm-up are refused. Raises ``SengineError``."""
        process = self._make_process() if self._target is None else None
        connection: _Connection | None = None
        try:
            target = self._target if process is None else await process.start()
            assert target is not None
            session = RemoteSession(
                target,
                self.figures,
                lambda *answer: self._answered(session, *answer),
                lambda error: self._report(error.kind, error.message, error),
                self._round_trip(),
            )
            connection = _Connection(session, process)
            proxy, engine = self.proxy, self._live.engine
            start = Start(
                self.strategy_id,
                proxy.config,
                self.strategy.symbols,
                [each for each in engine.positions.positions() if each.strategy_id == self.strategy_id],
                dict(self._saved),
                self._saved_version,
                self._recent(),
            )
            # What comes from here on waits for the new process; what came before is its warm-up.
            proxy.outboxes = (*proxy.outboxes, session.outbox)
            ready = await session.open(start, _OPEN_S)
            if not is_trial:
                self._take_ready(ready)
                self._current = connection
                self._enter("connected")
            connection.task = asyncio.create_task(session.run(), name="remote-session")
            await self._warm_up(connection)
            if session.warm_up_errors:
                first = session.warm_up_errors[0]
                if is_trial:
                    raise SessionError(f"{first.where}: {first.message}" if first.where else first.message)
                self._report(first.kind, first.message, first)
            if is_trial:
                self._take_ready(ready)
            self.tried.set()
            return connection
        except BaseException:
            if connection is not None:
                self._let_go(connection)
                await connection.end()
            elif process is not None:
                await process.stop()
            raise

    async def _warm_up(self, connection: _Connection) -> None:
        assert connection.task is not None
        warm = asyncio.create_task(connection.session.is_warm.wait())
        await asyncio.wait((warm, connection.task), timeout=_WARM_S, return_when=asyncio.FIRST_COMPLETED)
        warm.cancel()
        if connection.task.done():
            connection.task.result()
        if not connection.session.is_warm.is_set():
            raise SessionError(f"it did not answer its warm-up within {_WARM_S:g} s")

    async def _until_lost(self, connection: _Connection) -> str:
        """Wait until the connection in use ends, and for why."""
        while True:
            assert connection.task is not None
            await asyncio.wait((connection.task,))
            if self._current is connection or self._current is None:
                break
            connection = self._current  # it was replaced
        error = None if connection.task.cancelled() else connection.task.exception()
        self._let_go(connection)
        reason = str(error) if error is not None else "the connection ended"
        self._enter("disconnected", reason)
        process = connection.process
        # A process that died says more than the connection that broke.
        for _ in range(10):
            if process is None or process.has_ended:
                break
            await asyncio.sleep(0.02)
        if process is not None and process.has_ended:
            reason = await process.why_it_ended()
        await connection.end()
        return reason

    def _recent(self) -> Sequence[Sent]:
        """The ticks that the engine keeps, numbered ahead of those to come."""
        engine, proxy = self._live.engine, self.proxy
        guest = engine.roster.get(self.strategy_id)
        ticks = recent_ticks(engine.markets, ANY_SYMBOL, guest.spec.symbols, guest.spec.kinds)
        first = proxy.number + 1
        proxy.number += len(ticks)
        return [Sent(first + place, data, perf_counter_ns(), True) for place, (_, data) in enumerate(ticks)]

    def _let_go(self, connection: _Connection) -> None:
        outbox = connection.session.outbox
        self.proxy.outboxes = tuple(each for each in self.proxy.outboxes if each is not outbox)
        if self._current is connection:
            self._current = None

    def _is_crash_loop(self) -> bool:
        self._ends.append(monotonic())
        return len(self._ends) == CRASHES and self._ends[-1] - self._ends[0] < CRASHES_WITHIN_S

    async def _give_up(self, reason: str) -> None:
        """Pause the strategy, and come back when somebody has resumed it."""
        within = f"{CRASHES} times within {CRASHES_WITHIN_S:g} s"
        why = f"its process failed {within}; resume starts it again; last: {reason}"
        self._enter("given up", why)
        guest = self._live.engine.roster.find(self.strategy_id)
        if guest is not None and guest.is_active:
            self._live.take(PauseStrategy(self.strategy_id, why))
        self._say("error", f"strategy {self.strategy_id} paused", reason=why)
        while guest is not None and not guest.is_active:
            await asyncio.sleep(_LOOK_EVERY_S)
            guest = self._live.engine.roster.find(self.strategy_id)
        self._ends.clear()

    # New parameters and new code.

    async def give_parameters(self, config: dict[str, Any]) -> None:
        """Have the process take new parameters. Without one, the next gets them. Raises ``ConfigError``."""
        if self._current is not None:
            try:
                response = await self._current.session.reload(config)
            except SessionError as error:
                raise ConfigError([f"strategies.{self.strategy_id}: no answer from its process: {error}"]) from None
            if not response.success:
                raise ConfigError((response.error or "its process refused without a reason").splitlines())
        self.proxy.config = config

    async def replace(self, config: dict[str, Any]) -> None:
        """A new process with the code of now and these parameters: it is started aside, initialised and warmed up, and
        takes over only then. Raises ``SengineError``; the old one runs on then."""
        if self._target is not None:
            raise SengineError(f"strategy {self.strategy_id} runs at {self._target.address}: restart it there")
        if self._current is None:
            raise SengineError(f"strategy {self.strategy_id} has no running process: {self._reason}")
        before, self.proxy.config = self.proxy.config, config
        try:
            fresh = await self._connect(is_trial=True)
        except BaseException:
            self.proxy.config = before
            raise
        old, self._current = self._current, fresh
        self._enter("connected")
        if old is not None:
            outbox = old.session.outbox
            self.proxy.outboxes = tuple(each for each in self.proxy.outboxes if each is not outbox)
            await old.end(shut_down=True)

    def _on_config(self, config: dict[str, Any]) -> None:
        """New parameters that came as an event: they are asked for now and refused, if at all, later."""
        task = asyncio.create_task(self._try_parameters(config))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _try_parameters(self, config: dict[str, Any]) -> None:
        try:
            await self.give_parameters(config)
        except ConfigError as error:
            self._report("reload", str(error))

    # Into the engine.

    def _take_ready(self, ready: pb.InitializeResponse) -> None:
        """Raises ``SengineError`` for an answer that is none."""
        strategy = self.strategy
        kinds = tuple(strategy.data or ready.market_data or ("book",))
        route = strategy.route or ready.route or "vote"
        try:
            config = object_of(ready.config_json)
        except ValueError as error:
            raise SessionError(f"answered Initialize wrongly: {error}") from None
        event = RemoteReady(self.strategy_id, ready.version[:64] or "unknown", route, kinds, config)
        self._live.take(event)
        self._say("info", "a strategy's process is ready", version=event.version)

    def _answered(
        self, session: RemoteSession, sent: Sent, signals: tuple[Signal, ...], errors: tuple[ReportedError, ...]
    ) -> None:
        if self._current is not None and self._current.session is session:
            data = sent.data
            said = RemoteSignals(self.strategy_id, data.symbol, data.timestamp_ns, sent.number, signals, errors)
            self._live.take(said)

    def _report(self, kind: str, message: str, error: ReportedError | None = None) -> None:
        """An error outside of any tick."""
        error = error or ReportedError(kind, message)
        now_ns = self._live.engine.now_ns
        self._live.take(RemoteSignals(self.strategy_id, "", now_ns, 0, errors=(error,)))

    def _round_trip(self) -> Callable[[int], None]:
        guest = self._live.engine.roster.find(self.strategy_id)
        return guest.on_tick_latency.record if guest is not None else lambda duration_ns: None

    def _enter(self, state: str, reason: str = "") -> None:
        if state != self._state:
            self._since_s = monotonic()
        self._state, self._reason = state, reason

    def _say(self, level: str, event: str, **fields: Any) -> None:
        self._live.say(level, event, strategy_id=self.strategy_id, **fields)

    # Looking after it.

    async def _look_after(self) -> None:
        """Ask the process for its state now and then, and say when it owes answers."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            connection = self._current
            is_stalled = connection is not None and self.owed_for_s > STALLED_AFTER_S
            if is_stalled != self._is_stalled:
                self._is_stalled = is_stalled
                if is_stalled:
                    self._say("warning", "a strategy's process does not answer", owed_for_s=round(self.owed_for_s, 1))
                elif connection is not None:
                    self._say("info", "a strategy's process answers again")
            if connection is None:
                continue
            if is_stalled:
                if connection.process is not None and self.owed_for_s > self._restart_after_s:
                    self._say("error", f"no answer for {self.owed_for_s:.1f} s: its process is ended and started again")
                    connection.process.kill()
                continue
            with contextlib.suppress(SessionError, ValueError):
                state = await connection.session.state()
                self._said = object_of(state.state_json)
                self._saved, self._saved_version = dict(state.saved_json), state.saved_version
