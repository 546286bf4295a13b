"""A configuration that may be shown: as plain values, with its secrets left out."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sengine.config.durations import format_duration
from sengine.config.schema import Config

SECRET: Final = "***"
# Sections name theirs so, and strategies, whose parameters are free, mostly do.
_SECRET_KEY = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|api_?key|private_?key|seed|credentials)$", re.IGNORECASE
)
_LOGIN_IN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def redacted(config: Config) -> dict[str, Any]:
    """``config`` as plain values under its YAML keys; what is secret, and is set, is ``SECRET``."""
    shown = plain(config)
    assert isinstance(shown, dict)
    return shown


def plain(value: Any, key: str = "") -> Any:
    """Any part of a configuration as plain values, without its secrets; ``key`` is what it is called."""
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__.tag
        shown = {value.__struct_config__.tag_field: tag} if tag is not None else {}
        for field in msgspec.structs.fields(value):
            shown[field.encode_name] = plain(getattr(value, field.name), field.name)
        return shown
    if isinstance(value, dict):
        # What is free to be called anything is no duration of ours.
        return {name: each if isinstance(each, int) else plain(each, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, key) for each in value]
    if value and _SECRET_KEY.search(key):
        return SECRET
    if isinstance(value, int) and key.endswith("_ns"):
        return format_duration(value)
    return _LOGIN_IN_ADDRESS.sub(SECRET, value) if isinstance(value, str) else value
