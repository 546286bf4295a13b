"""Which numbers are taken as times of market data, and what else a number may be that stands where a time should.

The size of an epoch number tells its unit, so ``20240102`` or a spreadsheet's ``45293.4`` would become a time as well:
some moment of the seventies, without a word. An epoch number is therefore taken where it means a time from 1980 on, or
where it is a count below 10,000 seconds, as made-up data has. What lies between, what is negative, and what as
nanoseconds falls into the year in which the ticks of .NET lie is refused; ISO 8601 says any of those without a doubt.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite
from typing import Final

from sengine.clock import NS_PER_S, epoch_to_ns, epoch_unit_ns, format_timestamp, is_epoch_text, parse_timestamp_ns

COUNTS_BELOW_NS: Final = 10_000 * NS_PER_S
FROM_NS: Final = 315_532_800 * NS_PER_S
"""1980-01-01."""
PLAIN_FROM_NS: Final = 662_380_416_000_000_000
"""From here on whole nanoseconds are in no doubt: the ticks of .NET of 1970 to 2100 end here."""
TICKS_FROM_NS: Final = 621_355_968_000_000_000
"""1970-01-01 in ticks of .NET, 100 ns since the year 1; as nanoseconds it is 1989-09-09."""
_FILE_TIMES: Final = (116_444_736_000_000_000, 157_469_184_000_000_000)
_SHEET_DAYS: Final = (29_221, 73_051)  # 1980 to 2100
_MAX_NS: Final = 2**63 - 1
EARLY_NS: Final = 86_400 * NS_PER_S
"""The end of the first day of 1970."""


class NotEpochError(ValueError):
    """A number that stands where a time should and is no epoch number; the message is the whole sentence."""


def market_time_ns(cell: str | float | Decimal) -> int:
    """Nanoseconds of a time of market data: ISO 8601 text, or an epoch number as text or number.

    Raises ``NotEpochError`` with a sentence: the value, what it seems to be and would have become, and what to write;
    ``ValueError`` for what is neither a date nor a number.
    """
    try:
        time_ns = parse_timestamp_ns(cell) if isinstance(cell, str) else epoch_to_ns(cell)
    except (ValueError, ArithmeticError):
        seems = _seems(_number(cell)) if _is_number(cell) else ""
        if not seems:
            raise
        raise NotEpochError(_sentence(cell, seems, "it is no epoch number")) from None
    if time_ns >= PLAIN_FROM_NS or not _is_number(cell) or _is_taken(time_ns, epoch_unit_ns(_number(cell))):
        return time_ns
    raise NotEpochError(_sentence(cell, _seems(_number(cell)), f"as an epoch number it would be {_moment(time_ns)}"))


def are_all_taken(low: int, high: int) -> bool:
    """Whether all whole numbers from ``low`` to ``high`` are epoch numbers of one unit, and taken."""
    unit_ns = epoch_unit_ns(low)
    if low < 0 or unit_ns != epoch_unit_ns(high) or high * unit_ns > _MAX_NS:
        return False
    if unit_ns == 1:
        return low >= PLAIN_FROM_NS or FROM_NS <= low <= high < TICKS_FROM_NS
    return low * unit_ns >= FROM_NS or high * unit_ns < COUNTS_BELOW_NS


def is_doubtful_ns(time_ns: int) -> bool:
    """Whether a time that came as nanoseconds since 1970 must be something else: too early, or the ticks of .NET."""
    return not FROM_NS <= time_ns < TICKS_FROM_NS and time_ns < PLAIN_FROM_NS


def is_misread_ns(time_ns: int) -> bool:
    """Whether a time that came with a date must be a number that some other program took for nanoseconds or seconds:
    on the first day of 1970 only whole seconds of a count are taken."""
    return 0 < time_ns < EARLY_NS and (time_ns >= COUNTS_BELOW_NS or time_ns % NS_PER_S != 0)


def misread_sentence(time_ns: int) -> str:
    """What is wrong with a time for which ``is_misread_ns`` holds."""
    seems = _seems(Decimal(time_ns)) or _seems(Decimal(time_ns // NS_PER_S))
    return (
        f"expected a timestamp, got {format_timestamp(time_ns)}: {seems or 'a number'}, which the program that wrote "
        "it took for a count since 1970. Write the file anew from its source"
    )


def _is_taken(time_ns: int, unit_ns: int) -> bool:
    if unit_ns == 1 and TICKS_FROM_NS <= time_ns < PLAIN_FROM_NS:
        return False
    return time_ns >= FROM_NS or 0 <= time_ns < COUNTS_BELOW_NS


def _is_number(cell: str | float | Decimal) -> bool:
    return is_epoch_text(cell) if isinstance(cell, str) else isfinite(cell)


def _number(cell: str | float | Decimal) -> Decimal:
    return Decimal(str(cell).strip())


def _sentence(cell: object, seems: str, became: str) -> str:
    what = f", {seems}" if seems else ""
    return (
        f"expected a timestamp, got {str(cell).strip()[:40]}{what}; {became}. Write times as ISO 8601 "
        "(2024-01-02T09:30:00Z), or as epoch numbers in s, ms, us or ns (1704187800)"
    )


def _seems(number: Decimal) -> str:
    """What a number that is no epoch number looks like; empty where nothing known fits."""
    whole = int(number)
    if number < 0:
        return ""
    if date := _written_out(str(whole)):
        return f"the date {date} written as a number"
    if TICKS_FROM_NS <= whole < PLAIN_FROM_NS:
        return f"ticks of .NET ({_moment((whole - TICKS_FROM_NS) * 100)})"
    if _FILE_TIMES[0] <= whole < _FILE_TIMES[1]:
        return f"a Windows file time ({_moment((whole - _FILE_TIMES[0]) * 100)})"
    seconds = f"seconds of a day ({timedelta(seconds=whole)})" if whole < 86_400 else ""
    if _SHEET_DAYS[0] <= whole < _SHEET_DAYS[1]:
        day = _moment(int((number - 25_569) * 86_400) * NS_PER_S)
        return f"a spreadsheet's day ({day}){f' or {seconds}' if seconds else ''}"
    if seconds:
        return seconds
    return f"milliseconds of a day ({timedelta(milliseconds=whole)})" if whole < 86_400_000 else ""


def _written_out(digits: str) -> str:
    """``20240102``, also with hours and minutes, seconds or fractions of them behind it, as ISO 8601; else empty."""
    form = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S", 17: "%Y%m%d%H%M%S", 20: "%Y%m%d%H%M%S"}.get(len(digits))
    if form is None:
        return ""
    try:
        moment = datetime.strptime(digits[:14], form).replace(tzinfo=UTC)
    except ValueError:
        return ""
    if not 1900 <= moment.year < 2100:
        return ""
    return f"{moment:%Y-%m-%d}" if len(digits) == 8 else f"{moment:%Y-%m-%dT%H:%M:%S}"


def _moment(time_ns: int) -> str:
    return f"{format_timestamp(time_ns)[:19]}Z"
