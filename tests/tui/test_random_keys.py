from __future__ import annotations

import random

import pytest

from tests.tui import scenes
from tests.tui.test_app import opened
from tui.bindings import COMMANDS

KEYS = [command.key for command in COMMANDS if command.action != "quit_or_detach"] + [
    "up", "down", "left", "right", "tab", "shift+tab", "pagedown", "home", "end", "enter", "escape", "y", "n", "a",
    "backspace", "ctrl+s", "ctrl+p", "space", "q",
]  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
async def test_random_keys_never_crash_the_screens(seed: int) -> None:
    chosen = random.Random(seed)
    async with opened(scenes.busy(), (100, 30), owns_engine=True) as (app, pilot):
        for number in range(120):
            if app.return_value is not None:
                break
            app.simulate_key(chosen.choice(KEYS))
            if number % 8 == 0:
                app.paint()
                await pilot.pause()
                await pilot.resize_terminal(chosen.randrange(20, 200), chosen.randrange(5, 60))
        assert app.return_code in (None, 0)
