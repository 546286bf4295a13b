"""Pictures of the screens as they are to be; `pytest tests/tui --snapshot-update` takes them anew."""

from __future__ import annotations

from collections.abc import Callable
from math import sin
from typing import Any

import pytest
from textual.pilot import Pilot

from sengine.clock import NS_PER_S
from tests.tui import scenes
from tui.app import EngineApp
from tui.fake_link import FakeLink


@pytest.mark.parametrize(
    ("scene", "size", "keys"),
    [
        pytest.param(scenes.busy, (80, 24), [], id="busy-80x24"),
        pytest.param(scenes.busy, (120, 40), [], id="busy-120x40"),
        pytest.param(scenes.busy, (200, 60), [], id="busy-200x60"),
        pytest.param(scenes.empty, (120, 40), [], id="empty"),
        pytest.param(scenes.disconnected, (120, 40), [], id="disconnected"),
        pytest.param(scenes.killed, (120, 40), ["t"], id="killed-light"),
        pytest.param(scenes.busy, (120, 40), ["question_mark"], id="help"),
        pytest.param(scenes.busy, (120, 40), ["K"], id="confirmation"),
        pytest.param(scenes.busy, (120, 40), ["down", "down", "down", "d"], id="strategy"),
        pytest.param(scenes.busy, (120, 40), ["b"], id="symbol"),
    ],
)
def test_the_screen_looks_as_it_did(
    scene: Callable[[], FakeLink], size: tuple[int, int], keys: list[str], snap_compare: Any
) -> None:
    async def before(pilot: Pilot[str]) -> None:
        await pilot.pause()
        app = pilot.app
        assert isinstance(app, EngineApp)
        app.history.add(scenes.empty_snapshot())
        app.history.times_ns[:] = [scenes.NOW_NS - (60 - n) * 30 * NS_PER_S for n in range(61)]
        app.history.pnl[:] = [40 * sin(n / 7) + n * 0.7 for n in range(61)]
        app.paint()
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        if "K" not in keys:
            await app.workers.wait_for_complete()
        for _ in range(3):
            app.paint()
            await pilot.pause()

    assert snap_compare(EngineApp(scene()), terminal_size=size, run_before=before)
