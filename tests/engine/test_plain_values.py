"""What strategies hand over becomes plain values of the engine's own, or is refused with its place."""

from __future__ import annotations

from collections import OrderedDict, UserDict
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from fractions import Fraction
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.engine.strategies.plain_values import (
    METADATA,
    Bounds,
    NotPlainError,
    bounded_text,
    own_text,
    plain_dict,
    plain_value,
    shown,
    type_name,
)


class Ticker(str):
    """A text with methods of its own."""

    __slots__ = ()

    def __repr__(self) -> str:
        raise AssertionError("its code has run")

    __str__ = __eq__ = __format__ = __len__ = __iter__ = __repr__  # type: ignore[assignment]
    __hash__ = str.__hash__


class Loud(float):
    """A number with methods of its own."""

    def __repr__(self) -> str:
        raise AssertionError("its code has run")

    __str__ = __float__ = __eq__ = __repr__  # type: ignore[assignment]
    __hash__ = float.__hash__


class Hoard(dict):
    """A dict that gives away nothing of what it holds."""

    def __iter__(self) -> Any:
        raise AssertionError("its code has run")

    items = keys = values = __len__ = __repr__ = __getitem__ = __iter__  # type: ignore[assignment]


class Row(list):
    """The same as a list."""

    def __iter__(self) -> Any:
        raise AssertionError("its code has run")

    __len__ = __repr__ = __iter__  # type: ignore[assignment]


class Side(StrEnum):
    BUY = "buy"


class Level(IntEnum):
    TOP = 3


class Colour(Enum):
    RED = (1, "r")


PLAIN: list[tuple[object, object]] = [
    (True, True),
    (None, None),
    (7, 7),
    (1.5, 1.5),
    ("crossed", "crossed"),
    (Ticker("BTC"), "BTC"),
    (Loud(2.5), 2.5),
    (np.str_("BTC"), "BTC"),
    (np.float64(1.5), 1.5),
    (np.float32(0.5), 0.5),
    (np.int64(3), 3),
    (np.bool_(True), True),
    (np.array([[1.0, 2.0], [3.0, 4.0]]), [[1.0, 2.0], [3.0, 4.0]]),
    (Side.BUY, "buy"),
    (Level.TOP, 3),
    (Colour.RED, [1, "r"]),
    ((1, 2), [1, 2]),
    (Row([1, [2]]), [1, [2]]),
    (Hoard(a=Hoard(b=1)), {"a": {"b": 1}}),
    (OrderedDict(a=1), {"a": 1}),
    (MappingProxyType({"a": 1}), {"a": 1}),
    (UserDict({"a": 1}), {"a": 1}),
    (date(2024, 1, 2), "2024-01-02"),
    (datetime(2024, 1, 2, 3, tzinfo=timezone.utc), "2024-01-02T03:00:00+00:00"),  # noqa: UP017 - as authors write it
    (time(9, 30), "09:30:00"),
    (timedelta(hours=1), "1:00:00"),
    (Decimal("1.50"), "1.50"),
    (Fraction(1, 3), "1/3"),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ({1: 2.0}, {"1": 2.0}),
    ({0.5: 1, True: 2, None: 3, Side.BUY: 4, np.int64(3): 5}, {"0.5": 1, "true": 2, "null": 3, "buy": 4, "3": 5}),
    ({date(2024, 1, 2): 1}, {"2024-01-02": 1}),
    ("lone \ud800", "lone ?"),
]


# Ids by number: those that pytest makes would run the code of what they name.
@pytest.mark.parametrize(("value", "expected"), PLAIN, ids=range(len(PLAIN)))
def test_what_authors_write_becomes_plain_without_a_line_of_its_classes(value: object, expected: object) -> None:
    plain = plain_value(value, "x", METADATA)
    assert plain == expected
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plain)) == expected
    assert _is_plain(plain)


def _is_plain(value: object) -> bool:
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(type(key) is str and _is_plain(each) for key, each in value.items())
    return value is None or type(value) in (str, int, float, bool)


class Endless:
    def tolist(self) -> Endless:
        return self


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"a": {1, 2}}, "metadata.a: expected text, numbers, True, False, None, or lists and dicts of these, got set"),
        ({"a": [0, object()]}, r"metadata\.a\[1\]: expected text, .* got object"),
        ({"a": b"x"}, "metadata.a: .* got bytes"),
        ({"a": 1 + 2j}, "metadata.a: .* got complex"),
        ({"a": 2**63}, "metadata.a: expected a whole number of 64 bits, got 9223372036854775808"),
        ({"a": -(10**400)}, "metadata.a: expected a whole number of 64 bits, got an int beyond 40 digits"),
        ({(1, 2): 0.5}, "metadata: expected text as keys, got tuple"),
        ({b"k": 1}, "metadata: expected text as keys, got bytes"),
        ({1: 1, "1": 2}, "metadata: expected different keys, got '1' twice"),
        ({"a": "x" * 16_001}, "metadata.a: expected at most 16,000 characters of text in all"),
        ({str(n): 1 for n in range(256)}, r"metadata\.255: expected at most 256 values in all"),
        ({"a": np.zeros(10**6)}, "metadata.a: expected at most 256 values in all"),
        ({"a": Endless()}, "metadata.a: expected at most 8 levels"),
    ],
)
def test_what_has_no_plain_form_or_is_too_much_is_refused_with_its_place(value: object, sentence: str) -> None:
    with pytest.raises(NotPlainError, match=sentence):
        plain_dict(value, "metadata", METADATA)


@pytest.mark.parametrize("value", [[1, 2], 0.7, "crossed", None, {1}])
def test_metadata_is_a_dict(value: object) -> None:
    with pytest.raises(NotPlainError, match="metadata must be a dict, got"):
        plain_dict(value, "metadata", METADATA)


def test_a_value_that_holds_itself_ends() -> None:
    knot: list[Any] = []
    knot.append(knot)
    with pytest.raises(NotPlainError, match="at most 8 levels"):
        plain_value(knot, "x", METADATA)
    wide: dict[str, Any] = {}
    wide.update(a=wide, b=wide)
    with pytest.raises(NotPlainError):
        plain_value(wide, "x", METADATA)


def test_what_is_unknown_can_be_shown_in_its_place() -> None:
    plain = plain_value({"a": [object()]}, "x", Bounds(9, 99), lambda value, place: f"<{type_name(type(value))}>")
    assert plain == {"a": ["<object>"]}


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.dates()
_ANYTHING = st.recursive(
    _LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.floats() | st.none(), inner)
)


@given(_ANYTHING)
def test_anything_is_refused_or_comes_back_from_a_journal_as_it_is(value: object) -> None:
    try:
        plain = plain_value(value, "x", METADATA)
    except NotPlainError:
        return
    assert _is_plain(plain)
    encoded = msgspec.msgpack.encode(plain)
    assert msgspec.msgpack.encode(msgspec.msgpack.decode(encoded)) == encoded


def test_plain_values_are_shared_with_nobody() -> None:
    levels = [1.0]
    metadata = {"levels": levels}
    plain = plain_dict(metadata, "metadata", METADATA)
    levels.append(2.0)
    metadata["more"] = []
    assert plain == {"levels": [1.0]}


@pytest.mark.parametrize(
    ("value", "words"),
    [("BTC", "'BTC'"), (1.5, "1.5"), (None, "None"), (Row(), "Row"), (10**50, "an int beyond 40 digits")],
)
def test_values_in_sentences_are_short_and_never_run_code(value: object, words: str) -> None:
    assert shown(value) == words
    assert len(shown("x" * 10_000)) < 200


def test_texts_are_bounded_keep_both_ends_and_can_be_encoded() -> None:
    text = bounded_text("a" * 5000 + "b" * 5000)
    assert text.startswith("aaa")
    assert text.endswith("bbb")
    assert "6,000 characters" in text
    assert own_text(Ticker("x")) == "x"
    assert own_text("\ud800").encode() == b"?"


def test_the_name_of_a_class_is_read_past_its_metaclass() -> None:
    class Meta(type):
        @property
        def __name__(cls) -> str:
            raise AssertionError("its code has run")

    assert type_name(Meta("Odd", (), {})) == "Odd"
