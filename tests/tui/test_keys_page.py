"""docs/terminal.md lists every key of the registry; ``UPDATE_DOCS=1`` writes the list."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tui.bindings import COMMANDS, GROUPS

PAGE = Path(__file__).parents[2] / "docs" / "terminal.md"
TABLE = re.compile(r"(?<=tests/tui/test_keys_page.py -->\n).*(?=<!-- end of keys of the terminal)", re.S)


def keys_table() -> str:
    rows = ["| key | action | does |", "|---|---|---|"]
    for group in GROUPS:
        rows += [f"| `{each.key_text}` | {each.label} | {each.help} |" for each in COMMANDS if each.group == group]
    return "\n".join(rows) + "\n"


def test_the_page_lists_every_key() -> None:
    text = PAGE.read_text("utf-8")
    if os.environ.get("UPDATE_DOCS") == "1":
        PAGE.write_text(TABLE.sub(lambda _: keys_table(), text), "utf-8")
        text = PAGE.read_text("utf-8")
    found = TABLE.search(text)
    assert found is not None
    assert found[0] == keys_table()
