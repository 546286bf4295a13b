"""A configuration that may be shown: as plain values, with its secrets left out."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from sengine.config.durations import format_duration
from sengine.config.raw import names_secret
from sengine.config.schema import Config

SECRET: Final = "***"  # noqa: S105 - what is shown in its place
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
            each = getattr(value, field.name)
            is_duration = isinstance(each, int) and field.name.endswith("_ns")
            shown[field.encode_name] = format_duration(each) if is_duration else plain(each, field.name)
        return shown
    if isinstance(value, dict):
        return {name: plain(each, str(name)) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each, key) for each in value]
    if is_secret(key, value):
        return SECRET
    return _LOGIN_IN_ADDRESS.sub(SECRET, value) if isinstance(value, str) else value


def is_secret(key: str, value: Any) -> bool:
    """Whether a single value of this key is one that must not be shown. A number called seed is one for chance."""
    if not value or isinstance(value, bool) or not names_secret(key):
        return False
    return isinstance(value, str) or not key.lower().endswith("seed")


def holds_login(value: str) -> bool:
    """Whether there is a login in an address."""
    return _LOGIN_IN_ADDRESS.search(value) is not None


def with_secrets(shown: Any, actual: Any, key: str = "") -> Any:
    """What came back from somebody who was shown ``plain(actual)``, with the secrets of ``actual`` where they were
    left alone."""
    if isinstance(shown, dict) and isinstance(actual, dict):
        return {name: with_secrets(each, actual.get(name), str(name)) for name, each in shown.items()}
    if isinstance(shown, list) and isinstance(actual, list | tuple) and len(shown) == len(actual):
        return [with_secrets(each, was, key) for each, was in zip(shown, actual, strict=True)]
    return actual if isinstance(shown, str) and SECRET in shown and shown == plain(actual, key) else shown
