from __future__ import annotations

from itertools import pairwise

import pytest
from msgspec.structs import replace

from sengine.adapters.control.views import ReplayView
from tests.tui import scenes
from tests.tui.test_app import opened, settled, text_of, told
from tui.fake_link import FakeLink
from tui.replay_actions import SPEEDS, _faster, _slower
from tui.screens.dialogs import Leave


def replayed(*, is_over: bool = False) -> FakeLink:
    link = scenes.busy()
    assert link.snapshot is not None
    view = ReplayView(source="quotes.csv", fraction_done=0.43, speed=10.0, is_paused=False, is_over=is_over)
    link.snapshot = replace(link.snapshot, replay=view)
    return link


async def test_a_replay_shows_how_far_it_is_and_keys_pause_step_and_pace_it() -> None:
    link = replayed()
    async with opened(link) as (app, pilot):
        assert "▶ replay  10x" in text_of(app)
        assert "43%  2023-11-14 22:13:20" in text_of(app)
        assert "space pauses" in text_of(app)
        await pilot.press("plus", "plus", "minus", "n", "space")
        await settled(app, pilot, lambda: len(link.asked) == 5)
        assert [each[1:4] for each in link.asked] == [
            (None, 20.0, 0), (None, 50.0, 0), (None, 20.0, 0), (None, None, 1), (False, None, 0),
        ]  # fmt: skip
        await settled(app, pilot, lambda: "▶ replay  20x" in text_of(app))
        link.refusal = "the replay is over"
        await pilot.press("n")
        await settled(app, pilot, lambda: "replay: the replay is over" in told(app))
        await pilot.resize_terminal(80, 24)
        await settled(app, pilot, lambda: "space n + -" in text_of(app))


async def test_leaving_a_replay_asks_whether_to_finish_it() -> None:
    link = replayed()
    async with opened(link, owns_engine=True) as (app, pilot):
        await pilot.press("q")
        await settled(app, pilot, lambda: isinstance(app.screen, Leave))
        await pilot.press("f")
        await settled(app, pilot, lambda: app.return_value == "detach")
        assert link.asked == [("drive_replay", None, None, 0, True)]


async def test_leaving_a_replay_that_is_over_asks_nothing() -> None:
    async with opened(replayed(is_over=True), owns_engine=True) as (app, pilot):
        assert "q prints the result" in text_of(app)
        await pilot.press("q")
        await settled(app, pilot, lambda: app.return_value == "stop")


async def test_a_live_engine_is_not_driven() -> None:
    link = scenes.busy()
    async with opened(link) as (app, pilot):
        await pilot.press("space")
        await settled(app, pilot, lambda: "this engine trades live" in told(app))
        assert link.asked == []


@pytest.mark.parametrize(("begin", "end"), list(pairwise(SPEEDS)))
def test_faster_and_slower_go_through_the_speeds_up_to_as_fast_as_it_goes(begin: float, end: float) -> None:
    assert _faster(begin) == end
    assert _slower(end) == begin
    assert _faster(0.0) == 0.0
    assert _slower(1.0) == 1.0
