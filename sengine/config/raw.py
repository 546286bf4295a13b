"""Configuration text once it is read and before its types are known: raw values, their paths, and mistakes.

A raw value is ``None``, ``bool``, ``int``, ``float``, ``str``, a list or a dict with text keys, a ``ScalarText`` or an
``Unreadable``. The last two wait for the schema: only the wanted type tells whether ``007`` is a name or a number,
and a value that an override replaces is no mistake.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from sengine.printable import printable

Path: TypeAlias = tuple[str | int, ...]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SECRET_KEY: Final = re.compile(
    r"(?:^|_)(?:password|passwd|secret|token|api_?key|private_?key|seed|credentials)$", re.IGNORECASE
)
_LONGEST_SHOWN: Final = 60
# difflib takes quadratic time, and nobody mistypes a key into this many letters.
_LONGEST_MISTYPED: Final = 64


class ScalarText(NamedTuple):
    """A value from outside the file: its text, and what that text is as a YAML scalar."""

    text: str
    value: object


class Unreadable(NamedTuple):
    """Stands where a value could not be read; ``reason`` becomes a mistake if the value is still needed."""

    reason: str


class Mistake(NamedTuple):
    """What is wrong at ``path``. As text: ``strategies[1].config.short_window: expected an integer, got "five"``."""

    path: Path
    sentence: str

    def __str__(self) -> str:
        return f"{show_path(self.path)}: {self.sentence}" if self.path else self.sentence


def names_secret(key: str) -> bool:
    """Whether what is called so is to be kept out of sight. Sections name theirs so, and strategies, whose parameters
    are free, mostly do."""
    return _SECRET_KEY.search(key) is not None


def show_path(path: Path) -> str:
    """``("strategies", 1, "id")`` as ``strategies[1].id``; a key that is not a plain word is quoted."""
    shown = ""
    for key in path:
        if isinstance(key, int):
            shown += f"[{key}]"
            continue
        word = key if _PLAIN_KEY.fullmatch(key) else quoted(key)
        shown += f".{word}" if shown else word
    return shown


def quoted(text: str) -> str:
    """The text in double quotes on one printable line, cut where it is long."""
    cut = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
    return printable(json.dumps(cut, ensure_ascii=False))


def show_value(value: object) -> str:
    """A found value as mistakes show it: text quoted, numbers as written in YAML, containers by kind."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return quoted(value)
        case float() if math.isnan(value):
            return ".nan"
        case float() if math.isinf(value):
            return ".inf" if value > 0 else "-.inf"
        case float():
            return repr(value)
        case int():
            # Python refuses to print an integer of thousands of digits.
            return str(value) if value.bit_length() <= 256 else f"an integer of {value.bit_length()} bits"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case _:
            return f"a {type(value).__name__}"


def unknown_key(key: str, known: Iterable[str]) -> str:
    """The sentence for a key that is not one of ``known``."""
    known = list(known)
    near = nearest(key, known)
    if near is not None:
        return f'unknown key; did you mean "{near}"?'
    return f"unknown key; known keys: {', '.join(known)}" if known else "unknown key; no key is known here"


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` most likely was meant to be."""
    if len(word) > _LONGEST_MISTYPED:
        return None
    by_lower_case = {name.lower(): name for name in known}
    matches = difflib.get_close_matches(word.lower(), by_lower_case, n=1)
    return by_lower_case[matches[0]] if matches else None
