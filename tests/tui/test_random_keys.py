"""As many random keys as a fast typist presses in half a minute, ten a second, on a script and on a real engine."""

from __future__ import annotations

import random
import sys
from pathlib import Path
from time import monotonic

from tests.patience import PATIENCE_S
from tests.tui import scenes
from tests.tui.terminal import Terminal, needs_tmux
from tests.tui.test_app import opened
from tui.bindings import COMMANDS

PRESSED = 300
KEYS = [command.key for command in COMMANDS if command.action != "quit_or_detach"] + [
    "up", "down", "left", "right", "tab", "shift+tab", "pagedown", "home", "end", "enter", "escape", "y", "n", "a",
    "backspace", "ctrl+s", "ctrl+p", "space", "q",
]  # fmt: skip
NAMED = {"question_mark": "?", "slash": "/", "plus": "+", "minus": "-", "space": "Space", "shift+tab": "BTab"}
TYPED = [NAMED.get(key, key if len(key) == 1 else key.capitalize()) for key in KEYS if key not in ("q", "ctrl+p")]
TMUX = {"Pagedown": "NPage", "Backspace": "BSpace", "Ctrl+s": "C-s"}


async def test_random_keys_and_sizes_never_crash_the_screens() -> None:
    chosen = random.Random(1)
    async with opened(scenes.busy(), (100, 30), owns_engine=True) as (app, pilot):
        for number in range(PRESSED):
            if app.return_value is not None:
                break
            app.simulate_key(chosen.choice(KEYS))
            if number % 12 == 0:
                app.paint()
                await pilot.pause()
                await pilot.resize_terminal(chosen.randrange(20, 200), chosen.randrange(5, 60))
        assert app.return_code in (None, 0)


@needs_tmux
def test_random_keys_on_a_real_engine_leave_it_and_its_screens_alive(tmp_path: Path) -> None:
    chosen = random.Random(2)
    with Terminal(tmp_path, 100, 30) as terminal:
        terminal.run(f"{sys.executable} -m sengine demo; echo left=$?")
        terminal.until("trading", "1 Strategies")
        for _ in range(PRESSED // 20):
            terminal.keys(*(TMUX.get(key, key) for key in chosen.choices(TYPED, k=10)))
        # Out of whatever the keys have opened. An escape and a key at once would be alt+key, and a busy machine may act
        # on an escape only when the question that it closes is on the screen already.
        end_s = monotonic() + PATIENCE_S
        while not terminal.shows("left=0", within_s=0.1):
            assert monotonic() < end_s, terminal.screen()
            terminal.keys("Escape")
            terminal.shows("Leave the screens", within_s=0.3)
            terminal.keys("q")
            if terminal.shows("Leave the screens", within_s=1):
                terminal.keys("s")
                terminal.shows("left=0", within_s=5)
