from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from replay.csv_feed import CsvFeed
from replay.pacing import DueEvents, PacedReplay
from replay.session import ReplaySession
from sengine.domain.events import MarketEvent
from sengine.errors import LifecycleError
from tests.patience import PATIENCE_S
from tests.replay.conftest import Lab, S


class Events:
    """A feed of given events."""

    path = "events"
    size_bytes = 0

    def __init__(self, events: list[MarketEvent]) -> None:
        self._events = events
        self.read = 0

    def __iter__(self):
        for event in self._events:
            self.read += 1
            yield event

    def position(self) -> str:
        return f"event {self.read}"

    def fraction_done(self) -> float | None:
        return self.read / len(self._events)

    def close(self) -> None:
        pass


def paced(lab: Lab, count: int = 20, speed: float = 0.0) -> tuple[PacedReplay, ReplaySession]:
    session = ReplaySession(lab.engine({"a": []}))
    return PacedReplay(Events([lab.quote(at) for at in range(count)]), session, speed), session


async def until(condition: Callable[[], object]) -> None:
    deadline_s = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < deadline_s, "what was waited for did not come"
        await asyncio.sleep(0.001)


def drive(replay: PacedReplay, **how: object) -> str:
    return replay.drive(**({"is_paused": None, "speed": None, "steps": 0, "finish": False} | how))


def test_no_event_is_read_before_the_one_ahead_of_it_is_taken(lab: Lab) -> None:
    feed = Events([lab.quote(at) for at in range(5)])
    events = DueEvents(feed)
    assert [event.timestamp_ns for event in events.due(1 * S)] == [0, 1 * S]
    assert feed.read == 3
    seen = [(event.timestamp_ns, feed.read) for event in events.due(9 * S, most=2)]
    assert seen == [(2 * S, 3), (3 * S, 4)]
    assert not events.are_over
    assert len(list(events.due(9 * S))) == 1
    assert events.next_ns() is None
    assert events.are_over


async def test_as_fast_as_it_goes_a_replay_runs_to_its_end_and_stays_there(lab: Lab) -> None:
    replay, session = paced(lab)
    running = asyncio.create_task(replay.run())
    await until(lambda: replay.is_over)
    assert session.engine.ticks == 20
    assert not running.done()
    with pytest.raises(LifecycleError, match="the replay is over"):
        drive(replay, steps=1)
    replay.end()
    await running


async def test_a_paused_replay_processes_what_is_stepped_and_no_more(lab: Lab) -> None:
    replay, session = paced(lab)
    assert drive(replay, is_paused=True) == "the replay is paused"
    running = asyncio.create_task(replay.run())
    drive(replay, steps=1)
    await until(lambda: session.engine.ticks == 1)
    drive(replay, steps=3)
    await until(lambda: session.engine.ticks == 4)
    assert replay.is_paused
    assert drive(replay, finish=True) == "the rest is replayed as fast as it goes"
    await running
    assert session.engine.ticks == 20


async def test_events_come_at_the_pace_asked_for(lab: Lab) -> None:
    replay, session = paced(lab, speed=1.0)
    running = asyncio.create_task(replay.run())
    await until(lambda: session.engine.ticks == 1)
    assert drive(replay, speed=100.0) == "replaying at 100x"
    began_s = monotonic()
    await until(lambda: session.engine.ticks == 20)
    # At 1x it would be 19 s.
    assert 0.15 < monotonic() - began_s < 15
    replay.end()
    await running


async def test_what_the_files_raise_ends_the_replay(lab: Lab) -> None:
    replay, _ = paced(lab)
    replay._events._events = (1 // 0 for _ in range(1))
    with pytest.raises(ZeroDivisionError):
        await replay.run()


async def test_how_far_a_small_file_is_follows_its_events_also_when_it_was_read_at_once(
    lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "small.csv"
    rows = (f"{at},BTC,99,1,101,1\n" for at in range(20))
    path.write_text("timestamp,symbol,bid_price,bid_qty,ask_price,ask_qty\n" + "".join(rows))
    session = ReplaySession(lab.engine({"a": []}))
    replay = PacedReplay(CsvFeed(path, pytest.fail), session, 0.0)
    drive(replay, is_paused=True)
    running = asyncio.create_task(replay.run())
    for ticks in (1, 6, 11):
        drive(replay, steps=1 if ticks == 1 else 5)
        await until(lambda ticks=ticks: session.engine.ticks == ticks)
        # One more may have been read, to know when it is due.
        assert replay.fraction_done == pytest.approx(ticks / 20, abs=0.051)
    drive(replay, is_paused=False)
    await until(lambda: replay.is_over)
    assert replay.fraction_done == 1.0
    replay.end()
    await running
