"""Foreign text made fit to be shown: what strategies, venues, messages and files say must not steer a terminal.

Everything that a terminal would not print as itself is shown as Python escapes it: control characters of both sets,
marks that turn the direction of writing, characters without width. JSON keeps what was said, in JSON's own escapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

LONGEST: Final = 4_000
"""Of a text in a line: a name, a reason, a message."""
_LAYOUT: Final = "\n\t"


def printable(text: str, longest: int = LONGEST) -> str:
    """The text on one line, cut where it is longer than ``longest``."""
    if len(text) > longest:
        text = f"{text[:longest]}... ({len(text) - longest:,} more characters)"
    return text if text.isprintable() else "".join(map(_shown, text))


def printable_lines(text: str) -> str:
    """The text with its line breaks and tabs, whole."""
    if text.isprintable():
        return text
    return "".join(c if c in _LAYOUT else _shown(c) for c in text)


def printable_json(text: str) -> str:
    """JSON that means the same; outside of its strings there is nothing but ASCII."""
    if text.isascii() or text.isprintable():
        return text  # JSON has the control characters of ASCII escaped already
    return "".join(c if c in _LAYOUT or c.isprintable() else _json_escape(c) for c in text)


def a_few(names: Sequence[str], most: int) -> str:
    """``a, b and 3 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def _shown(c: str) -> str:
    return c if c.isprintable() else c.encode("unicode_escape").decode("ascii")


def _json_escape(c: str) -> str:
    units = c.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
