"""The fields of a configuration or parameter type, for people: name, what is expected, default, meaning."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from sengine.config.durations import format_duration
from sengine.config.expected import bare, doc, expected, is_duration
from sengine.config.raw import show_value


class FieldDescription(NamedTuple):
    """One key. ``default`` is written as in YAML, and ``None`` where the key is required."""

    name: str
    expected: str
    default: str | None
    doc: str


def describe(type_: Any) -> list[FieldDescription]:
    """The keys of a Struct type in their order. Keys of sections inside it have dotted names: ``nats.topics.fills``;
    those of list items name the list: ``strategies[].id``, ``risk.filters[drawdown].max_drawdown``."""
    info = bare(inspect.type_info(type_))
    return _described(info, "", ()) if isinstance(info, inspect.StructType) else []


def _described(struct: inspect.StructType, prefix: str, inside: tuple[type, ...]) -> list[FieldDescription]:
    inside = (*inside, struct.cls)
    described: list[FieldDescription] = []
    for field in struct.fields:
        name = f"{prefix}{field.encode_name}"
        sections = list(_sections(field.type, name))
        # A type that holds itself is listed once.
        if not sections or any(section.cls in inside for _, section in sections):
            default = None if field.required else _yaml(as_written(default_of(field), field.type))
            described.append(FieldDescription(name, expected(field.type), default, doc(field.type)))
            continue
        for place, section in sections:
            described += _described(section, f"{place}.", inside)
    return described


def _sections(info: inspect.Type, name: str) -> list[tuple[str, inspect.StructType]]:
    """The structs that this field holds, itself or as items, with the name of each."""
    match bare(info):
        case inspect.StructType() as struct:
            return [(name, struct)]
        case inspect.ListType() | inspect.VarTupleType() as items:
            of_items = _sections(items.item_type, "")
            return [(f"{name}[{place}]", struct) for place, struct in of_items]
        case inspect.UnionType() as union:
            structs = [member for member in map(bare, union.types) if isinstance(member, inspect.StructType)]
            return [(f"{name}{struct.tag}" if len(structs) > 1 else name, struct) for struct in structs]
        case _:
            return []


def default_of(field: inspect.Field) -> Any:
    """The default value of a field that has one."""
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def as_written(value: Any, info: inspect.Type) -> Any:
    """A typed value as the YAML file would hold it: the inverse of ``convert``."""
    if is_duration(info):
        return None if value is None else format_duration(value)
    match bare(info):
        case inspect.UnionType() as union:
            return as_written(value, _member_of(union, value))
        case inspect.StructType() as struct if value is not None:
            tag = {} if struct.tag_field is None else {struct.tag_field: struct.tag}
            fields = {field.encode_name: as_written(getattr(value, field.name), field.type) for field in struct.fields}
            return {**tag, **fields}
        case inspect.ListType() | inspect.VarTupleType() as items if value is not None:
            return [as_written(item, items.item_type) for item in value]
        case inspect.EnumType() if value is not None:
            return value.value
        case _:
            return value


def _member_of(union: inspect.UnionType, value: Any) -> inspect.Type:
    """The member of the union that the value is of, as far as writing it makes a difference."""
    for member in union.types:
        known = bare(member)
        if isinstance(known, inspect.StructType | inspect.EnumType) and isinstance(value, known.cls):
            return member
        if is_duration(member) and type(value) is int:
            return member
        if isinstance(known, inspect.ListType | inspect.VarTupleType) and isinstance(value, list | tuple):
            return member
    return inspect.AnyType()


def _yaml(value: Any) -> str:
    """The value as one line of YAML, whose flow style is nearly JSON."""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if value is None:
        return "null"
    return value if isinstance(value, str) and value else show_value(value)
