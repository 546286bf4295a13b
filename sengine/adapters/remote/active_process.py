"""Which of a strategy's processes is in use: the one that is heard. From one to the next, and back again when the next
one is no good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from pathlib import Path
from typing import Any

from sengine.adapters.remote.connection import Connection
from sengine.adapters.remote.intake import RemoteIntake
from sengine.adapters.remote.outbox import Sent
from sengine.adapters.remote.proxy import RemoteStrategy
from sengine.adapters.remote.session import SessionError
from sengine.adapters.remote.trial import RemoteTrial
from sengine.domain.events import RemoteRolledBack, ReportedError
from sengine.domain.signal import Signal
from sengine.domain.strategy_line import KEPT
from sengine.proto import strategy_pb2 as pb


class ActiveProcess:
    """Of one strategy. New code is on trial for ``rollback_ticks`` ticks. Every process but the one in use, and the one
    that waits while that is on trial, is ended here."""

    def __init__(self, proxy: RemoteStrategy, intake: RemoteIntake, rollback_ticks: int) -> None:
        self.connection: Connection | None = None
        self.trial: RemoteTrial | None = None
        self.sources: Mapping[Path, bytes] = {}
        """What our process in use, or the last one, was made of; empty before the first, and for one elsewhere."""
        self._proxy = proxy
        self._intake = intake
        self._rollback_ticks = rollback_ticks
        self._settled = 0
        """Number of the last tick that a process in use before this one has answered."""
        self._endings: set[asyncio.Task[None]] = set()
        self._watching: set[asyncio.Task[None]] = set()

    def adopt(self, connection: Connection) -> None:
        """From here on it is the one that is heard. What another has answered is settled, so that no tick is traded on
        twice."""
        if self.connection is not None:
            self.connection.session.is_heard = False
            if self.connection.process is not None:
                self.connection.process.during = KEPT
            self._settled = self.connection.session.through
        self.connection = connection
        connection.session.is_heard = True
        if connection.process is not None:
            connection.process.during = ""
            self.sources = connection.process.sources

    def let_go(self, connection: Connection) -> None:
        """Nothing goes there any more, and nothing that comes from there is heard."""
        outbox = connection.session.outbox
        self._proxy.outboxes = tuple(each for each in self._proxy.outboxes if each is not outbox)
        connection.session.is_heard = False
        if self.connection is connection:
            self.connection = None

    def succeed(self, fresh: Connection, ready: pb.InitializeResponse, config: dict[str, Any]) -> None:
        """New code takes over, with these parameters; what ran until now waits. Raises ``SengineError`` where nothing
        runs any more; nothing has changed then."""
        before = self.connection
        if before is None or not before.session.is_warm.is_set():
            raise SessionError("the process that it was to replace is gone, and is being started again")
        was, config_before = self._intake.running, self._proxy.config
        self._intake.process_ready(ready)
        self.keep()
        self.adopt(fresh)
        self._proxy.config = config
        self.trial = trial = RemoteTrial(before, fresh, self._rollback_ticks, was, config_before)
        if not self._rollback_ticks:
            self.keep()
            return
        fresh.session.after(self._rollback_ticks, lambda: self._proved(trial))
        self._start(self._watch(trial), self._watching)

    def keep(self) -> None:
        """A trial ends well, or has nothing to go back to: the process that waits is ended."""
        trial, self.trial = self.trial, None
        if trial is not None:
            self._end(trial.before)

    def go_back(self, error: ReportedError | None = None) -> None:
        """Where new code is on trial, the process before it is in use again, at once. Without ``error`` the new one was
        lost, and what it died of is told when that is known."""
        trial = self._trial_that_counts()
        if trial is None:
            return
        self.trial = None
        failed, failed_version = trial.fresh, self._intake.running.version
        self.adopt(trial.before)
        self.let_go(failed)
        self._proxy.config = trial.config
        if error is not None:
            self._intake.process_rolled_back(RemoteRolledBack(trial.ready, failed_version, trial.answered, error))
            self._end(failed)
        else:
            self._intake.process_running(trial.ready)
            self._start(self._tell_why(trial, failed_version), self._endings)

    async def stop(self) -> None:
        """End all that runs."""
        self.keep()
        if self.connection is not None:
            self._end(self.connection)
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, *self._endings, return_exceptions=True)

    # What the process in use says.

    def answered(self, sent: Sent, signals: tuple[Signal, ...], errors: tuple[ReportedError, ...]) -> None:
        if sent.number <= self._settled:
            signals = ()
        if self._trial_that_counts() is not None:
            signals, invalid = self._intake.checked(sent, signals)
            errors += invalid
            if errors:
                if signals:
                    self._intake.process_answer(sent, signals, ())
                self.go_back(errors[0])
                return
        if signals or errors:
            self._intake.process_answer(sent, signals, errors)

    def erred(self, error: ReportedError) -> None:
        """Outside of any tick."""
        if self._trial_that_counts() is not None:
            self.go_back(error)
        else:
            self._intake.process_error(error)

    # How a trial ends.

    def _proved(self, trial: RemoteTrial) -> None:
        # It may have been replaced on trial, and then goes on counting while it waits itself.
        if self.trial is trial:
            self.keep()

    def _trial_that_counts(self) -> RemoteTrial | None:
        """That which an error now ends. Of a strategy that is unloaded, both processes are about to be ended."""
        trial = self.trial
        return trial if trial is not None and trial.can_go_back and self._intake.is_loaded else None

    async def _watch(self, trial: RemoteTrial) -> None:
        await trial.someone_is_lost()
        if self.trial is not trial:
            return
        if trial.before.is_running:
            self.go_back()
        else:
            reason = await trial.before.last_words() or await trial.before.until_lost()
            self._intake.say("warning", "the version before the one on trial cannot come back", reason=reason)
            if self.trial is trial:
                self.keep()

    async def _tell_why(self, trial: RemoteTrial, failed_version: str) -> None:
        failed = trial.fresh
        reason = await failed.last_words() or await failed.until_lost()
        if self._intake.is_loaded:
            # Not as of the trial: it may have new parameters, or even a successor, since.
            running, error = self._intake.running, ReportedError("disconnected", reason)
            self._intake.process_rolled_back(RemoteRolledBack(running, failed_version, trial.answered, error))
        await failed.end()

    def _end(self, connection: Connection) -> None:
        self.let_go(connection)
        self._start(connection.end(shut_down=True), self._endings)

    def _start(self, doing: Coroutine[Any, Any, None], kept: set[asyncio.Task[None]]) -> None:
        task = asyncio.create_task(doing, name=f"remote-{self._proxy.strategy_id}-process")
        kept.add(task)
        task.add_done_callback(kept.discard)
