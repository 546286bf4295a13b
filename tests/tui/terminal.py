"""A real terminal for tests: a tmux server of its own, whose screen is read and whose keys are pressed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from shutil import which
from time import monotonic, sleep

import pytest

from tests.cli.conftest import CHECKOUT
from tests.patience import PATIENCE_S

needs_tmux = pytest.mark.skipif(which("tmux") is None, reason="tmux is not installed")
_DEADLINE_S = PATIENCE_S
_POLL_S = 0.02


class Terminal:
    """``with Terminal(folder, 80, 24) as terminal``: a shell in ``folder``, with a user's directories of its own."""

    def __init__(self, folder: Path, width: int = 80, height: int = 24, **environment: str) -> None:
        self.folder = folder
        self.socket = folder / "tmux.sock"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SENGINE_", "TMUX"))}
        # The last two would stand for the terminal's own size, also after it was resized.
        for name in ("NO_COLOR", "COLUMNS", "LINES"):
            kept.pop(name, None)
        own = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config"), "PYTHONPATH": str(CHECKOUT)}
        self._environment = kept | own | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | environment
        self._size = ("-x", str(width), "-y", str(height))

    def __enter__(self) -> Terminal:
        shell = "PS1='$ ' exec bash --norc --noprofile"
        self._tmux("-f", "/dev/null", "new-session", "-d", *self._size, "-c", str(self.folder), shell)
        self._tmux("set-option", "-g", "status", "off")
        self._tmux("set-option", "-g", "escape-time", "0")
        self.until("$ ")
        return self

    def __exit__(self, *_: object) -> None:
        self._tmux("kill-server")

    def keys(self, *names: str) -> None:
        """Press keys, by tmux's names: ``Enter``, ``Space``, ``Escape``, ``p``."""
        self._tmux("send-keys", *names)

    def run(self, command: str) -> None:
        self._tmux("send-keys", "-l", command)
        self.keys("Enter")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, *, with_style: bool = False) -> str:
        return self._tmux("capture-pane", "-p", "-J", *(["-e"] if with_style else []))

    def until(self, *texts: str, gone: str = "", deadline_s: float = _DEADLINE_S) -> str:
        """Wait until all ``texts`` are on the screen and ``gone`` is not; returns the screen."""
        end_s = monotonic() + deadline_s
        while True:
            screen = self.screen()
            if all(text in screen for text in texts) and not (gone and gone in screen):
                return screen
            assert monotonic() < end_s, f"waited for {texts} (and {gone!r} to go) and saw:\n{screen}"
            sleep(_POLL_S)

    def shows(self, text: str, within_s: float) -> bool:
        """Whether ``text`` comes onto the screen in time."""
        end_s = monotonic() + within_s
        while text not in self.screen():
            if monotonic() > end_s:
                return False
            sleep(_POLL_S)
        return True

    def processes(self, part: str) -> list[int]:
        """Ids of the processes whose command line holds ``part``."""
        found = []
        for line in subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines():
            pid, _, arguments = line.strip().partition(" ")
            if part in arguments and "tmux" not in arguments:
                found.append(int(pid))
        return found

    def _tmux(self, *arguments: str) -> str:
        ran = subprocess.run(
            ["tmux", "-S", str(self.socket), *arguments], env=self._environment, capture_output=True, text=True
        )
        return ran.stdout
