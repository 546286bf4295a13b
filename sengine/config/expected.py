"""What a type expects, in words: ``an integer >= 1``, ``one of json, console``, ``a duration like 5s, 250ms or 1m``."""

from __future__ import annotations

from typing import Any, Final

from msgspec import inspect

from sengine.config.durations import DURATION, KIND, format_duration

WORDS: Final = "expected"
"""``Meta(extra={WORDS: "..."})`` replaces the words for a type whose pattern says little to a reader."""
UNIT: Final = "unit"
"""``Meta(extra={UNIT: "..."})`` is the unit of a value whose key does not end in it."""

_UNITS_OF_KEYS: Final = {
    "_ms": "milliseconds",
    "_us": "microseconds",
    "_bps": "1/10000",
    "_bytes": "bytes",
    "_mb": "megabytes",
}


def bare(info: inspect.Type) -> inspect.Type:
    """The type without the metadata around it."""
    while isinstance(info, inspect.Metadata):
        info = info.type
    return info


def extra(info: inspect.Type) -> dict[str, Any]:
    """The ``extra`` of the type's ``Meta``, empty where it has none."""
    return (info.extra or {}) if isinstance(info, inspect.Metadata) else {}


def doc(info: inspect.Type) -> str:
    """The ``description`` of the type's ``Meta``, empty where it has none."""
    return str((info.extra_json_schema or {}).get("description", "")) if isinstance(info, inspect.Metadata) else ""


def unit(info: inspect.Type, key: str) -> str | None:
    """What a value of this type, under this key, is counted in; ``None`` where it has no unit."""
    if is_duration(without_null(info)):
        return "as written; a bare number is seconds"
    named = extra(info).get(UNIT) or extra(without_null(info)).get(UNIT)
    return named or next((words for suffix, words in _UNITS_OF_KEYS.items() if key.endswith(suffix)), None)


def is_duration(info: inspect.Type) -> bool:
    return extra(info).get(KIND) == DURATION


def is_anything(info: inspect.Type) -> bool:
    return isinstance(info, inspect.AnyType) or (isinstance(info, inspect.CustomType) and info.cls is object)


def takes_null(info: inspect.Type) -> bool:
    info = bare(info)
    return isinstance(info, inspect.UnionType) and any(isinstance(member, inspect.NoneType) for member in info.types)


def without_null(info: inspect.Type) -> inspect.Type:
    """``X`` of ``X | None``, with its metadata; any other type is itself."""
    union = bare(info)
    if isinstance(union, inspect.UnionType):
        members = [member for member in union.types if not isinstance(member, inspect.NoneType)]
        return members[0] if len(members) == 1 else union
    return info


def expected(info: inspect.Type) -> str:
    """The words for what a value of this type is, constraints included."""
    if WORDS in extra(info):
        return str(extra(info)[WORDS])
    if is_duration(info):
        return f"a duration{_bounds(bare(info), format_duration)} like 5s, 250ms or 1m"
    info = bare(info)
    if is_anything(info):
        return "any value"
    match info:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return "an integer" + _bounds(info)
        case inspect.FloatType():
            return "a number" + _bounds(info)
        case inspect.StrType():
            return _text(info)
        case inspect.NoneType():
            return "null"
        case inspect.LiteralType():
            return one_of(info.values)
        case inspect.EnumType():
            return one_of(member.value for member in info.cls)
        case inspect.ListType() | inspect.VarTupleType():
            return _list(info)
        case inspect.StructType() | inspect.DictType():
            return "a mapping"
        case inspect.UnionType():
            # The same words once: two kinds of mapping are still "a mapping".
            words = dict.fromkeys(expected(member) for member in info.types if not isinstance(member, inspect.NoneType))
            return " or ".join(words) + (", or null" if takes_null(info) else "")
        case _:
            return f"a {type(info).__name__.removesuffix('Type').lower()}"


def one_of(values: Any) -> str:
    listed = [str(value) for value in values]
    return listed[0] if len(listed) == 1 else f"one of {', '.join(listed)}"


def _bounds(info: Any, show: Any = str) -> str:
    """`` >= 0 and <= 1`` from whichever of ge, gt, le, lt and multiple_of are set."""
    parts = [
        f"{sign} {show(limit)}"
        for sign, limit in ((">=", info.ge), (">", info.gt), ("<=", info.le), ("<", info.lt))
        if limit is not None
    ]
    if info.multiple_of is not None:
        parts.append(f"a multiple of {show(info.multiple_of)}")
    return f" {' and '.join(parts)}" if parts else ""


def _text(info: inspect.StrType) -> str:
    if info.min_length == 1 and info.max_length is None and info.pattern is None:
        return "non-empty text"
    words = "text"
    if info.min_length is not None or info.max_length is not None:
        words += f" of {_lengths(info.min_length, info.max_length)} characters"
    return words + (f" that matches {info.pattern}" if info.pattern is not None else "")


def _list(info: inspect.ListType | inspect.VarTupleType) -> str:
    if info.min_length == 1 and info.max_length is None:
        words = "a non-empty list"
    elif info.min_length is not None or info.max_length is not None:
        words = f"a list of {_lengths(info.min_length, info.max_length)} items"
    else:
        words = "a list"
    return words if is_anything(bare(info.item_type)) else f"{words}, each {expected(info.item_type)}"


def _lengths(least: int | None, most: int | None) -> str:
    if most is None:
        return f"at least {least}"
    return f"at most {most}" if least is None else f"{least} to {most}"
