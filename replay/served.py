"""A replay behind the control API, so that the screens show and drive it as they do a live engine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

from replay.pacing import PacedReplay
from replay.result import RunResult
from replay.run import OpenReplay
from replay.session import ReplaySession
from sengine.adapters.control.server import ControlServer
from sengine.config import Config
from sengine.config.schema import ApiConfig
from sengine.domain.events import Shutdown
from sengine.domain.reload import ReloadReport
from sengine.engine.outcome import Outcome
from sengine.errors import LifecycleError
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.status import ServiceStatus


class ReplayHub(LiveEngine):
    """The hub of a replayed engine: what operators do enters the run's accounts, and what the run does is streamed."""

    def __init__(self, session: ReplaySession) -> None:
        super().__init__(session.engine, lambda: session.engine.now_ns)
        self._account = session.account
        session.observers.append(self._show)

    def _took(self, event: object, outcome: Outcome, received_ns: int = 0) -> None:
        self._account(outcome)

    def _show(self, outcome: Outcome) -> None:
        self._pass_on(outcome, 0)
        for notice in outcome.notices:
            self.say("warning", notice)


class ReplayContext:
    """What the control API asks of a service, as far as a replay has it."""

    def __init__(self, facts: ServiceStatus, paced: PacedReplay) -> None:
        self.facts = facts
        self._paced = paced

    async def reload(self, strategy_id: str) -> ReloadReport:
        raise LifecycleError(f"a replay runs {strategy_id} as it was read; its parameters can be edited")

    async def load(
        self, plugin: str, strategy_id: str, symbols: Sequence[str], config: dict[str, Any], isolation: str
    ) -> str:
        raise LifecycleError(f"a replay runs the strategies it began with; give {plugin} to the command instead")

    async def reload_risk(self, allow_loosening: bool) -> str:
        raise LifecycleError("a replay runs with the limits that it began with")

    def shutdown(self) -> None:
        self._paced.end()


def run_served(replay: OpenReplay, config: Config, listen: str, speed: float) -> RunResult:
    """Replay at an operator's pace, answering on ``listen``; SIGTERM and the API's ``Shutdown`` end it where it is."""
    return asyncio.run(_serve(replay, config, listen, speed))


async def _serve(replay: OpenReplay, config: Config, listen: str, speed: float) -> RunResult:
    session = replay.session
    hub, paced = ReplayHub(session), PacedReplay(replay.feed, session, speed)
    replay.log.on_line = hub.tell
    facts = ServiceStatus("replay", replay=paced, failed=replay.failed, strategies_are_loaded=True)
    control = ControlServer(hub, ReplayContext(facts, paced), ApiConfig(listen=listen), config.service.data_directory)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, paced.end)
    await control.start()
    try:
        await paced.run()
    except BaseException:
        session.engine.process(Shutdown())
        raise
    finally:
        await control.stop()
    return session.finish(paced.elapsed_s)
