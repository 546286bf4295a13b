"""What the screens remember of the last time: theme, panel and sort orders, in the user's configuration directory."""

from __future__ import annotations

from pathlib import Path

import msgspec
import platformdirs


class Preferences(msgspec.Struct, kw_only=True):
    theme: str = "sengine-dark"
    panel: str = "strategies"
    maximised: bool = False
    sorts: dict[str, tuple[str, bool]] = {}
    """By table: the column, and whether it is turned round."""


def preferences_file() -> Path:
    return platformdirs.user_config_path("sengine") / "screens.json"


def read_preferences(file: Path) -> Preferences:
    """What the file says; the defaults where there is none, or one that cannot be read."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Preferences)
    except (OSError, msgspec.DecodeError):
        return Preferences()


def write_preferences(file: Path, preferences: Preferences) -> str:
    """Replace the file in one step. Returns why that failed, or an empty text."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_suffix(".new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(preferences)))
        beside.replace(file)
    except OSError as error:
        return f"{file}: cannot be written: {error.strerror}"
    return ""
