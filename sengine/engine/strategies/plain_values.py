"""What strategies hand over, as plain values of the engine's own: exact types, bounded, and always encodable.

A text, a number or a list that a strategy made may be of a class of its own, whose methods run its code whenever
somebody compares, shows or stores it. Here it becomes a plain one, once. Call it inside the guard: reading a value can
run its author's code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

LONGEST_TEXT: Final = 4_000
_INT64: Final = 2**63
_SHOWN: Final = (str, int, float, bool, type(None))
_WITH_ISO_FORMAT: Final = (date, time)
_WRITTEN_AS_TEXT: Final = (timedelta, Decimal, Fraction, UUID)
Unknown: TypeAlias = Callable[[object, str], object]
"""Gives what stands for a value (and its place) that has no plain form."""


class Bounds(NamedTuple):
    """How many values there may be in all, lists and dicts counted, how many characters of text, and how many levels
    of lists and dicts."""

    values: int
    characters: int
    levels: int = 8


METADATA: Final = Bounds(256, 16_000)
OWN_STATE: Final = Bounds(4_000, 64_000)
PARAMETERS: Final = Bounds(100_000, 4_000_000, 32)
_KEY: Final = Bounds(8, 1_000)

_name_of_type = type.__dict__["__name__"].__get__


class NotPlainError(Exception):
    """A value that is no plain one, or too large; the message names its place and says what was expected."""


def type_name(kind: type) -> str:
    """The name of a class. None of its author's code runs."""
    return own_text(_name_of_type(kind))[:100]


def own_text(text: str) -> str:
    """The same text as a plain one that can be encoded. None of its author's code runs."""
    if type(text) is not str:
        text = str.__str__(text)
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def bounded_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Its beginning and its end where it is longer, as ``own_text``."""
    text = own_text(text)
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters ...\n{text[-half:]}"


def shown(value: object) -> str:
    """A value in a sentence; of one that is not plain, the name of its class. None of its author's code runs."""
    kind = type(value)
    if kind is int and abs(value) >= 10**40:  # type: ignore[arg-type]
        return "an int beyond 40 digits"
    if kind in _SHOWN:
        return own_text(repr(value[:100] if kind is str else value))  # type: ignore[index]
    return type_name(kind)


def plain_dict(value: object, place: str, bounds: Bounds) -> dict[str, Any]:
    """A mapping as a dict of plain values. Raises ``NotPlainError``, as ``plain_value`` does."""
    if not issubclass(type(value), Mapping):
        raise NotPlainError(f"{place} must be a dict, got {shown(value)}")
    made: dict[str, Any] = plain_value(value, place, bounds)
    return made


def plain_value(value: object, place: str, bounds: Bounds, unknown: Unknown | None = None) -> Any:
    """``value`` as a plain one; ``place`` is what it is called. What has no plain form is refused, or is ``unknown``'s.

    Text, whole numbers of 64 bits, floats, True, False, None, lists and dicts are plain. Members of an enum are their
    value, times and dates ISO 8601 text, decimals, fractions and UUIDs text, arrays lists; keys are text as in JSON.
    Raises ``NotPlainError``.
    """
    return _Reading(bounds, unknown or _refuse).of(value, place, 0)


def _refuse(value: object, place: str) -> object:
    what = "text, numbers, True, False, None, or lists and dicts of these"
    raise NotPlainError(f"{place}: expected {what}, got {shown(value)}")


class _Reading:
    """One value with all that is in it."""

    def __init__(self, bounds: Bounds, unknown: Unknown) -> None:
        self._bounds = bounds
        self._values_left, self._characters_left = bounds.values, bounds.characters
        self._unknown = unknown

    def of(self, value: object, place: str, depth: int) -> Any:
        self._values_left -= 1
        if self._values_left < 0:
            raise self._too_many(place)
        kind: type = type(value)
        if kind is float or kind is bool or value is None:
            return value
        if depth > self._bounds.levels:
            raise NotPlainError(f"{place}: expected at most {self._bounds.levels} levels of lists and dicts")
        if issubclass(kind, Enum):
            return self.of(value.value, place, depth + 1)  # type: ignore[attr-defined]
        if issubclass(kind, str):
            return self._text(value, place)
        if issubclass(kind, int):
            number = int.__index__(value)  # type: ignore[arg-type]
            if not -_INT64 <= number < _INT64:
                raise NotPlainError(f"{place}: expected a whole number of 64 bits, got {shown(number)}")
            return number
        if issubclass(kind, float):
            return float.__float__(value)  # type: ignore[arg-type]
        if issubclass(kind, dict):
            return self._dict(value, place, depth)  # type: ignore[arg-type]
        if issubclass(kind, list):
            return self._list(list.__iter__(value), place, depth)  # type: ignore[arg-type]
        if issubclass(kind, tuple):
            return self._list(tuple.__iter__(value), place, depth)  # type: ignore[arg-type]
        return self._converted(value, kind, place, depth)

    def _converted(self, value: Any, kind: type, place: str, depth: int) -> Any:
        """What is not plain, and has an obvious plain form."""
        if issubclass(kind, _WITH_ISO_FORMAT):
            return self._text(value.isoformat(), place)
        if issubclass(kind, _WRITTEN_AS_TEXT):
            return self._text(str(value), place)
        if issubclass(kind, Mapping):
            return self.of(dict(value), place, depth)
        to_list = getattr(value, "tolist", None)
        if to_list is None:
            return self._unknown(value, place)
        # An array, or one number of NumPy's.
        size = getattr(value, "size", 1)
        if not isinstance(size, int) or size > self._values_left:
            raise self._too_many(place)
        return self.of(to_list(), place, depth + 1)

    def _too_many(self, place: str) -> NotPlainError:
        return NotPlainError(f"{place}: expected at most {self._bounds.values:,} values in all")

    def _text(self, value: object, place: str) -> str:
        if not issubclass(type(value), str):
            raise NotPlainError(f"{place}: expected a text, got {shown(value)}")
        text = own_text(value)  # type: ignore[arg-type]
        self._characters_left -= len(text)
        if self._characters_left < 0:
            raise NotPlainError(f"{place}: expected at most {self._bounds.characters:,} characters of text in all")
        return text

    def _list(self, values: Iterable[object], place: str, depth: int) -> list[Any]:
        return [self.of(each, f"{place}[{at}]", depth + 1) for at, each in enumerate(values)]

    def _dict(self, value: dict[Any, Any], place: str, depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for key, each in dict.items(value):
            name = self._text(key, place) if type(key) is str else self._text(_key_text(key, place), place)
            if name in made:
                raise NotPlainError(f"{place}: expected different keys, got {shown(name)} twice")
            made[name] = self.of(each, f"{place}.{name[:100]}", depth + 1)
        return made


def _key_text(key: object, place: str) -> str:
    """A key that is no text, as JSON writes it."""
    plain = _Reading(_KEY, _refuse_key).of(key, place, 0)
    if plain is None:
        return "null"
    if type(plain) is bool:
        return "true" if plain else "false"
    if type(plain) in (list, dict):
        _refuse_key(key, place)
    return plain if type(plain) is str else repr(plain)


def _refuse_key(key: object, place: str) -> object:
    raise NotPlainError(f"{place}: expected text as keys, got {shown(key)}")
