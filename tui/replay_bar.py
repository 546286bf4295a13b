"""The line of a replay: how far it is, at which pace and moment, and the keys that drive it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from rich.text import Text
from textual.widgets import Static

from sengine.adapters.control.views import ReplayView, SnapshotView
from sengine.clock import NS_PER_S
from tui import figures
from tui.themes import Palette

_KEYS: Final = "space pauses  n steps  + faster  - slower "
_FEW_KEYS: Final = "space n + - "


class ReplayBar(Static):
    """There only when what is shown is a replay."""

    def show(self, snapshot: SnapshotView, palette: Palette) -> None:
        replay = snapshot.replay
        self.display = replay is not None
        if replay is None:
            return
        width = self.size.width or self.app.size.width
        state, style = _state(replay, palette)
        line = Text(f" {state:<16}", style, no_wrap=True, end="")
        if replay.fraction_done is not None:
            line.append(figures.bar(replay.fraction_done, max(10, min(40, width // 4))), palette.accent)
            line.append(f" {replay.fraction_done:>4.0%}", palette.bold)
        line.append(f"  {_moment(snapshot.now_ns)}", palette.text)
        room = width - line.cell_len - 2
        keys = ["q prints the result "] if replay.is_over else [_KEYS, _FEW_KEYS]
        for text in keys:
            if len(text) <= room:
                line.append(text.rjust(room + 2), palette.dim)
                break
        self.update(line, layout=False)


def _state(replay: ReplayView, palette: Palette) -> tuple[str, str]:
    pace = f"{replay.speed:g}x" if replay.speed else "max"
    if replay.is_over:
        return "■ replayed", palette.bold
    if replay.is_paused:
        return f"⏸ paused  {pace}", palette.warn
    return f"▶ replay  {pace}", palette.up


def _moment(now_ns: int) -> str:
    return datetime.fromtimestamp(now_ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S") if now_ns else ""
