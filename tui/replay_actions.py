"""The actions that drive a replay: pause, step, speed. They answer on the replay's line, not with a toast each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from sengine.adapters.control.views import ReplayView
from sengine.errors import SengineError
from tui.commanding import CommandingApp
from tui.link import EngineLink
from tui.screens.details import Detail

# Rising; 0 is as fast as it goes.
SPEEDS: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 0.0)


class ReplayActions(CommandingApp):
    def __init__(self, link: EngineLink, *, is_read_only: bool = False, owns_engine: bool = False) -> None:
        super().__init__(link, is_read_only=is_read_only, owns_engine=owns_engine)
        # One after the other: each begins where the one before has led.
        self._driving = asyncio.Lock()

    def action_replay_pause(self) -> None:
        self._drive("replay_pause", lambda replay: {"is_paused": not replay.is_paused})

    def action_replay_step(self) -> None:
        self._drive("replay_step", lambda _: {"steps": 1})

    def action_replay_faster(self) -> None:
        self._drive("replay_faster", lambda replay: {"speed": _faster(replay.speed)})

    def action_replay_slower(self) -> None:
        self._drive("replay_slower", lambda replay: {"speed": _slower(replay.speed)})

    def _drive(self, action: str, how: Callable[[ReplayView], dict[str, Any]]) -> None:
        if not self._may(action) or self.frame is None:
            return
        if self.frame.snapshot.replay is None:
            self.tell("this engine trades live; only a replay is paused, stepped and paced", "warning")
        else:
            self.run_worker(self._driven(how), group="commands")

    async def _driven(self, how: Callable[[ReplayView], dict[str, Any]]) -> None:
        async with self._driving:
            snapshot = self.link.snapshot
            if snapshot is None or snapshot.replay is None:
                return
            try:
                await self.link.commands.drive_replay(**how(snapshot.replay))
            except SengineError as error:
                self.tell(f"replay: {error}", "error")
            await self.link.refresh()
        self.paint()
        if isinstance(self.screen, Detail):
            self.screen.ask()


def _faster(speed: float) -> float:
    return next((each for each in SPEEDS if each > speed), 0.0) if speed else 0.0


def _slower(speed: float) -> float:
    return max((each for each in SPEEDS if each and (each < speed or not speed)), default=speed)
