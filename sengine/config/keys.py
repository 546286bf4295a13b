"""The key of an override, ``strategies.momentum.config.short_window``, as a path into the raw configuration.

List items are named by their id (``strategies.momentum``), their type (``risk.filters.drawdown``) or their index
(``strategies[0]``, ``strategies.0``). An id may have dots in it; the longest id that fits is meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from msgspec import inspect

from sengine.config.expected import bare, is_anything, without_null
from sengine.config.fields import as_written, default_of
from sengine.config.raw import Path, ScalarText, Unreadable, quoted, show_path, show_value, unknown_key

_SEGMENT: Final = re.compile(r"[^.\[\]]+")
_INDEX: Final = re.compile(r"\[([0-9]{1,9})\]|\.([0-9]{1,9})(?=[.\[]|\Z)")


class UnknownKeyError(Exception):
    """The key is none of the configuration's; the message is the sentence."""


class UnknownItemError(UnknownKeyError):
    """The key names a list item that the list does not have."""


def locate(key: str, info: inspect.Type, tree: dict[str, Any]) -> Path | None:
    """The path of ``key`` below ``tree``, whose missing sections on the way are made, lists with their default items.

    ``None`` where the file has something of the wrong kind on the way, which is a mistake of its own.
    Raises ``UnknownKeyError``.
    """
    path: Path = ()
    rest = key
    raw: Any = tree
    while not isinstance(raw, Unreadable):
        kind = _kind(info, raw)
        step: str | int
        if isinstance(kind, inspect.StructType):
            step, rest = _segment(rest, path)
            field = _field(kind, step, (*path, step), whole=not rest)
            info = inspect.AnyType() if field is None else field.type
            default = {} if field is None else _made(field)
        elif isinstance(kind, inspect.ListType | inspect.VarTupleType):
            if not isinstance(raw, list):
                return None
            step, rest = _item(rest, raw, path)
            info, default = kind.item_type, None
        elif isinstance(kind, inspect.DictType) or is_anything(kind):
            info = kind.value_type if isinstance(kind, inspect.DictType) else kind
            step, rest = _free(rest, raw, path)
            default = {}
        else:
            raise UnknownKeyError(f"{show_path(path)} is a single value, nothing is below it")
        path = (*path, step)
        if not rest:
            return path if isinstance(raw, dict if isinstance(step, str) else list) else None
        raw = _child(raw, step, default)
    return None


def _kind(info: inspect.Type, raw: object) -> inspect.Type:
    """The type itself; of a union, the member that the raw value is of."""
    info = bare(without_null(info))
    if not isinstance(info, inspect.UnionType):
        return info
    known = raw if isinstance(raw, dict) else {}
    for member in map(bare, info.types):
        if isinstance(member, inspect.StructType) and _name(known.get(str(member.tag_field))) == member.tag:
            return member
    return inspect.AnyType()


def _segment(rest: str, path: Path) -> tuple[str, str]:
    joint = "." if path else ""
    match = _SEGMENT.match(rest, len(joint)) if rest.startswith(joint) else None
    if match is None:
        raise UnknownKeyError(f"expected a key such as execution.latency_ms, cannot read {quoted(rest)}")
    return match[0], rest[match.end() :]


def _field(struct: inspect.StructType, key: str, path: Path, *, whole: bool) -> inspect.Field | None:
    """The field of that key, ``None`` for the key that tells a tagged struct's type."""
    known = [field.encode_name for field in struct.fields]
    if struct.tag_field is not None:
        if key == struct.tag_field:
            return None
        known = [struct.tag_field, *known]
    for field in struct.fields:
        if field.encode_name == key:
            return field
    sentence = unknown_key(key, known)
    raise UnknownKeyError(sentence if whole else f"{show_path(path)}: {sentence}")


def _made(field: inspect.Field) -> object:
    """What the field holds where the file leaves it out, so that an override can reach into it."""
    written = None if field.required else as_written(default_of(field), field.type)
    if written is not None:
        return written
    of_items = isinstance(_kind(field.type, None), inspect.ListType | inspect.VarTupleType)
    return [] if of_items else {}


def _item(rest: str, items: list[Any], path: Path) -> tuple[int, str]:
    named = [(name, index) for index, item in enumerate(items) for name in _names(item)]
    for name, index in sorted(named, key=lambda pair: -len(pair[0])):
        after = rest.removeprefix(f".{name}")
        if after != rest and after[:1] in ("", ".", "["):
            return index, after
    match = _INDEX.match(rest)
    if match is not None and int(match[1] or match[2]) < len(items):
        return int(match[1] or match[2]), rest[match.end() :]
    known = ", ".join(dict.fromkeys(name for name, _ in named)) or "none"
    count = f"{len(items)} item{'' if len(items) == 1 else 's'}"
    raise UnknownItemError(f"no item {quoted(rest.removeprefix('.'))} in {show_path(path)}, which has {count}: {known}")


def _names(item: object) -> Iterator[str]:
    if isinstance(item, dict):
        for key in ("id", "type"):
            name = _name(item.get(key))
            if name:
                yield name


def _name(value: object) -> str:
    if isinstance(value, ScalarText):
        return value.text
    return value if isinstance(value, str) else ""


def _free(rest: str, raw: object, path: Path) -> tuple[str | int, str]:
    """A step below a value without a schema, such as a strategy's ``config``."""
    match = _INDEX.match(rest)
    if isinstance(raw, list):
        if match is None or int(match[1] or match[2]) >= len(raw):
            raise UnknownItemError(f"no item {quoted(rest)} in {show_path(path)}, which has {len(raw)} items")
        return int(match[1] or match[2]), rest[match.end() :]
    if raw is not None and raw is not ... and not isinstance(raw, dict):
        raise UnknownKeyError(f"{show_path(path)} is {show_value(_name(raw) or raw)}, nothing is below it")
    return _segment(rest, path)


def _child(raw: Any, step: str | int, default: object) -> Any:
    """What is at the step, made where it is missing. Of the wrong kind is ``...``, which holds nothing."""
    if isinstance(raw, dict):
        if raw.get(step) is None:
            raw[step] = default
        return raw[step]
    if isinstance(raw, list) and isinstance(step, int):
        return raw[step]
    return ...
