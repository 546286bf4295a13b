"""Raw values into typed ones, collecting every mistake instead of stopping at the first.

``convert`` walks a value along its type. It knows structs (renamed fields, defaults, tagged unions of them), lists,
mappings, literals, enums, booleans, numbers, text, durations, unions and ``Any``, with the constraints of ``Meta``.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final, TypeVar

import msgspec
from msgspec import inspect

from sengine.config.durations import read_duration_ns
from sengine.config.expected import bare, expected, is_anything, is_duration, one_of, takes_null, without_null
from sengine.config.raw import Mistake, Path, ScalarText, Unreadable, names_secret, show_value, unknown_key
from sengine.config.single_values import (
    FAILED,
    INT64_LIMIT,
    SINGLE_TYPES,
    length_within,
    own_kind,
    single_value,
    within,
)
from sengine.errors import ConfigError
from sengine.printable import printable

StructT = TypeVar("StructT", bound=msgspec.Struct)

DEEPEST: Final = 100
# A text or a number that a sentence shows; the names of other kinds, as "a list", stay.
_SHOWN_VALUE: Final = re.compile(r', got (?:"(?:[^"\\]|\\.)*"|[-+]?\.?\d[\w.+-]*)')


def convert(value: object, type_: Any, path: Path = ()) -> tuple[Any, list[Mistake]]:
    """The value as ``type_`` and no mistakes, or ``None`` and all mistakes, each with its path below ``path``.

    Raises ``TypeError`` or ``NameError`` only where ``type_`` itself cannot be resolved.
    """
    walk = _Walk()
    result = walk.convert(value, inspect.type_info(type_), path)
    return (None, walk.mistakes) if walk.mistakes else (result, [])


def convert_parameters(config: dict[str, Any], params_type: type[StructT], place: str) -> StructT:
    """A strategy's ``config:`` as the parameters that it declares, defaults filled in.

    ``place`` begins each sentence, e.g. ``strategies[1].config``. Raises ``ConfigError`` with all mistakes.
    """
    try:
        inspect.type_info(params_type)
    except (TypeError, NameError) as error:
        reason = printable(str(error))
        raise ConfigError([f"{place}: the type of the declared parameters cannot be read: {reason}"]) from None
    parameters, mistakes = convert(config, params_type)
    if mistakes:
        raise ConfigError([f"{place}{'.' if mistake.path else ': '}{mistake}" for mistake in mistakes])
    assert isinstance(parameters, params_type)
    return parameters


class _Walk:
    """One conversion. Each method returns the typed value or ``FAILED``, having noted why."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def mistake(self, path: Path, sentence: str) -> object:
        if path and names_secret(str(path[-1])):
            sentence = _SHOWN_VALUE.sub(", got what is not shown", sentence)
        self.mistakes.append(Mistake(path, sentence))
        return FAILED

    def refuse(self, path: Path, info: inspect.Type, value: object) -> object:
        words = expected(info)
        if isinstance(value, float) and not math.isfinite(value):
            words = words.replace("a number", "a finite number")
        elif isinstance(value, int) and abs(value) >= INT64_LIMIT:
            words = words.replace("an integer", "an integer of 64 bits")
        found = show_value(value)
        if isinstance(bare(info), inspect.StrType) and isinstance(value, int | float):
            found += "; put it in quotes"
        return self.mistake(path, f"expected {words}, got {found}")

    def convert(self, value: object, info: inspect.Type, path: Path) -> object:
        if len(path) > DEEPEST:
            return self.mistake(path[:3], f"nested deeper than {DEEPEST} levels")
        if isinstance(value, Unreadable):
            return self.mistake(path, value.reason)
        if isinstance(value, ScalarText):
            value = _as_wanted(value, bare(info))
            if isinstance(value, Unreadable):
                return self.mistake(path, value.reason)
        if is_duration(info):
            duration_ns = read_duration_ns(value)
            if duration_ns is None or not within(bare(info), duration_ns):
                return self.refuse(path, info, value)
            return duration_ns
        match bare(info):
            case inspect.StructType() as struct:
                return self.struct(value, struct, path)
            case inspect.UnionType() as union:
                return self.union(value, union, path)
            case inspect.ListType() | inspect.VarTupleType() as items:
                return self.sequence(value, items, info, path)
            case inspect.DictType() as mapping:
                return self.mapping(value, mapping, info, path)
            case known if is_anything(known):
                return self.anything(value, path)
            case scalar if not isinstance(scalar, SINGLE_TYPES):
                kinds = "declare text, a number, a boolean, a list or a mapping"
                return self.mistake(path, f"no configuration can hold {expected(info)}; {kinds}")
            case scalar:
                result = single_value(value, scalar)
                return self.refuse(path, info, value) if result is FAILED else result

    def struct(self, value: object, info: inspect.StructType, path: Path) -> object:
        # A section whose every line is commented out reads as null; it means the defaults.
        given = {} if value is None else value
        if not isinstance(given, dict):
            return self.mistake(path, f"expected {expected(info)}, got {show_value(given)}")
        fields = {field.encode_name: field for field in info.fields}
        known = list(fields) if info.tag_field is None else [info.tag_field, *fields]
        before = len(self.mistakes)
        converted: dict[str, Any] = {}
        for key, field in fields.items():
            if key in given:
                converted[field.name] = self.convert(given[key], field.type, (*path, key))
            elif field.required:
                self.mistake((*path, key), f"missing; expected {expected(field.type)}")
        for key in given:
            if key not in known:
                self.mistake((*path, str(key)), unknown_key(str(key), known))
        tag = _text(given.get(info.tag_field, info.tag))
        if info.tag_field is not None and tag != info.tag:
            self.mistake((*path, info.tag_field), f"expected {info.tag}, got {show_value(tag)}")
        if len(self.mistakes) > before:
            return FAILED
        try:
            return info.cls(**converted)
        except (ValueError, TypeError) as error:
            # Raised by the struct's __post_init__, the place for checks between fields.
            return self.mistake(path, printable(str(error)))

    def union(self, value: object, info: inspect.UnionType, path: Path) -> object:
        if value is None and takes_null(info):
            return None
        members = [member for member in info.types if not isinstance(member, inspect.NoneType)]
        structs = [member for member in map(bare, members) if isinstance(member, inspect.StructType)]
        if isinstance(value, dict) and len(structs) > 1:
            return self.tagged(value, structs, path)
        if len(members) == 1:
            return self.convert(value, members[0], path)
        for member in sorted(members, key=lambda member: not own_kind(value, member)):
            attempt = _Walk()
            result = attempt.convert(value, member, path)
            if not attempt.mistakes:
                return result
            if isinstance(value, dict | list) and own_kind(value, member):
                self.mistakes += attempt.mistakes
                return FAILED
        return self.refuse(path, info, value)

    def tagged(self, value: dict[str, Any], structs: list[inspect.StructType], path: Path) -> object:
        field = str(structs[0].tag_field)
        by_tag = {str(struct.tag): struct for struct in structs}
        tag = value.get(field)
        if isinstance(tag, Unreadable):
            return self.mistake((*path, field), tag.reason)
        struct = by_tag.get(str(_text(tag)))
        if struct is None:
            problem = "missing; expected" if field not in value else "expected"
            found = "" if field not in value else f", got {show_value(_text(tag))}"
            return self.mistake((*path, field), f"{problem} {one_of(by_tag)}{found}")
        return self.struct(value, struct, path)

    def sequence(
        self, value: object, items: inspect.ListType | inspect.VarTupleType, info: inspect.Type, path: Path
    ) -> object:
        given = [] if value is None else value
        if not isinstance(given, list | tuple) or not length_within(items, given):
            return self.refuse(path, info, given)
        converted = [self.convert(item, items.item_type, (*path, index)) for index, item in enumerate(given)]
        return converted if isinstance(items, inspect.ListType) else tuple(converted)

    def mapping(self, value: object, types: inspect.DictType, info: inspect.Type, path: Path) -> object:
        given = {} if value is None else value
        if not isinstance(given, dict) or not length_within(types, given):
            return self.refuse(path, info, given)
        converted: dict[object, object] = {}
        for key, item in given.items():
            place = (*path, str(key))
            converted[self.convert(key, types.key_type, place)] = self.convert(item, types.value_type, place)
        return converted

    def anything(self, value: object, path: Path) -> object:
        """A value without a type: what came from outside is resolved, and numbers are still finite."""
        match value:
            case dict():
                return {key: self.convert(item, inspect.AnyType(), (*path, str(key))) for key, item in value.items()}
            case list():
                return [self.convert(item, inspect.AnyType(), (*path, index)) for index, item in enumerate(value)]
            case float() if not math.isfinite(value):
                return self.mistake(path, f"expected a finite number, got {show_value(value)}")
            case _:
                return value


def _as_wanted(found: ScalarText, info: inspect.Type) -> object:
    """The text where text is wanted, else the number, boolean or null that it spells."""
    if found.value is None and takes_null(info):
        return None
    info = bare(without_null(info))
    if isinstance(info, inspect.StrType):
        return found.text
    if isinstance(info, inspect.LiteralType | inspect.EnumType) and single_value(found.text, info) is not FAILED:
        return found.text
    return found.value


def _text(value: object) -> object:
    return value.text if isinstance(value, ScalarText) else value
