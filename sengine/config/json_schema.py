"""The configuration as a JSON Schema (draft 2020-12), for editors, which complete and check a file by it.

It is made of the types that the loader converts to, so it never speaks of other keys or limits. A schema sees one value
at a time: rules between keys, strategies and their own parameters are checked by ``sengine config check``.
"""

from __future__ import annotations

import inspect as python
from typing import Any, Final, TypeAlias

from msgspec import inspect

from sengine.clock import DURATION_PATTERN
from sengine.config.expected import bare, doc, expected, is_anything, is_duration, takes_null, unit, without_null
from sengine.config.fields import as_written, default_of
from sengine.config.raw import names_secret
from sengine.config.schema import Config

Schema: TypeAlias = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_REFERENCE: Final[Schema] = {"$ref": "#/$defs/reference"}
_LIMITS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
}
_NUMBER_KINDS: Final = {inspect.IntType: "integer", inspect.FloatType: "number"}


def json_schema() -> Schema:
    """The schema of a configuration file. Beside the standard's own words, ``x-unit`` is a value's unit and
    ``x-expected`` says in words what a key takes; ``writeOnly`` marks a secret."""
    return {
        "$schema": DIALECT,
        "title": "sengine configuration",
        **_of_struct(inspect.type_info(Config)),
        "$defs": {
            "reference": {
                "type": "string",
                "pattern": r"\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^{}]*)?\}",
                "description": "A value of the environment: ${NAME}, or ${NAME:-default}.",
            },
        },
    }


def _of_field(field: inspect.Field) -> Schema:
    key, info = field.encode_name, field.type
    schema = _of(info)
    description = doc(info) or schema.pop("description", "") or schema.get("items", {}).get("description", "")
    schema = {"description": description, **schema}
    if isinstance(bare(info), inspect.StructType):
        return schema
    schema["x-expected"] = expected(info)
    if (measured_in := unit(info, key)) is not None:
        schema["x-unit"] = measured_in
    if not field.required:
        schema["default"] = as_written(default_of(field), info)
    if names_secret(key):
        schema["writeOnly"] = True
    return schema


def _of(info: inspect.Type) -> Schema:
    if is_duration(without_null(info)):
        return _or_null(_of_duration(bare(without_null(info))), info)
    match bare(info):
        case inspect.StructType() as struct:
            return _of_struct(struct)
        case inspect.UnionType() as union:
            members = [_of(member) for member in union.types if not isinstance(member, inspect.NoneType)]
            return _or_null(members[0] if len(members) == 1 else {"anyOf": members}, info)
        case inspect.ListType() | inspect.VarTupleType() as items:
            least = {} if items.min_length is None else {"minItems": items.min_length}
            # A list whose every line is commented out reads as null; it means an empty one.
            kind = "array" if items.min_length else ["array", "null"]
            return {"type": kind, "items": _of(items.item_type), **least}
        case inspect.DictType():
            return {"type": ["object", "null"]}
        case inspect.LiteralType() as literal:
            return {"anyOf": [{"enum": list(literal.values)}, _REFERENCE]}
        case inspect.BoolType():
            return {"anyOf": [{"type": "boolean"}, _REFERENCE]}
        case inspect.IntType() | inspect.FloatType() as number:
            return {"anyOf": [{"type": _NUMBER_KINDS[type(number)], **_limits(number)}, _REFERENCE]}
        case inspect.StrType() as text:
            return _of_text(text)
        case known if is_anything(known):
            return {}
        case other:
            raise TypeError(f"no JSON Schema is known for {other}")


def _of_struct(info: inspect.Type) -> Schema:
    struct = bare(info)
    assert isinstance(struct, inspect.StructType)
    tag: Schema = {} if struct.tag_field is None else {struct.tag_field: {"const": struct.tag}}
    required = [*tag, *(field.encode_name for field in struct.fields if field.required)]
    return {
        "description": _about(struct.cls),
        # A section whose every line is commented out reads as null; it means the defaults.
        "type": "object" if required else ["object", "null"],
        "properties": {**tag, **{field.encode_name: _of_field(field) for field in struct.fields}},
        "additionalProperties": False,
        **({"required": required} if required else {}),
    }


def _of_duration(info: inspect.Type) -> Schema:
    """Text, or a number of seconds. Only whether it may be 0 can be said of both."""
    positive = isinstance(info, inspect.IntType) and info.gt == 0
    seconds = {"type": "number", "exclusiveMinimum" if positive else "minimum": 0}
    return {"anyOf": [{"type": "string", "pattern": f"^{DURATION_PATTERN}$"}, seconds, _REFERENCE]}


def _of_text(info: inspect.StrType) -> Schema:
    schema: Schema = {"type": "string"}
    if info.min_length is not None:
        schema["minLength"] = info.min_length
    if info.pattern is None:
        return schema
    # Python's marks of begin and end are not those of JSON Schema.
    pattern = info.pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return {"anyOf": [{**schema, "pattern": pattern}, _REFERENCE]}


def _or_null(schema: Schema, info: inspect.Type) -> Schema:
    if not takes_null(info):
        return schema
    listed = schema["anyOf"] if set(schema) == {"anyOf"} else [schema]
    return {"anyOf": [*listed, {"type": "null"}]}


def _limits(info: inspect.IntType | inspect.FloatType) -> Schema:
    found = {word: getattr(info, name) for name, word in _LIMITS.items()}
    return {word: limit for word, limit in found.items() if limit is not None}


def _about(struct: type) -> str:
    """The first paragraph of the type's docstring, without the name in front of it."""
    paragraph = (python.getdoc(struct) or "").split("\n\n")[0].replace("\n", " ")
    sentence = paragraph.partition("``: ")[2] if paragraph.startswith("``") else paragraph
    sentence = sentence.replace("``", "")
    return sentence[:1].upper() + sentence[1:]
