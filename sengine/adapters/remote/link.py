"""Keeps one strategy's process running and connected, and brings what it says into the engine."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic
from typing import Any, Final

from sengine.adapters.containment.standstill import STANDSTILLS
from sengine.adapters.remote.active_process import ActiveProcess
from sengine.adapters.remote.channel import Target
from sengine.adapters.remote.connection import Connection
from sengine.adapters.remote.intake import RemoteIntake
from sengine.adapters.remote.outbox import RemoteCounts
from sengine.adapters.remote.process import HostProcess
from sengine.adapters.remote.proxy import RemoteStrategy
from sengine.adapters.remote.session import RemoteSession, SessionError, SilentError
from sengine.adapters.remote.watch import LOOK_EVERY_S, STALLED_AFTER_S, RemoteWatch
from sengine.config.schema import StrategyConfig
from sengine.domain.events import PauseStrategy, ReportedError
from sengine.engine.strategies.windows import sizes_told
from sengine.errors import ConfigError, SengineError
from sengine.runtime.live_engine import LiveEngine

FIRST_BACKOFF_S: Final = 0.1
LONGEST_BACKOFF_S: Final = 2.0
CRASHES: Final = 5
CRASHES_WITHIN_S: Final = 60.0


class RemoteLink:
    """One remote strategy. ``start`` begins connecting, ``stop`` ends it and its process.

    ``target`` is where a process already runs; without it ``make_process`` makes our own, which is started again when
    it dies, or owes an answer for ``restart_after_s``. After ``CRASHES`` ends within ``CRASHES_WITHIN_S``, or as many
    in a row without an answer, the strategy is paused, and tried again when resumed. New code is on trial for
    ``rollback_ticks`` ticks.
    """

    def __init__(
        self,
        strategy: StrategyConfig,
        live: LiveEngine,
        target: Target | None,
        make_process: Callable[[], HostProcess],
        on_end: Callable[[RemoteLink], None],
        restart_after_s: float,
        rollback_ticks: int,
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
        self._intake = RemoteIntake(strategy, live)
        self._target = target
        self._make_process = make_process
        self._in_use = ActiveProcess(self.proxy, self._intake, rollback_ticks)
        self._state = "starting"
        self._reason = ""
        self._since_s = monotonic()
        self._ends: deque[float] = deque(maxlen=CRASHES)
        self._silent_ends = 0
        """Ends for lack of an answer, one after the other and with no answer in between."""
        self._watch = RemoteWatch(lambda: self._in_use.connection, self._intake.say, restart_after_s)
        self._tasks: list[asyncio.Task[None]] = []
        self._reloads: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._keep_connected(), name=f"remote-{self.strategy_id}"),
            asyncio.create_task(self._watch.run(), name=f"remote-{self.strategy_id}-state"),
        ]

    async def stop(self) -> None:
        for task in (*self._tasks, *self._reloads):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._reloads, return_exceptions=True)
        await self._in_use.stop()
        self.proxy.outboxes = ()

    # What operators see.

    @property
    def is_connected(self) -> bool:
        return self._in_use.connection is not None and self._state == "connected"

    @property
    def sources(self) -> Mapping[Path, bytes]:
        """What our process in use, or the last one, was made of; empty before the first, and for one elsewhere."""
        return self._in_use.sources

    @property
    def owed_for_s(self) -> float:
        """How long the process has owed its oldest answer."""
        connection = self._in_use.connection
        return connection.owed_for_s if connection is not None else 0.0

    @property
    def silence(self) -> tuple[str, float] | None:
        """Why its process is silent, and for how many seconds; ``None`` while it is not, or not for too long."""
        if self.is_connected:
            reason, for_s = "its process does not answer", self.owed_for_s
        else:
            reason = "its process is not connected" + (f": {self._reason}" if self._reason else "")
            for_s = STANDSTILLS.awake_s_since(self._since_s)
        return (reason, for_s) if for_s > STALLED_AFTER_S else None

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
        connection, trial = self._in_use.connection, self._in_use.trial
        described: dict[str, Any] = {
            "process": "stalled" if self.is_connected and self.silence is not None else self._state,
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
        if trial is not None:
            described["trial"] = trial.describe()
        return described | self.figures.describe() | {"strategy": self._watch.said}

    # Connecting, and connecting again.

    async def _keep_connected(self) -> None:
        backoff_s = FIRST_BACKOFF_S
        while True:
            try:
                connection = self._in_use.connection or await self._connect()
            except SengineError as error:
                if self._in_use.connection is not None:
                    continue  # new code took over from the one that failed
                reason = str(error)
                self._silent_ends = self._silent_ends + 1 if isinstance(error, SilentError) else 0
                if reason != self._reason:
                    self._intake.say("error", "a strategy's process cannot be used", reason=reason)
            else:
                connection, reason = await self._until_lost(connection)
                before = 0 if connection.session.answered else self._silent_ends
                self._silent_ends = before + 1 if connection.ended_for else 0
                backoff_s = FIRST_BACKOFF_S
                self._intake.process_error(ReportedError("disconnected", reason))
            self._enter("disconnected", reason)
            self.tried.set()
            self.figures.restarts += 1
            if self.is_ours and (failed := self._how_it_keeps_failing()):
                await self._give_up(failed, reason)
                backoff_s = FIRST_BACKOFF_S
            else:
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, LONGEST_BACKOFF_S)

    async def _connect(self, new: dict[str, Any] | None = None) -> Connection:
        """Start the process where it is ours, initialise the strategy and warm it up. One for ``new`` parameters and
        new code is in use only then, and errors in its warm-up are refused. Raises ``SengineError``."""
        process = self._make_process() if self._target is None else None
        connection: Connection | None = None
        intake = self._intake
        try:
            target = self._target if process is None else await process.start()
            assert target is not None
            session = RemoteSession(
                target,
                self.figures,
                self._in_use.answered,
                self._in_use.erred,
                intake.round_trips(),
            )
            connection = Connection(session, process)
            config = self.proxy.config if new is None else new
            start = intake.start(self.proxy, config, dict(self._watch.saved), self._watch.saved_version)
            # What comes from here on waits for the new process; what came before is its warm-up.
            self.proxy.outboxes = (*self.proxy.outboxes, session.outbox)
            ready = await connection.open(start)
            if new is None:
                intake.process_ready(ready)
                self._in_use.adopt(connection)
                self._enter("connected")
            await connection.warm_up()
            first = session.early_error
            if new is not None:
                if first is not None:
                    raise SessionError(f"{first.where}: {first.message}" if first.where else first.message)
                self._in_use.succeed(connection, ready, new)
            elif first is not None:
                intake.process_error(first)
            self.tried.set()
            return connection
        except BaseException:
            if connection is not None:
                self._in_use.let_go(connection)
                await connection.end()
            elif process is not None:
                await process.stop()
            raise

    async def _until_lost(self, connection: Connection) -> tuple[Connection, str]:
        """Wait until the connection in use ends with nothing in its place, for which that was, and for why."""
        in_use = self._in_use
        while True:
            reason = await connection.until_lost()
            if in_use.connection is connection:
                in_use.go_back()
            if in_use.connection is connection or in_use.connection is None:
                break
            connection = in_use.connection  # it was replaced
        in_use.let_go(connection)
        self._enter("disconnected", reason)
        try:
            reason = await connection.last_words() or reason
            return connection, f"{connection.ended_for}; {reason}" if connection.ended_for else reason
        finally:
            await connection.end()

    def _how_it_keeps_failing(self) -> str:
        """Empty where it does not."""
        self._ends.append(monotonic())
        if len(self._ends) == CRASHES and self._ends[-1] - self._ends[0] < CRASHES_WITHIN_S:
            return f"failed {CRASHES} times within {CRASHES_WITHIN_S:g} s"
        return f"gave no answer {CRASHES} times in a row" if self._silent_ends >= CRASHES else ""

    async def _give_up(self, failed: str, reason: str) -> None:
        """Pause the strategy, and come back when somebody has resumed it."""
        why = f"its process {failed}; resume starts it again; last: {reason}"
        self._enter("given up", why)
        runtime = self._live.engine.registry.find(self.strategy_id)
        if runtime is not None and runtime.is_active:
            self._live.process(PauseStrategy(self.strategy_id, why))
        self._intake.say("error", f"strategy {self.strategy_id} paused", reason=why)
        while runtime is not None and not runtime.is_active:
            await asyncio.sleep(LOOK_EVERY_S)
            runtime = self._live.engine.registry.find(self.strategy_id)
        self._ends.clear()
        self._silent_ends = 0

    # New parameters and new code.

    async def give_parameters(self, config: dict[str, Any]) -> None:
        """Have the process take new parameters. Without one, the next gets them. Raises ``ConfigError``."""
        connection = self._in_use.connection
        if connection is not None:
            try:
                response = await connection.session.reload(config)
            except SessionError as error:
                raise ConfigError([f"strategies.{self.strategy_id}: no answer from its process: {error}"]) from None
            if not response.success:
                raise ConfigError((response.error or "its process refused without a reason").splitlines())
            if self._in_use.connection is not connection:
                raise ConfigError([f"strategies.{self.strategy_id}: another process took over meanwhile; try again"])
            # That ends a trial, as inside the engine: who gives a version new parameters means to keep it. The process
            # that waits would have to take them as well otherwise, and could refuse them.
            self._in_use.keep()
        self.proxy.config = config

    async def instances(self) -> Mapping[str, tuple[str, int]]:
        """The instances that run in the process: the declared state (JSON) and its version, of now where it answers."""
        if self._in_use.connection is not None:
            await self._watch.ask(self._in_use.connection)
        return self._watch.instances

    async def sizes(self) -> Mapping[str, Mapping[str, int]]:
        """How much each instance in the process in use remembers, as far as it tells, of now where it answers."""
        await self.instances()
        return {key: sizes_told(said) for key, said in self._watch.said.items() if isinstance(said, dict)}

    async def replace(self, config: dict[str, Any]) -> None:
        """A new process with the code of now and these parameters: it is started aside, initialised and warmed up, and
        takes over only then, on trial. Raises ``SengineError``; the old one runs on then."""
        if self._target is not None:
            raise SengineError(f"strategy {self.strategy_id} runs at {self._target.address}: restart it there")
        if self._in_use.connection is None:
            raise SengineError(f"strategy {self.strategy_id} has no running process: {self._reason}")
        await self._connect(config)

    def _on_config(self, config: dict[str, Any]) -> None:
        """New parameters that came as an event: they are asked for now and refused, if at all, later."""
        task = asyncio.create_task(self._try_parameters(config))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _try_parameters(self, config: dict[str, Any]) -> None:
        try:
            await self.give_parameters(config)
        except ConfigError as error:
            self._intake.process_error(ReportedError("reload", str(error)))

    def _enter(self, state: str, reason: str = "") -> None:
        if state != self._state:
            self._since_s = monotonic()
        self._state, self._reason = state, reason
