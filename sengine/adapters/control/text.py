"""Texts of the control API: bounded, always encodable, without secrets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PosixPath, WindowsPath
from typing import Any, Final

import orjson

from sengine.config.redact import plain
from sengine.engine.strategies.plain_values import type_name

# The texts of a stream's messages are bounded, whatever a strategy or a service put into them.
LONGEST_TEXT: Final = 16_384
LONGEST_REASON: Final = 500


def config_text(config: Mapping[str, Any]) -> str:
    """Parameters as JSON, without their secrets; ``with_secrets`` takes them back."""
    return json_text(plain(dict(config)))


def json_text(value: Any) -> str:
    """JSON of plain values; of anything else the name of its class, so that no code of a strategy runs here."""
    try:
        text = orjson.dumps(value, default=_named, option=orjson.OPT_NON_STR_KEYS).decode()
    except (TypeError, ValueError) as error:
        text = orjson.dumps({"error": f"it cannot be shown: {error}"}).decode()
    return text if len(text) <= LONGEST_TEXT else orjson.dumps({"cut": text[:1000]}).decode()


def _named(value: object) -> str:
    return str(value) if type(value) in (PosixPath, WindowsPath) else type_name(type(value))


def bounded_reason(text: str) -> str:
    """What an operator gives as a reason: it is in each record and on each screen from then on."""
    return text[:LONGEST_REASON] or "operator"


def bounded_text(text: str) -> str:
    """Bounded, and always encodable: an exception's message can hold anything."""
    if len(text) > LONGEST_TEXT:
        text = text[: LONGEST_TEXT // 2] + "\n...\n" + text[-LONGEST_TEXT // 2 :]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()
