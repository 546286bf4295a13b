"""What strategies, venues and messages say comes to the screens as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.control import Control
from rich.segment import Segment
from textual.color import Color

from sengine.adapters.control.views import LogLineView, LogView, ReplyView
from tests.test_printable import EVIL
from tui.shown import Harmless, shown

BLACK = Color(0, 0, 0)


def test_every_text_of_a_view_is_escaped_and_parameters_stay() -> None:
    line = LogLineView(time_ns=1, level="error", event=EVIL, fields={EVIL: [EVIL, 1.5, None]})
    view = shown(LogView(lines=(line,), dropped=0))
    (escaped,) = view.lines
    assert escaped.event.startswith("\\x1b]0;PWNED\\x07")
    ((name, (text, number, nothing)),) = escaped.fields.items()
    for each in (escaped.event, name, text):
        assert each.replace("\n", "").isprintable()
    assert (number, nothing) == (1.5, None)


def test_a_view_without_anything_to_escape_is_the_same_one() -> None:
    view = LogView(lines=(LogLineView(time_ns=1, level="info", event="ready", fields={"a": ["b"]}),), dropped=0)
    assert shown(view) is view
    reply = ReplyView(message="done", orders_to_cancel=0)
    assert shown(reply) is reply


@given(st.lists(st.text()))
def test_nothing_that_steers_is_drawn_whatever_a_line_is_made_of(texts: list[str]) -> None:
    control = Control.home().segment
    segments = [*(Segment(text) for text in texts), control]
    drawn = Harmless().apply(segments, BLACK)
    assert drawn[-1] == control, "what the toolkit draws with stays"
    assert all(segment.text.isprintable() for segment in drawn[:-1])
    assert "".join(segment.text for segment in drawn[:-1]) == "".join(filter(str.isprintable, "".join(texts)))
