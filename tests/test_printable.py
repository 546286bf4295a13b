"""Foreign text cannot steer a terminal, and JSON keeps what was said."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stderr

import pytest
import structlog
from hypothesis import example, given
from hypothesis import strategies as st

from sengine.printable import LONGEST, printable, printable_json, printable_lines
from sengine.runtime.logging import configure_logging

EVIL = "\x1b]0;PWNED\x07\x1b[31mRED\x1b[2J\x9b31m[bold]x[/bold]\u202eRTL\u200b\r\nfake line\x00\x7f"


@pytest.fixture(autouse=True, scope="module")
def the_log_as_it_was() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@given(st.text())
@example(EVIL)
def test_what_is_shown_is_printable_and_harmless_text_stays(text: str) -> None:
    assert printable(text).isprintable()
    assert printable_lines(text).replace("\n", "").replace("\t", "").isprintable()
    if text.isprintable():
        assert printable(text) == printable_lines(text) == text
    assert printable(printable(text)) == printable(text)


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
@example({EVIL: [EVIL, "\U000e0001", "\ufeff"]})
def test_json_means_the_same_and_holds_nothing_that_steers(value: object) -> None:
    text = printable_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert text.replace("\n", "").isprintable()


def test_a_text_is_bounded_and_says_by_how_much() -> None:
    assert printable("x" * (LONGEST + 1_234)) == "x" * LONGEST + "... (1,234 more characters)"


def test_lines_are_kept_where_there_may_be_some_and_escaped_where_there_is_one() -> None:
    assert printable_lines("a\n\tb\r\x1b[2J") == "a\n\tb\\r\\x1b[2J"
    assert printable("a\nb") == "a\\nb"


def test_the_console_log_is_one_harmless_line_an_event() -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        configure_logging("info", "console")
    structlog.get_logger("test").info(
        EVIL, **{EVIL: EVIL, "nested": {EVIL: [EVIL]}, "half": "\udc80", "long": "x" * 9999}
    )
    try:
        raise ValueError(EVIL)
    except ValueError:
        structlog.get_logger("test").exception("failed")
    first, *rest = said.getvalue().splitlines()
    assert "fake line" in first
    assert "more characters" in first
    for line in (first, *rest):
        assert line.isprintable(), line
    assert len([line for line in rest if "fake line" in line]) == 1


def test_the_json_log_keeps_what_was_said_in_escapes() -> None:
    said = io.StringIO()
    with redirect_stderr(said):
        configure_logging("info", "json")
    log = structlog.get_logger("test")
    log.info(EVIL, **{EVIL: EVIL})
    log.warning("half a character", name="\udc80" + EVIL)
    log.warning("a key that is no text", fields={1: EVIL})
    lines = said.getvalue().splitlines()
    assert [line.isprintable() for line in lines] == [True] * 3
    first, second, _ = map(json.loads, lines)
    assert (first["event"], first[EVIL]) == (EVIL, EVIL)
    assert second["event"] == "half a character"
    assert second["name"].startswith("\\udc80\\x1b]0;PWNED")
