"""Foreign text on its way to the screens: escaped where it comes in, and kept out of whatever is drawn all the same."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from sengine.adapters.control.views import View
from sengine.printable import printable_lines

V = TypeVar("V")
# Parameters are edited and go back to the engine, so they stay as they are.
_KEPT = frozenset({"config"})


def shown(view: V) -> V:
    """The view with its texts escaped; the same one where there is nothing to escape."""
    return _shown(view)  # type: ignore[no-any-return]


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return printable_lines(value)
    if isinstance(value, View):
        fields = {name: getattr(value, name) for name in value.__struct_fields__ if name not in _KEPT}
        changed = {name: new for name, old in fields.items() if (new := _shown(old)) is not old}
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(value, tuple | list):
        items = [_shown(each) for each in value]
        return value if all(map(_is, items, value)) else type(value)(items)
    if isinstance(value, dict):
        texts = {_shown(name): _shown(each) for name, each in value.items()}
        return value if all(map(_is, texts, value)) and all(map(_is, texts.values(), value.values())) else texts
    return value


def _is(one: object, other: object) -> bool:
    return one is other


class Harmless(LineFilter):
    """Drops what would steer the terminal from a line that is drawn. It has no width, so nothing moves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [
            Segment("".join(filter(str.isprintable, text)), style, control) if not control else segment
            for segment in segments
            for text, style, control in (segment,)
        ]
