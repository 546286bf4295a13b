"""Durations in configuration: written ``5s``, ``250ms`` or ``1m`` (a bare number is seconds), kept as nanoseconds."""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

from msgspec import Meta

from sengine.clock import NS_PER_MS, NS_PER_S, NS_PER_US, parse_duration_ns

KIND: Final = "kind"
DURATION: Final = "duration"
LONGEST_NS: Final = 2**63 - 1

Duration: TypeAlias = Annotated[int, Meta(extra={KIND: DURATION})]
"""The type of a configuration field that is written as a duration; its value is ``int`` nanoseconds."""

_UNITS_NS: Final = {
    "d": 86_400 * NS_PER_S,
    "h": 3_600 * NS_PER_S,
    "m": 60 * NS_PER_S,
    "s": NS_PER_S,
    "ms": NS_PER_MS,
    "us": NS_PER_US,
    "ns": 1,
}


def read_duration_ns(value: object) -> int | None:
    """Nanoseconds of a duration as written, or ``None`` where it is no duration or does not fit in 64 bits."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        duration_ns = parse_duration_ns(value)
    except ValueError:
        return None
    return duration_ns if duration_ns <= LONGEST_NS else None


def format_duration(duration_ns: int) -> str:
    """The shortest text that reads back as the same duration: ``5s``, ``250ms``, ``1m``."""
    if duration_ns == 0:
        return "0s"
    unit = next(unit for unit, unit_ns in _UNITS_NS.items() if duration_ns % unit_ns == 0)
    return f"{duration_ns // _UNITS_NS[unit]}{unit}"
