"""Whether one value, with nothing inside it, fits its type and the constraints on it."""

from __future__ import annotations

import math
import re
from typing import Any, Final

from msgspec import inspect

from sengine.config.expected import bare

INT64_LIMIT: Final = 2**63
# What a failed conversion returns; no caller of convert() sees it, because there is a mistake then.
FAILED: Final = object()
SINGLE_TYPES: Final[tuple[type[inspect.Type], ...]] = (
    inspect.BoolType,
    inspect.IntType,
    inspect.FloatType,
    inspect.StrType,
    inspect.LiteralType,
    inspect.EnumType,
    inspect.NoneType,
)

_OWN_KINDS: Final[dict[type, type | tuple[type, ...]]] = {
    inspect.BoolType: bool,
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.StrType: str,
    inspect.ListType: list,
    inspect.VarTupleType: (list, tuple),
    inspect.DictType: dict,
    inspect.StructType: dict,
}


def single_value(value: object, info: inspect.Type) -> object:
    """The value as this type, or ``FAILED``. Nothing is guessed: text is no number, a boolean is no integer."""
    match info:
        case inspect.BoolType() if isinstance(value, bool):
            return value
        case inspect.IntType() if isinstance(value, int | float) and not isinstance(value, bool):
            whole = value if isinstance(value, int) or not value.is_integer() else int(value)
            fits = isinstance(whole, int) and -INT64_LIMIT <= whole < INT64_LIMIT
            return whole if fits and within(info, whole) else FAILED
        case inspect.FloatType() if isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                return FAILED
            return number if math.isfinite(number) and within(info, number) else FAILED
        case inspect.StrType() if isinstance(value, str):
            matches = info.pattern is None or re.search(info.pattern, value) is not None
            return value if matches and length_within(info, value) else FAILED
        case inspect.LiteralType():
            # By type as well: True is not 1 here.
            return next((known for known in info.values if type(known) is type(value) and known == value), FAILED)
        case inspect.EnumType():
            members = (member for member in info.cls if type(member.value) is type(value) and member.value == value)
            return next(members, FAILED)
        case inspect.NoneType() if value is None:
            return None
        case _:
            return FAILED


def within(info: Any, number: float) -> bool:
    return (
        (info.ge is None or number >= info.ge)
        and (info.gt is None or number > info.gt)
        and (info.le is None or number <= info.le)
        and (info.lt is None or number < info.lt)
        and (info.multiple_of is None or number % info.multiple_of == 0)
    )


def length_within(info: Any, value: Any) -> bool:
    return (info.min_length or 0) <= len(value) and (info.max_length is None or len(value) <= info.max_length)


def own_kind(value: object, info: inspect.Type) -> bool:
    """Whether the value has this type's own kind already, so that ``int | float`` keeps an integer an integer."""
    return isinstance(value, _OWN_KINDS.get(type(bare(info)), ()))
