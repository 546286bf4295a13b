from __future__ import annotations

import asyncio
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from time import monotonic

import pytest
import structlog

from sengine.adapters.containment.watchdog import Watchdog
from sengine.engine.core import Engine
from sengine.engine.orders.simulated_venue import SimulatedVenue
from sengine.engine.risk.pipeline import RiskPipeline
from sengine.engine.state.portfolio import Portfolio
from sengine.engine.state.votes import VoteBook
from sengine.runtime.live_engine import LiveEngine
from sengine.runtime.logging import configure_logging
from tests.patience import PATIENCE_S


@pytest.fixture
def log_for_a_person(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    log = StringIO()
    monkeypatch.setattr("sys.stderr", log)
    configure_logging("warning", "console")
    yield log
    structlog.reset_defaults()


async def test_it_tells_a_person_where_the_loop_was_held_up_and_goes_on(
    tmp_path: Path, log_for_a_person: StringIO
) -> None:
    engine = Engine(VoteBook("weighted_average", 1), RiskPipeline([]), Portfolio(1e5), SimulatedVenue())
    live = LiveEngine(engine)
    watching = asyncio.create_task(Watchdog(live, tmp_path / "held_up.txt", 0.05).run())
    await asyncio.sleep(0)
    deadline_s = monotonic() + PATIENCE_S
    while len(live.logs.history) < 2:
        assert not watching.done(), watching.exception()
        assert monotonic() < deadline_s, "the watchdog did not tell"
        held_up_until_s = monotonic() + 0.2
        while monotonic() < held_up_until_s:
            pass
        await asyncio.sleep(0.02)  # it is told of, and wound up again
    assert not watching.done()
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    assert "test_watchdog.py" in live.logs.history[0].fields["where"]
    assert "the loop was held up" in log_for_a_person.getvalue()
