from __future__ import annotations

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sengine.config.raw import Unreadable
from sengine.config.yaml_text import MOST_CHARACTERS, YamlError, read_yaml


def values(text):
    raw, mistakes = read_yaml(text)
    assert not mistakes
    return raw


def sentences(text):
    return [str(mistake) for mistake in read_yaml(text)[1]]


def test_scalars_follow_yaml_1_2():
    text = "[1e-3, on, yes, 010, 12:30, 2024-08-08, '5', ~, True]"
    assert values(text) == [0.001, "on", "yes", 10, "12:30", "2024-08-08", "5", None, True]


def test_keys_are_text_whatever_they_spell():
    assert values("1: a\non: b\ntrue: c\nnull: d\n") == {"1": "a", "on": "b", "true": "c", "null": "d"}


def test_empty_text_is_nothing():
    assert values("") is None
    assert values("# only a comment\n") is None


def test_key_given_twice_is_a_mistake_with_both_lines():
    assert sentences("a:\n  b: 1\n  c: 2\n  b: 3\n") == ["a.b: given twice, in line 2 and in line 4"]


def test_every_repeated_key_is_reported():
    assert len(sentences("a: 1\na: 2\nb: {c: 1, c: 2}\n")) == 2


def test_key_that_is_no_text_is_a_mistake():
    assert sentences("a: 1\n? [b]\n: 2\n") == ["expected a key of plain text in line 2"]


def test_merge_keys_are_merged_and_own_keys_win():
    text = "base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nm:\n  <<: [*b, *o]\n  x: 9\n"
    assert values(text)["m"] == {"x": 9, "y": 2, "z": 4}


def test_merging_what_is_no_mapping_is_a_mistake():
    assert sentences("m:\n  <<: 5\n") == ["m: expected << in line 2 to name mappings"]


def test_quoted_merge_key_is_a_plain_key():
    assert values('"<<": 1\n') == {"<<": 1}


def test_aliases_do_not_share_values():
    raw = values("a: &x {k: 1}\nb: *x\n")
    raw["a"]["k"] = 2
    assert raw["b"] == {"k": 1}


def test_alias_that_holds_itself_is_unreadable():
    assert values("a: &x [1, *x]\n") == {"a": [1, Unreadable("the value in line 1 holds itself through an alias")]}
    assert values("a: &x\n  b: *x\n") == {"a": {"b": Unreadable("the value in line 1 holds itself through an alias")}}


def test_unknown_tag_is_unreadable():
    assert values("a: !thing 5\n") == {"a": Unreadable("unknown tag !thing in line 1")}
    assert values("a: !!python/name:os {}\n") == {"a": Unreadable("unknown tag !!python/name:os in line 1")}
    assert values("a: !!binary aGk=\n") == {"a": Unreadable("unknown tag !!binary in line 1")}


def test_explicit_core_tags_are_known():
    assert values('a: !!str 5\nb: !!int "5"\nc: !!float "1"\n') == {"a": "5", "b": 5, "c": 1.0}
    assert values("a: !!int five\n") == {"a": Unreadable("expected int after its tag")}


def test_syntax_error_tells_line_and_column():
    with pytest.raises(YamlError) as caught:
        read_yaml("a: 1\nb: [1, 2\nc: 3\n")
    assert caught.value.sentence == "not valid YAML: expected ',' or ']', but got ':'"
    assert (caught.value.line, caught.value.column) == (3, 2)


def test_control_character_tells_line_and_column():
    with pytest.raises(YamlError) as caught:
        read_yaml("a: 1\nb: \x01\n")
    assert caught.value.sentence == 'not valid YAML: the character "\\u0001" is not allowed'
    assert (caught.value.line, caught.value.column) == (2, 4)


def test_two_documents_are_refused():
    with pytest.raises(YamlError, match="but found another document"):
        read_yaml("a: 1\n---\nb: 2\n")


def test_half_a_character_is_unreadable():
    assert values('a: "\\ud800"\n') == {"a": Unreadable("half of a character (a surrogate) in line 1")}


def test_moderately_deep_nesting_is_unreadable_where_it_gets_too_deep():
    deep = values("[" * 60 + "]" * 60)
    for _ in range(50):
        deep = deep[0]
    assert deep == Unreadable("nested deeper than 50 levels, in line 1")


@pytest.mark.parametrize("text", ["[" * 600, "{a: " * 600, "- " * 600])
def test_absurdly_deep_nesting_is_an_error(text):
    with pytest.raises(YamlError, match="nested deeper than 50 levels"):
        read_yaml(text)


def test_aliases_that_multiply_are_an_error():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    with pytest.raises(YamlError, match="at most 100000 values"):
        read_yaml("\n".join(lines))


def test_very_long_text_is_an_error():
    with pytest.raises(YamlError, match="at most 1048576 characters"):
        read_yaml("#" * (MOST_CHARACTERS + 1))


def test_escapes_and_versions_out_of_range_are_errors():
    for text in ('"\\UFFFFFFFF"', f"%YAML 1.{'9' * 5000}\n---\n"):
        with pytest.raises(YamlError, match="out of range"):
            read_yaml(text)


indicators = st.text(alphabet=":-?,[]{}&*!|>'\"%@`#~<= \n\tab1.0\\Uux/\ufeff\x85\u2028", max_size=40)


@given(st.one_of(st.text(max_size=60), indicators))
@example("!<")
@example("%TAG ! !\n--- !a")
@example("=")
@example("? \n? \n")
def test_any_text_gives_values_or_a_yaml_error(text):
    try:
        found = sentences(text)
    except YamlError as error:
        found = [error.sentence]
    assert all(sentence.isprintable() for sentence in found)


plain = st.text(alphabet=st.characters(exclude_categories=["C"]), max_size=8)
structures = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | plain,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(plain.filter(lambda key: key != "<<"), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(structures)
def test_what_pyyaml_writes_reads_back(structure):
    assert values(yaml.safe_dump(structure, allow_unicode=True)) == structure
