from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sengine.config.raw import ScalarText, Unreadable
from sengine.config.scalars import outside_text, plain_scalar


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("12", 12),
        ("-3", -3),
        ("010", 10),
        ("0x1F", 31),
        ("0o17", 15),
        ("100_000", 100_000),
        ("1e-3", 0.001),
        ("1_000.5", 1000.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-.inf", -math.inf),
        (" 7 ", 7),
    ],
)
def test_plain_scalar_spells_null_booleans_and_numbers(text, value):
    result = plain_scalar(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "text", ["yes", "on", "off", "no", "12:30:00", "2024-08-08", "1e", "_1", "1__0", "0x", "[1]", "a: b", "nul", "٣"]
)
def test_what_spells_nothing_else_is_text(text):
    assert plain_scalar(text) == text


def test_number_of_too_many_digits_is_unreadable_and_not_a_crash():
    assert plain_scalar("9" * 5000) == Unreadable("expected a number of at most 50 characters, got 5000")


def test_bytes_that_are_not_utf8_are_no_text():
    assert outside_text("ab") == ScalarText("ab", "ab")
    assert outside_text("a\udcff") == Unreadable('expected UTF-8 text, got "a\\udcff"')


@given(st.text())
def test_any_text_is_some_scalar(text):
    assert isinstance(plain_scalar(text), str | int | float | Unreadable | None)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_as_python_writes_it_reads_back(number):
    assert plain_scalar(repr(number)) == number
