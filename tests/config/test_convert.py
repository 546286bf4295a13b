from __future__ import annotations

import math
from enum import Enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta, field

from sengine.config import convert_parameters
from sengine.config.convert import convert
from sengine.config.durations import Duration
from sengine.config.raw import ScalarText, Unreadable
from sengine.errors import ConfigError


def sentence(value, type_):
    result, mistakes = convert(value, type_, ("key",))
    assert result is None
    assert len(mistakes) == 1
    return str(mistakes[0])


def converted(value, type_):
    result, mistakes = convert(value, type_)
    assert mistakes == []
    return result


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(Enum):
    ONE = 1
    TWO = 2


class Circle(msgspec.Struct, frozen=True, tag_field="type", tag="circle"):
    radius: Annotated[float, Meta(gt=0)] = 1.0


class Square(msgspec.Struct, frozen=True, tag_field="type", tag="square"):
    side: int


class Window(msgspec.Struct, frozen=True, kw_only=True):
    size_ns: Annotated[Duration, Meta(gt=0)] = field(default=5, name="size")
    name: str
    shapes: list[Circle | Square] = field(default_factory=lambda: [Circle()])
    inner: Circle | None = None


class Averages(msgspec.Struct, frozen=True):
    short_window: Annotated[int, Meta(ge=1, description="Ticks of the short mean.")] = 5
    long_window: Annotated[int, Meta(ge=1)] = 20

    def __post_init__(self) -> None:
        if self.short_window >= self.long_window:
            raise ValueError(f"expected short_window < long_window, got {self.short_window} and {self.long_window}")


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ("five", Annotated[int, Meta(ge=1)], 'expected an integer >= 1, got "five"'),
        (0, Annotated[int, Meta(ge=1)], "expected an integer >= 1, got 0"),
        (2.5, int, "expected an integer, got 2.5"),
        (math.nan, int, "expected an integer, got .nan"),
        (2**63, int, "expected an integer of 64 bits, got 9223372036854775808"),
        (True, int, "expected an integer, got true"),
        (3, Annotated[int, Meta(multiple_of=2)], "expected an integer a multiple of 2, got 3"),
        (True, float, "expected a number, got true"),
        ("1", float, 'expected a number, got "1"'),
        (math.inf, float, "expected a finite number, got .inf"),
        (10**400, float, "expected a number, got an integer of 1329 bits"),
        (1.5, Annotated[float, Meta(ge=0, le=1)], "expected a number >= 0 and <= 1, got 1.5"),
        (1.0, Annotated[float, Meta(lt=1)], "expected a number < 1, got 1.0"),
        (1, bool, "expected true or false, got 1"),
        ("yes", bool, 'expected true or false, got "yes"'),
        (5, str, "expected text, got 5; put it in quotes"),
        (None, str, "expected text, got nothing"),
        ("", Annotated[str, Meta(min_length=1)], 'expected non-empty text, got ""'),
        ("abc", Annotated[str, Meta(max_length=2)], 'expected text of at most 2 characters, got "abc"'),
        ("b", Annotated[str, Meta(pattern="^a+$")], 'expected text that matches ^a+$, got "b"'),
        ("x" * 100, int, f'expected an integer, got "{"x" * 60}..."'),
        ("a\nb", int, 'expected an integer, got "a\\nb"'),
        ("c", Literal["a", "b"], 'expected one of a, b, got "c"'),
        (True, Literal[1, 2], "expected one of 1, 2, got true"),
        ("green", Colour, 'expected one of red, blue, got "green"'),
        ("x", list[int], 'expected a list, each an integer, got "x"'),
        ([], Annotated[list[str], Meta(min_length=1)], "expected a non-empty list, each text, got an empty list"),
        (
            [1, 2, 3],
            Annotated[list[int], Meta(max_length=2)],
            "expected a list of at most 2 items, each an integer, got a list",
        ),
        (5, dict[str, int], "expected a mapping, got 5"),
        (5, Window, "expected a mapping, got 5"),
        ("x", int | None, 'expected an integer, got "x"'),
        ({}, int | str, "expected an integer or text, got an empty mapping"),
        ("5 parsecs", Duration, 'expected a duration like 5s, 250ms or 1m, got "5 parsecs"'),
        ("0s", Annotated[Duration, Meta(gt=0)], 'expected a duration > 0s like 5s, 250ms or 1m, got "0s"'),
        (True, Duration, "expected a duration like 5s, 250ms or 1m, got true"),
        (math.nan, Duration, "expected a duration like 5s, 250ms or 1m, got .nan"),
        ("999999999999999d", Duration, 'expected a duration like 5s, 250ms or 1m, got "999999999999999d"'),
        (math.nan, Any, "expected a finite number, got .nan"),
        (5, None, "expected null, got 5"),
        ([1], Annotated[list[Any], Meta(min_length=2)], "expected a list of at least 2 items, got a list"),
        (b"x", bytes, "no configuration can hold a bytes; declare text, a number, a boolean, a list or a mapping"),
        (object(), int, "expected an integer, got a object"),
    ],
)
def test_each_mistake_is_one_sentence(value, type_, expected):
    assert sentence(value, type_) == f"key: {expected}"


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        (2.0, int, 2),
        (2, float, 2.0),
        ("5s", Duration, 5_000_000_000),
        (1.5, Duration, 1_500_000_000),
        (None, int | None, None),
        (None, list[int], []),
        (None, dict[str, int], {}),
        ([1, 2.0], list[int], [1, 2]),
        ([1, 2], tuple[int, ...], (1, 2)),
        (None, None, None),
        (1, int | float, 1),
        (1.5, int | float, 1.5),
        ("x", float | str, "x"),
        ([1], int | list[int], [1]),
        ("red", Colour, Colour.RED),
        (1, Level, Level.ONE),
        ({"a": [1, {"b": None}]}, Any, {"a": [1, {"b": None}]}),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        (5, object, 5),
        (2, Annotated[int, Meta(multiple_of=2)], 2),
    ],
)
def test_values_that_fit_become_the_type(value, type_, expected):
    result = converted(value, type_)
    assert result == expected
    assert type(result) is type(expected)


def test_struct_gets_renamed_keys_and_defaults():
    window = converted({"size": "250ms", "name": "w"}, Window)
    assert window == Window(size_ns=250_000_000, name="w", shapes=[Circle()])


def test_empty_section_means_its_defaults():
    assert converted(None, Averages) == Averages()


def test_missing_required_key_says_what_is_expected():
    assert sentence({}, Window) == "key.name: missing; expected text"


def test_missing_key_of_any_type_is_missing_too():
    anything_needed = msgspec.defstruct("AnythingNeeded", [("x", Any)])
    assert sentence({}, anything_needed) == "key.x: missing; expected any value"


def test_unknown_key_suggests_the_nearest_or_lists_the_known():
    assert sentence({"name": "w", "siz": 1}, Window) == 'key.siz: unknown key; did you mean "size"?'
    assert sentence({"name": "w", "NAME": 1}, Window) == 'key.NAME: unknown key; did you mean "name"?'
    assert sentence({"name": "w", "qq": 1}, Window) == "key.qq: unknown key; known keys: size, name, shapes, inner"
    assert sentence({"name": "w", "size" * 20: 1}, Window).endswith("known keys: size, name, shapes, inner")
    assert sentence({"name": "w", "a b\n": 1}, Window).startswith('key."a b\\n": unknown key')


def test_attribute_name_of_a_renamed_key_is_unknown():
    assert sentence({"name": "w", "size_ns": 1}, Window) == 'key.size_ns: unknown key; did you mean "size"?'


def test_tagged_structs_are_chosen_by_their_type():
    shapes = converted([{"type": "square", "side": 2}, {"type": "circle"}], list[Circle | Square])
    assert shapes == [Square(2), Circle()]
    assert converted({"type": "circle"}, Circle) == Circle()


def test_tagged_struct_of_no_or_unknown_type_lists_the_types():
    assert sentence({}, Circle | Square) == "key.type: missing; expected one of circle, square"
    assert sentence({"type": "cube"}, Circle | Square) == 'key.type: expected one of circle, square, got "cube"'
    assert sentence({"type": [1]}, Circle | Square) == "key.type: expected one of circle, square, got a list"
    assert sentence({"type": Unreadable("no")}, Circle | Square) == "key.type: no"
    assert sentence({"type": "square"}, Circle) == 'key.type: expected circle, got "square"'
    assert sentence(5, Circle | Square) == "key: expected a mapping, got 5"


def test_all_mistakes_are_collected_with_their_paths():
    value = {
        "size": "soon",
        "shapes": [{"type": "circle", "radius": 0}, 3, {"type": "square"}],
        "inner": {"radius": "x"},
        "q": 1,
    }
    _, mistakes = convert(value, Window)
    assert [str(mistake) for mistake in mistakes] == [
        'size: expected a duration > 0s like 5s, 250ms or 1m, got "soon"',
        "name: missing; expected text",
        "shapes[0].radius: expected a number > 0, got 0",
        "shapes[1]: expected a mapping, got 3",
        "shapes[2].side: missing; expected an integer",
        'inner.radius: expected a number > 0, got "x"',
        "q: unknown key; known keys: size, name, shapes, inner",
    ]


def test_union_reports_the_mistakes_inside_the_member_that_was_meant():
    assert sentence([1, "x"], int | list[int]) == 'key[1]: expected an integer, got "x"'


def test_scalar_from_outside_is_what_the_type_wants():
    assert converted(ScalarText("007", 7), str) == "007"
    assert converted(ScalarText("007", 7), str | None) == "007"
    assert converted(ScalarText("", None), str) == ""
    assert converted(ScalarText("007", 7), int) == 7
    assert converted(ScalarText("1", 1), Literal["1", "2"]) == "1"
    assert converted(ScalarText("1", 1), Literal[1, 2]) == 1
    assert converted(ScalarText("null", None), int | None) is None
    assert converted(ScalarText("5", 5), Duration) == 5_000_000_000
    assert converted({"a": ScalarText("5", 5)}, Any) == {"a": 5}
    assert converted(ScalarText("1", 1), Level) is Level.ONE
    assert sentence(ScalarText("9", Unreadable("too long")), int) == "key: too long"


def test_value_that_holds_itself_is_a_mistake():
    loop: list[Any] = []
    loop.append(loop)
    assert "nested deeper than 100 levels" in sentence(loop, Any)


def test_parameters_are_checked_with_their_place():
    with pytest.raises(ConfigError) as caught:
        convert_parameters({"short_window": "five", "lnog_window": 3}, Averages, "strategies[1].config")
    assert caught.value.mistakes == (
        'strategies[1].config.short_window: expected an integer >= 1, got "five"',
        'strategies[1].config.lnog_window: unknown key; did you mean "long_window"?',
    )


def test_parameters_get_their_defaults():
    assert convert_parameters({"short_window": 3.0}, Averages, "here") == Averages(short_window=3)


def test_check_between_parameters_is_a_mistake_of_the_whole():
    with pytest.raises(ConfigError, match=r"^here: expected short_window < long_window, got 30 and 20$"):
        convert_parameters({"short_window": 30}, Averages, "here")


def test_parameter_type_that_cannot_be_resolved_is_a_config_error():
    broken = msgspec.defstruct("Broken", [("x", "Nowhere")])
    with pytest.raises(ConfigError, match=r"^here: the type of the declared parameters cannot be read: .*Nowhere"):
        convert_parameters({}, broken, "here")


keys = st.sampled_from(["size", "name", "shapes", "inner", "type", "radius", "side"]) | st.text(max_size=3)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=60)
@given(anything)
def test_any_value_converts_or_has_mistakes(value):
    result, mistakes = convert(value, Window)
    assert isinstance(result, Window) is not bool(mistakes)
    assert all(str(mistake).isprintable() for mistake in mistakes)
