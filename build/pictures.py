"""The pictures of the screens in docs/images, taken of a demo that really trades: ``python build/pictures.py``.

About a minute and a half, most of it so that there is something on them.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Final, NamedTuple

from sengine.adapters.control.client import ControlClient
from sengine.config import load_config
from sengine.resources import resource_path
from tui.app import EngineApp
from tui.link import LiveLink

IMAGES: Final = Path(__file__).parents[1] / "docs" / "images"
TRADES_FOR_S: Final = 45.0
PATIENCE_S: Final = 30.0
FONT: Final = re.compile(r"@font-face\s*\{[^}]*\}")


class Picture(NamedTuple):
    """A file, the terminal's columns and rows, the keys that lead there, and a text that shows it is there."""

    name: str
    size: tuple[int, int]
    keys: Sequence[str]
    shows: str


PICTURES: Final = (
    Picture("tui.svg", (120, 40), (), "Signals"),
    Picture("tui-80x24.svg", (80, 24), (), "Positions"),
    Picture("tui-strategy.svg", (120, 40), ("d",), "Its signals"),
    Picture("tui-parameters.svg", (120, 40), ("e",), "short_window"),
    Picture("tui-flatten.svg", (120, 40), ("F",), "Flatten "),
)


def main() -> None:
    # A folder with a short name and no user's: it is on the pictures.
    folder = Path(tempfile.gettempdir()) / "demo"
    folder.mkdir()
    try:
        shutil.copytree(resource_path("strategies"), folder / "strategies")
        take_of_demo(folder)
    finally:
        shutil.rmtree(folder)


def take_of_demo(folder: Path) -> None:
    settings = [f"service.data_directory={folder}", f"plugins.directory={folder / 'strategies'}"]
    command = [sys.executable, "-m", "sengine", "demo", "--no-tui"]
    engine = subprocess.Popen(
        [*command, *(word for setting in settings for word in ("--set", setting))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        asyncio.run(take_all(folder / "engine.sock"))
    finally:
        engine.send_signal(signal.SIGTERM)
        engine.wait(PATIENCE_S)


async def take_all(socket: Path) -> None:
    address = f"unix:{socket}"
    began_s = monotonic()
    await until(socket.exists, "the demo's socket")
    await asyncio.sleep(max(0.0, began_s + TRADES_FOR_S - monotonic()))
    settings = load_config(None, overrides=[f"service.data_directory={socket.parent}"])
    for picture in PICTURES:
        app = EngineApp(LiveLink(lambda: ControlClient.of_config(settings), address))
        async with app.run_test(size=picture.size) as pilot:
            await shown(app, "trading")
            await pilot.press(*picture.keys)
            await shown(app, picture.shows)
            await asyncio.sleep(2.0)  # curves and rates of more than one answer
            (IMAGES / picture.name).write_text(FONT.sub("", app.export_screenshot(title="sengine")))
            print(picture.name)


async def shown(app: EngineApp, text: str) -> None:
    def is_shown() -> bool:
        return text in re.sub(r"<[^>]+>", "", app.export_screenshot()).replace("&#160;", " ")

    await until(is_shown, f'"{text}"')


async def until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = monotonic() + PATIENCE_S
    while not condition():
        if monotonic() > deadline_s:
            raise SystemExit(f"pictures: {what} did not come within {PATIENCE_S:g} s")
        await asyncio.sleep(0.1)


if __name__ == "__main__":
    main()
