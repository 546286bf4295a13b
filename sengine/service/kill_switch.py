"""The kill switch of a running engine: the file that remembers it, the signal, and what pulls it without a person.

``KILL`` in the data directory is the switch. Whoever makes that file pulls it; however it is pulled, the file is there
before anybody is told so, and holds the reason; an engine that finds it starts killed. Only re-arming takes it away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Final

from sengine.clock import NS_PER_S
from sengine.config.risk_schema import RiskConfig
from sengine.domain.events import Flatten, KillSwitch
from sengine.errors import LifecycleError
from sengine.runtime.audit import AuditTrail
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import CONNECTED, ServiceStatus
from sengine.service.kill_file import FILE_NAME, KillFile

_LOOK_EVERY_S: Final = 0.1


class KillSwitchKeeper:
    """Keeps the file and the engine's switch the same, and pulls it when a configured trigger says so.

    Each trigger pulls once when it becomes true, so that a person can re-arm while, say, the day's loss stands.
    """

    def __init__(
        self,
        live: LiveEngine,
        facts: ServiceStatus,
        risk: RiskConfig,
        directory: Path,
        audit: AuditTrail,
        clock_s: Callable[[], float],
    ) -> None:
        self._file = KillFile(directory)
        self._live = live
        self._facts = facts
        self._risk = risk
        self._audit = audit
        self._clock_s = clock_s
        self._pulled = ""
        """Why, from the moment that somebody pulls it: while a journal is taken up the engine's own is of the past."""
        self._is_killed = False
        self._unknown = ""
        self._has_been_connected = False
        self._connected_s = inf
        self._faults: list[tuple[float, int]] = []
        self._true: set[str] = set()

    def restore(self) -> None:
        """Pull the switch again where it was pulled when the last engine ended, and follow it from now on."""
        self._live.on_kill_switch = self._changed
        self._live.before_rearm = self._release
        self._file.reserve()
        self._follow_file("an earlier session, or whoever may write to the data directory")
        if self._unknown:
            # Before the first order only the file knows what an earlier session left; later a look that fails is told.
            self.pull(self._unknown, "the engine", FILE_NAME)

    def close(self) -> None:
        self._file.close()

    def pull(self, reason: str, who: str, how: str) -> None:
        """Pull it, unless it is pulled."""
        if self._pulled:
            return
        self._live.process(KillSwitch(reason))
        self._audit.record(who, how, "KillSwitch", f"kill switch pulled: {reason}")

    def pull_by_signal(self) -> None:
        self.pull("SIGUSR1", "whoever may signal this process", "SIGUSR1")

    async def watch(self) -> None:
        """Look at the file and the triggers, ten times a second, for as long as the engine runs."""
        while True:
            self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """Pull the switch where the file or a trigger asks for it."""
        self._follow_file()
        if self._live.is_recovering:
            return  # what the figures were at some moment of an earlier session is not what they are
        now_s = self._clock_s()
        for name, reason in (
            ("execution_lost_for", self._execution_is_lost(now_s)),
            ("daily_loss", self._lost_too_much()),
            ("faults", self._fails_too_often(now_s)),
            ("held_fills", self._holds_fills()),
        ):
            if not reason:
                self._true.discard(name)
            elif name not in self._true:
                self._true.add(name)
                self.pull(reason, "the engine", f"risk.kill_on.{name}")

    # The file.

    def _follow_file(self, who: str = "whoever may write to the data directory") -> None:
        try:
            if self._pulled:
                # A person who removes the file has not re-armed: the next engine must still find it.
                if not self._file.is_there():
                    self._remember(self._pulled)
                return
            text = self._file.read()
        except OSError as error:
            self._tell_unknown(f"whether {self._file.path} is there cannot be known: {error.strerror}")
            return
        self._unknown = ""
        if text is not None:
            self.pull(text or f"the file {FILE_NAME} in the data directory", who, FILE_NAME)

    def _tell_unknown(self, why: str) -> None:
        """Told with each other reason, not ten times a second; no order to stop was given, so none is made up."""
        if why != self._unknown:
            self._live.say("error", f"the kill switch's file is not followed: {why}; `sengine kill` still works")
        self._unknown = why

    def _changed(self, reason: str) -> None:
        """The engine's switch was pulled, or is to be once its journal is taken up, or it was re-armed."""
        if reason:
            self._pulled = reason
            self._remember(reason)
            if self._live.is_recovering:
                return
            if self._risk.kill_flattens and not self._is_killed:
                self._live.process(Flatten(reason=f"kill switch: {reason}"))
        else:
            self._pulled = self._facts.kill_is_forgotten = ""
            try:
                self._release()
            except LifecycleError as error:
                self._live.say("error", str(error))  # the next look pulls again
            self._file.reserve()
        self._is_killed = bool(reason)

    def _release(self) -> None:
        """Take the file away, so that the engine can be re-armed. Raises ``LifecycleError`` where it stays."""
        try:
            self._file.remove()
        except OSError as error:
            raise LifecycleError(
                f"not re-armed: {self._file.path} cannot be removed: {error.strerror}; remove it, then `sengine rearm`"
            ) from None

    def _remember(self, reason: str) -> None:
        """Tried again with each look; a full disk is told of once."""
        try:
            self._file.write(reason)
            self._facts.kill_is_forgotten = ""
        except OSError as error:
            if not self._facts.kill_is_forgotten:
                self._live.say(
                    "error",
                    "the kill switch is pulled, but not remembered: do not restart before you have looked",
                    file=str(self._file.path),
                    reason=error.strerror,
                )
            self._facts.kill_is_forgotten = f"{self._file.path} cannot be written: {error.strerror}"

    # The triggers: why to pull, empty for no reason.

    def _execution_is_lost(self, now_s: float) -> str:
        gateway, longest_ns = self._facts.gateway, self._risk.kill_on.execution_lost_for_ns
        if gateway is None or longest_ns is None:
            return ""
        if gateway.state == CONNECTED:
            self._has_been_connected, self._connected_s = True, now_s
            if gateway.owed_for_s < longest_ns / NS_PER_S:
                return ""
            return f"the execution service has answered nothing for {longest_ns / NS_PER_S:g} s"
        lost_s = now_s - self._connected_s
        if not self._has_been_connected or lost_s < longest_ns / NS_PER_S:
            return ""
        return f"the execution service has been lost for {longest_ns / NS_PER_S:g} s"

    def _lost_too_much(self) -> str:
        most = self._risk.kill_on.daily_loss
        if most is None:
            return ""
        loss = self._live.engine.risk_view.day_loss("")
        # Also when it is not a number: what is unknown is not within the limit.
        return "" if loss <= most else f"today's loss is {loss:.2f}, beyond risk.kill_on.daily_loss {most:g}"

    def _holds_fills(self) -> str:
        held = self._live.engine.held_fills.waiting
        if not held or not self._risk.kill_on.held_fills:
            return ""
        return f"a fill waits for a person, see `sengine fills`: {held[0].reason}"

    def _fails_too_often(self, now_s: float) -> str:
        most, within_s = self._risk.kill_on.faults, self._risk.kill_on.faults_within_ns / NS_PER_S
        if most is None:
            return ""
        count = self._live.faults
        self._faults.append((now_s, count))
        while self._faults[0][0] < now_s - within_s:
            self._faults.pop(0)
        fresh = count - self._faults[0][1]
        return "" if fresh < most else f"{fresh} errors of strategies within {within_s:g} s"
