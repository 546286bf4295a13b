"""The screens on a real engine behind the real API."""

from __future__ import annotations

from pathlib import Path

from sengine.adapters.control.client import ControlClient
from tests.adapters.served_engine import live_engine, served
from tests.engine.conftest import Actor, long, quote
from tests.tui.test_app import settled, text_of, told
from tui.app import EngineApp
from tui.link import LiveLink


async def test_screens_attach_to_an_engine_command_it_and_attach_again_after_it_was_gone(tmp_path: Path) -> None:
    live = live_engine(Actor("a", [long(0.9)]), Actor("b"))
    async with served(live, tmp_path) as (client, _):
        address = str(client.address)
        link = LiveLink(lambda: ControlClient(address), address)
        app = EngineApp(link)
        async with app.run_test(size=(120, 40)) as pilot:
            await settled(app, pilot, lambda: link.snapshot is not None)
            live.process(quote(1))
            await settled(app, pilot, lambda: link.signals.total >= 1)
            app.paint()
            await pilot.pause()
            assert "▲ long" in text_of(app)
            await pilot.press("p")
            await settled(app, pilot, lambda: told(app))
            await settled(app, pilot, lambda: "○ paused" in text_of(app))
            await pilot.press("K", "y")
            await settled(app, pilot, lambda: "KILL SWITCH ON" in text_of(app))


async def test_a_line_that_breaks_is_told_of_and_taken_up_again(tmp_path: Path) -> None:
    live = live_engine(Actor("a"))
    async with served(live, tmp_path) as (client, _):
        address = str(client.address)
        link = LiveLink(lambda: ControlClient(address), address)
        app = EngineApp(link)
        opening = app.run_test(size=(100, 30))
        pilot = await opening.__aenter__()
        await settled(app, pilot, lambda: link.snapshot is not None and not link.problem)
    await settled(app, pilot, lambda: link.problem)
    app.paint()
    await pilot.pause()
    assert "ENGINE NOT ANSWERING" in text_of(app)
    async with served(live, tmp_path):
        await settled(app, pilot, lambda: not link.problem)
    await opening.__aexit__(None, None, None)
