"""``${NAME}`` and ``${NAME:-default}`` in the text values of a configuration file; ``$${`` is a literal ``${``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from sengine.config.raw import Unreadable, quoted
from sengine.config.scalars import outside_text

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_INSIDE: Final = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


def resolve_references(raw: object, environment: Mapping[str, str]) -> object:
    """The raw value with the references in it replaced, at any depth. What cannot be becomes ``Unreadable``.

    A value that is one whole reference is read as a YAML scalar, so that it can be a number.
    """
    match raw:
        case dict():
            return {key: resolve_references(value, environment) for key, value in raw.items()}
        case list():
            return [resolve_references(value, environment) for value in raw]
        case str() if "${" in raw:
            return _resolve_text(raw, environment)
        case _:
            return raw


def _resolve_text(text: str, environment: Mapping[str, str]) -> object:
    problems: list[str] = []

    def replacement(match: re.Match[str]) -> str:
        if match[0] == "$${":
            return "${"
        inside = _INSIDE.fullmatch(match[1] or "")
        if inside is None:
            problems.append(
                f"expected ${{NAME}} or ${{NAME:-default}}, got {quoted(text)}; write $${{ for a literal ${{"
            )
            return ""
        name, default = inside.groups()
        value = environment.get(name, "")
        if default is not None:
            # As in a shell: the default also stands in for an empty value.
            return value or default
        if name not in environment:
            problems.append(f"the environment variable {name} is not set; set it or write ${{{name}:-default}}")
        return value

    resolved = _REFERENCE.sub(replacement, text)
    if problems:
        return Unreadable("; ".join(dict.fromkeys(problems)))
    whole = _REFERENCE.fullmatch(text)
    value = outside_text(resolved)
    return value if (whole and whole[1] is not None) or isinstance(value, Unreadable) else resolved
