"""Plain YAML scalars, by the core schema of YAML 1.2: what has no quotes and spells null, a boolean or a number.

Unlike PyYAML's own rules (YAML 1.1): ``1e-3`` is a number, ``yes``, ``on`` and ``12:30`` are text, ``010`` is ten.
Underscores between digits are allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

from sengine.config.raw import ScalarText, Unreadable, quoted

_DIGITS: Final = r"[0-9]+(?:_[0-9]+)*"
# Reading a decimal integer takes quadratic time; nothing here needs more digits than a 64-bit number twice.
_LONGEST_NUMBER: Final = 50


class ScalarKind(NamedTuple):
    """One kind of plain scalar; ``first`` are the characters that it can begin with."""

    tag: str
    pattern: re.Pattern[str]
    first: str
    read: Callable[[str], object]


def _integer(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    digits = text.lstrip("+-")
    base = {"0o": 8, "0x": 16}.get(digits[:2], 10)
    return sign * int(digits if base == 10 else digits[2:], base)


def _float(text: str) -> float:
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


# In this order: an integer also has the form of a float.
KINDS: Final = (
    ScalarKind("tag:yaml.org,2002:null", re.compile(r"(?:~|null|Null|NULL|)\Z"), "~nN", lambda _: None),
    ScalarKind(
        "tag:yaml.org,2002:bool",
        re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
        "tTfF",
        lambda text: text.lower() == "true",
    ),
    ScalarKind(
        "tag:yaml.org,2002:int",
        re.compile(rf"[-+]?(?:{_DIGITS}|0o[0-7]+|0x[0-9a-fA-F]+)\Z"),
        "-+0123456789",
        _integer,
    ),
    ScalarKind(
        "tag:yaml.org,2002:float",
        re.compile(
            rf"(?:[-+]?(?:\.{_DIGITS}|{_DIGITS}(?:\.(?:{_DIGITS})?)?)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
        ),
        "-+.0123456789",
        _float,
    ),
)


def read_kind(kind: ScalarKind, text: str) -> object:
    """The value of a text of this kind, or ``Unreadable`` where it is not of this kind after all."""
    if kind.pattern.match(text) is None:
        return Unreadable(f"expected {kind.tag.rpartition(':')[2]} after its tag")
    if len(text) > _LONGEST_NUMBER:
        return Unreadable(f"expected a number of at most {_LONGEST_NUMBER} characters, got {len(text)}")
    return kind.read(text)


def plain_scalar(text: str) -> object:
    """What the text means where a YAML file has it without quotes; text that spells nothing else is itself."""
    text = text.strip()
    kind = next((kind for kind in KINDS if kind.pattern.match(text)), None)
    return text if kind is None else read_kind(kind, text)


def outside_text(text: str) -> ScalarText | Unreadable:
    """Text of the environment as a value. Bytes there that are not UTF-8 reach Python as surrogates: no text."""
    if has_surrogate(text):
        return Unreadable(f"expected UTF-8 text, got {quoted(text)}")
    return ScalarText(text, plain_scalar(text))


def has_surrogate(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
