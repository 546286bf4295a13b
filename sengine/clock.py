"""Time as the engine keeps it: ``int`` nanoseconds since the Unix epoch, UTC.

Nothing here reads a clock. What comes in from outside (text or epoch numbers) is parsed to nanoseconds,
what goes out to people is formatted from them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_NS: Final = 2**63 - 1

# The size of an epoch number tells its unit. In seconds these bounds are the year 5138, so that
# every date from 1973 on is told apart: 1e11 s, 1e11 ms = 1973, and so on for us and ns.
_SECONDS_BELOW: Final = 10**11
_MILLISECONDS_BELOW: Final = 10**14
_MICROSECONDS_BELOW: Final = 10**17

_NUMBER: Final = re.compile(r"[+-]?\d{1,30}(\.\d{0,30})?([eE][+-]?\d{1,2})?", re.ASCII)
_ISO: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[T ](\d{2}:\d{2}(?::\d{2})?)(?:[.,](\d{1,18}))?\s?(Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?",
    re.ASCII,
)
DURATION_PATTERN: Final = r"(\d{1,15}(?:\.\d{1,9})?)\s*(ns|us|ms|s|m|h|d)"
"""What a duration looks like as text, without the spaces around it."""
_DURATION: Final = re.compile(DURATION_PATTERN, re.ASCII)
_DURATION_UNITS_NS: Final = {
    "ns": 1,
    "us": NS_PER_US,
    "ms": NS_PER_MS,
    "s": NS_PER_S,
    "m": 60 * NS_PER_S,
    "h": 3600 * NS_PER_S,
    "d": 86400 * NS_PER_S,
}


def epoch_unit_ns(number: int | Decimal) -> int:
    """How many nanoseconds one unit of this epoch number is, told from its size (s, ms, us or ns)."""
    size = -number if number < 0 else number
    if size < _SECONDS_BELOW:
        return NS_PER_S
    if size < _MILLISECONDS_BELOW:
        return NS_PER_MS
    if size < _MICROSECONDS_BELOW:
        return NS_PER_US
    return 1


def epoch_to_ns(number: int | float | Decimal) -> int:
    """Nanoseconds of an epoch number in s, ms, us or ns. Raises ``ValueError`` outside the years 1678 to 2262."""
    if isinstance(number, float):
        number = Decimal(repr(number))
    if isinstance(number, Decimal) and not number.is_finite():
        raise ValueError(f"expected a timestamp, got {number}")
    time_ns = int(number * epoch_unit_ns(number))
    if not -_MAX_NS <= time_ns <= _MAX_NS:
        raise ValueError(f"expected a timestamp between the years 1678 and 2262, got {number}")
    return time_ns


def is_epoch_text(text: str) -> bool:
    """Whether a text is a number rather than a date."""
    return _NUMBER.fullmatch(text.strip()) is not None


def parse_timestamp_ns(text: str) -> int:
    """Nanoseconds of an RFC 3339 / ISO 8601 text (no offset means UTC) or of an epoch number as text.

    Raises ``ValueError`` with a sentence that holds the text.
    """
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return epoch_to_ns(int(text) if text.lstrip("+-").isdigit() else Decimal(text))
    match = _ISO.fullmatch(text)
    if match is None:
        raise ValueError(f'expected a timestamp (ISO 8601 or an epoch number), got "{text[:60]}"')
    date, clock, fraction, offset = match.groups()
    if offset is None or offset in "Zz":
        offset = "+00:00"
    try:
        moment = datetime.fromisoformat(f"{date}T{clock or '00:00'}{offset}")
    except ValueError as error:
        raise ValueError(f'expected a timestamp (ISO 8601), got "{text[:60]}": {error}') from None
    whole_ns = (moment - _EPOCH) // timedelta(seconds=1) * NS_PER_S
    time_ns = whole_ns + int((fraction or "0")[:9].ljust(9, "0"))
    if not -_MAX_NS <= time_ns <= _MAX_NS:
        raise ValueError(f'expected a timestamp between the years 1678 and 2262, got "{text[:60]}"')
    return time_ns


def parse_duration_ns(value: str | int | float) -> int:
    """Nanoseconds of ``5s``, ``250ms``, ``1.5m``, ``2h``, ``1d``; a bare number is seconds. Raises ``ValueError``."""
    if isinstance(value, str):
        match = _DURATION.fullmatch(value.strip())
        if match is not None:
            return int(Decimal(match[1]) * _DURATION_UNITS_NS[match[2]])
    elif not isinstance(value, bool) and 0 <= value < 10**9:
        return int(Decimal(repr(value)) * NS_PER_S)
    raise ValueError(f'expected a duration like 5s, 250ms or 1m, got "{value}"')


def to_datetime(time_ns: int) -> datetime:
    """The moment as an aware UTC ``datetime``; it holds microseconds, so the last three digits are cut."""
    return _EPOCH + timedelta(microseconds=time_ns // NS_PER_US)


def format_timestamp(time_ns: int) -> str:
    """RFC 3339 text with all nine digits, e.g. ``2024-08-08T23:54:15.088169167Z``."""
    seconds, fraction_ns = divmod(time_ns, NS_PER_S)
    moment = _EPOCH + timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{fraction_ns:09d}Z"
