"""The kill switch of a running engine: the file that remembers it, the signal, and what pulls it without a person.

``KILL`` in the data directory is the switch. Whoever makes that file pulls it; however it is pulled, the file is there
afterwards and holds the reason; an engine that finds it starts killed. Only re-arming takes it away.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Final

from sengine.clock import NS_PER_S
from sengine.config.risk_schema import RiskConfig
from sengine.domain.events import Flatten, KillSwitch
from sengine.runtime.audit import AuditTrail
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import CONNECTED, ServiceFacts

FILE_NAME: Final = "KILL"
_LOOK_EVERY_S: Final = 0.1
_LONGEST_REASON: Final = 500
_RESERVED: Final = b" " * 2048


class KillSwitchKeeper:
    """Keeps the file and the engine's switch the same, and pulls it when a configured trigger says so.

    Each trigger pulls once when it becomes true, so that a person can re-arm while, say, the day's loss stands.
    """

    def __init__(
        self,
        live: LiveEngine,
        facts: ServiceFacts,
        risk: RiskConfig,
        directory: Path,
        audit: AuditTrail,
        clock_s: Callable[[], float],
    ) -> None:
        self.path = directory / FILE_NAME
        self._live = live
        self._facts = facts
        self._risk = risk
        self._audit = audit
        self._clock_s = clock_s
        self._is_killed = False
        self._is_forgetful = False
        self._has_been_connected = False
        self._connected_s = inf
        self._faults: list[tuple[float, int]] = []
        self._true: set[str] = set()

    def restore(self) -> None:
        """Pull the switch again where it was pulled when the last engine ended, and follow it from now on."""
        self._live.on_kill_switch = self._changed
        self._reserve()
        self._follow_file("an earlier session, or whoever may write to the data directory")

    def pull(self, reason: str, who: str, how: str) -> None:
        """Pull it, unless it is pulled."""
        if self._live.engine.kill_reason:
            return
        self._live.take(KillSwitch(reason))
        self._audit.record(who, how, "KillSwitch", f"kill switch pulled: {reason}")

    def pull_by_signal(self) -> None:
        self.pull("SIGUSR1", "whoever may signal this process", "SIGUSR1")

    async def watch(self) -> None:
        """Look at the file and the triggers, ten times a second, for as long as the engine runs."""
        while True:
            # What the switch was at some moment of an earlier session is not what it is.
            if not self._live.is_recovering:
                self.look()
            await asyncio.sleep(_LOOK_EVERY_S)

    def look(self) -> None:
        """Pull the switch where the file or a trigger asks for it."""
        self._follow_file()
        now_s = self._clock_s()
        for name, reason in (
            ("execution_lost_for", self._execution_is_lost(now_s)),
            ("daily_loss", self._lost_too_much()),
            ("faults", self._fails_too_often(now_s)),
        ):
            if not reason:
                self._true.discard(name)
            elif name not in self._true:
                self._true.add(name)
                self.pull(reason, "the engine", f"risk.kill_on.{name}")

    # The file.

    def _follow_file(self, who: str = "whoever may write to the data directory") -> None:
        if self._live.engine.kill_reason:
            # A person who removes the file has not re-armed: the next engine must still find it.
            if not self.path.exists():
                self._write(self._live.engine.kill_reason)
            return
        try:
            text = self.path.read_text("utf-8", "replace")[:_LONGEST_REASON].strip()
        except FileNotFoundError:
            return
        except OSError as error:
            text = f"it is there and cannot be read: {error.strerror}"
        self.pull(text or "the file KILL in the data directory", who, FILE_NAME)

    def _changed(self, reason: str) -> None:
        """The engine's switch was pulled or re-armed."""
        if reason:
            self._write(reason)
            if self._risk.kill_flattens and not self._is_killed:
                self._live.take(Flatten(reason=f"kill switch: {reason}"))
        else:
            with suppress(FileNotFoundError):
                self.path.unlink()
            self._sync_directory()
            self._reserve()
        self._is_killed = bool(reason)

    @property
    def _new(self) -> Path:
        return self.path.with_name(f".{FILE_NAME}.new")

    def _reserve(self) -> None:
        """Keep the room that the file will take: a full disk is one of the reasons to pull the switch."""
        with suppress(OSError):
            self._put(_RESERVED)

    def _put(self, content: bytes) -> None:
        # Not truncated first: that would give the room away.
        file = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(file, content)
            os.ftruncate(file, len(content))
            os.fsync(file)
        finally:
            os.close(file)

    def _write(self, reason: str) -> None:
        """In place for good before it counts, so that the end of the machine does not re-arm."""
        try:
            self._put(f"{reason}\n".encode()[: len(_RESERVED)])
            self._new.replace(self.path)
            self._sync_directory()
            self._is_forgetful = False
        except OSError as error:
            # Tried again with each look; a full disk is told of once.
            if not self._is_forgetful:
                self._live.say(
                    "error",
                    "the kill switch is pulled, but not remembered: do not restart before you have looked",
                    file=str(self.path),
                    reason=error.strerror,
                )
            self._is_forgetful = True

    def _sync_directory(self) -> None:
        directory = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

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
