"""As much of JSON Schema (draft 2020-12) as the configuration's schema uses. An unknown word is an error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_KINDS: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}
_ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "writeOnly", "x-unit", "x-expected"}


def schema_mistakes(value: Any, schema: dict[str, Any], whole: dict[str, Any], place: str = "") -> Iterator[str]:
    """The place and the broken word of each mistake of ``value``, e.g. ``.risk.bypass[0]: anyOf``."""
    for word, wanted in schema.items():
        if word in _ANNOTATIONS:
            continue
        if not _holds(word, wanted, value, schema, whole):
            yield f"{place}: {word}"
    if isinstance(value, dict):
        for key, item in value.items():
            if key in schema.get("properties", {}):
                yield from schema_mistakes(item, schema["properties"][key], whole, f"{place}.{key}")
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from schema_mistakes(item, schema["items"], whole, f"{place}[{index}]")


def _holds(word: str, wanted: Any, value: Any, schema: dict[str, Any], whole: dict[str, Any]) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match word:
        case "type":
            return any(_is(value, kind) for kind in (wanted if isinstance(wanted, list) else [wanted]))
        case "anyOf":
            return any(not list(schema_mistakes(value, each, whole)) for each in wanted)
        case "$ref":
            return not list(schema_mistakes(value, whole["$defs"][wanted.removeprefix("#/$defs/")], whole))
        case "properties" | "items":
            return True
        case "additionalProperties":
            return not isinstance(value, dict) or wanted or set(value) <= set(schema["properties"])
        case "required":
            return not isinstance(value, dict) or set(wanted) <= set(value)
        case "const":
            return type(value) is type(wanted) and value == wanted
        case "enum":
            return any(type(value) is type(each) and value == each for each in wanted)
        case "pattern":
            return not isinstance(value, str) or re.search(wanted, value) is not None
        case "minLength":
            return not isinstance(value, str) or len(value) >= wanted
        case "minItems":
            return not isinstance(value, list) or len(value) >= wanted
        case "minimum":
            return not is_number or value >= wanted
        case "exclusiveMinimum":
            return not is_number or value > wanted
        case "maximum":
            return not is_number or value <= wanted
        case "exclusiveMaximum":
            return not is_number or value < wanted
    raise ValueError(f"the check does not know {word!r}")


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _KINDS[kind])
